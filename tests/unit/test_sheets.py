"""Sheets of numbers are read as the programs of different machines write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli import choose
from gateway.sheets import SheetError, read

TEXT = "Номер;Город;Отдел\n+78432220000;Казань;Продажи\n8 (843) 222-00-01;Казань;Продажи\n"
NUMBERS = [78432220000, 78432220001]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16", "utf-16-le", "utf-16-be"]
)
@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_a_csv_is_read_in_the_encodings_of_spreadsheets(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    (tmp_path / "new.csv").write_bytes((mark + TEXT.replace(";", delimiter)).encode(encoding))
    rows, errors = read(tmp_path / "new.csv")
    assert errors == () and [row.e164 for row in rows] == NUMBERS
    assert rows[0].cells == {"city": "Казань", "department": "Продажи"}


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        ("number,city\n+78432220000,Kazan\n".encode("utf-16-le"), "UTF-16 without its mark"),
        ("number,city\n+78432220000,Kazan\n".encode("utf-16-be"), "UTF-16 without its mark"),
        ("number,city\n".encode("utf-16") + b"\x00\xd8\x31", "begins as UTF-16 and is broken"),
        ("number,city\n".encode("utf-16") + b"1", "begins as UTF-16 and is broken"),
    ],
)
def test_what_cannot_be_read_says_how_to_save_it(
    tmp_path: Path, raw: bytes, complaint: str
) -> None:
    (tmp_path / "new.csv").write_bytes(raw)
    with pytest.raises(SheetError, match=f"{complaint}.*save it as CSV UTF-8, or as .xlsx"):
        read(tmp_path / "new.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_of_numbers_is_read_as_an_editor_saves_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "pilot.txt").write_text("+78432220000\r\n8 (843) 222-00-01\r\n", encoding)
    (both,) = choose.from_file(tmp_path / "pilot.txt").ranges
    assert [both.first, both.last] == NUMBERS
