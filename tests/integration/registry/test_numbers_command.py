"""`portgate numbers`: found in any spelling, moved along the ways that there are, imported whole or
not at all, and taken back; over a real PostgreSQL.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from gateway import demo
from number_registry.errors import PortgateError
from number_registry.operations.values import ConflictError

from .commands import Portgate, on_database

KAZAN = "+78432220000"
MOSCOW = "+74951230003"


COMPANY = demo.company()
CONTRACTS = {
    row["name"]: (row["carrier"], row.get("rented_through")) for row in COMPANY["contracts"]
}


def moscow(row: dict[str, Any]) -> bool:
    return str(row["first"]).startswith("+7495123")


def of(like: Callable[[dict[str, Any]], bool] = lambda row: True, **facts: str) -> int:
    """How many numbers of the demo company are like this."""
    rows = [row for row in COMPANY["numbers"] if facts.items() <= row.items() and like(row)]
    return sum(row["count"] for row in rows)


@pytest.fixture
def portgate(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Portgate:
    return on_database(dsn, tmp_path, monkeypatch)


def sheet(folder: Path, *lines: str, name: str = "numbers.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


# -- finding --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        (("8 (495) 123-00-03",), 1),
        (("tel:+74951230003", "84951230004"), 2),
        (("+7495123000[0-4]",), 5),
        (("+7 (495) 123-00-0[0-4]",), 5),
        (("+7495123....",), of(moscow)),
        (("8 495 123-00-00 - +7 495 123-00-09",), 10),
        (("74951230000-74951230009",), 10),
        (("--city", "Kazan", "--department", "Sales"), of(city="Kazan", department="Sales")),
        (("--rented-through", "old"), of(lambda row: CONTRACTS[row["contract"]][1] == "old")),
        (
            ("--carrier", "northline", "--pbx", "new"),
            of(lambda row: CONTRACTS[row["contract"]][0] == "northline", pbx="new"),
        ),
        (
            ("--contract", "Volga City 4512", "--city", "Ufa"),
            of(contract="Volga City 4512", city="Ufa"),
        ),
        (("--state", "suspended"), 0),
        (("--scenario", "direct"), of(scenario="direct")),
        ((), of()),
    ],
)
def test_numbers_are_found_however_they_are_written(
    portgate: Portgate, typed: tuple[str, ...], found: int
) -> None:
    assert len(portgate.numbers(*typed)) == found


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        (("12",), "too short"),
        (("hello",), "not a phone number"),
        (("+7495[x]",), "neither a digit"),
        (("+74951230009-+74951230000",), "must be the higher one"),
    ],
)
def test_what_is_no_number_is_an_error_that_says_why(
    portgate: Portgate, typed: tuple[str, ...], complaint: str
) -> None:
    answer = portgate("numbers", "list", *typed)

    assert answer.exit_code == 1
    assert complaint in answer.output


def test_a_name_that_is_not_there_is_answered_with_the_nearest(portgate: Portgate) -> None:
    with pytest.raises(PortgateError, match="Did you mean 'Kazan'"):
        portgate("numbers", "list", "--city", "Kasan")


def test_one_number_is_shown_with_contracts_and_history(portgate: Portgate) -> None:
    assert portgate("numbers", "state", KAZAN, "suspended").exit_code == 0
    found = portgate.json("numbers", "show", "8 843 222-00-00")

    assert (found["number"]["city"], found["number"]["state"]) == ("Kazan", "suspended")
    assert [one["rented_through"] for one in found["tenancies"]] == ["old"]
    (move,) = [line for line in found["history"] if line["field"] == "state"]
    assert (move["before"], move["after"], move["actor"]) == ("in_service", "suspended", "anna")
    assert move["at"].endswith("Z") and move["contract"] == "Old PBX, numbers in Kazan"
    told = portgate("numbers", "history", KAZAN).output
    assert "state with Old PBX, numbers in Kazan: in_service → suspended  by anna" in told


# -- changing -------------------------------------------------------------------------------------


def test_a_plan_shows_what_would_change_and_changes_nothing(portgate: Portgate) -> None:
    planned = portgate("numbers", "set", "+7495123000[0-4]", "--scenario", "direct", "--plan")

    assert planned.exit_code == 2
    assert "~ +74951230000  scenario script → direct" in planned.stdout
    assert {row["scenario"] for row in portgate.numbers("+7495123000[0-4]").values()} == {"script"}


def test_set_does_what_its_plan_said_and_undo_takes_it_back(portgate: Portgate) -> None:
    before = portgate.numbers()
    words = ("set", "+7495123000[0-4]", "--scenario", "direct", "--department", "Service")
    done = portgate.json("numbers", *words)
    after = portgate.numbers()

    assert done["counts"] == {"+": 0, "~": 5, "-": 0}
    assert [after[f"+7495123000{n}"]["scenario"] for n in range(6)] == ["direct"] * 5 + ["script"]
    again = portgate("numbers", *words)
    assert (again.exit_code, again.stdout) == (0, "")
    assert portgate("numbers", "undo", done["undo"]).exit_code == 0
    assert portgate.numbers() == before
    with pytest.raises(PortgateError, match="taken back already"):
        portgate("numbers", "undo", done["undo"])


def test_a_state_moves_only_along_the_ways_that_there_are(portgate: Portgate) -> None:
    with pytest.raises(PortgateError, match="in_service cannot become cooling; from there it goes"):
        portgate("numbers", "state", MOSCOW, "cooling")
    for state in ("suspended", "in_service", "released", "cooling", "reserved", "in_service"):
        assert portgate("numbers", "state", MOSCOW, state).exit_code == 0
    assert portgate.numbers(MOSCOW)[MOSCOW]["state"] == "in_service"


def test_an_undo_goes_an_edge_backwards_that_is_no_way_forwards(portgate: Portgate) -> None:
    portgate("numbers", "state", MOSCOW, "released")
    assert portgate("numbers", "undo").exit_code == 0
    assert portgate.numbers(MOSCOW)[MOSCOW]["state"] == "in_service"


def test_an_undo_never_overwrites_what_somebody_did_since(portgate: Portgate) -> None:
    first = portgate.json("numbers", "set", MOSCOW, "--scenario", "direct")
    portgate("numbers", "set", MOSCOW, "--recording", "always")

    with pytest.raises(ConflictError, match="recording is 'always' and was 'by_role'"):
        portgate("numbers", "undo", first["undo"])
    assert portgate.numbers(MOSCOW)[MOSCOW]["scenario"] == "direct"


def test_a_number_leaves_the_middlemans_contract_for_the_carriers(portgate: Portgate) -> None:
    portgate("numbers", "state", KAZAN, "porting_out")
    contract = "Volga City 4512"
    begun = portgate.json("numbers", "state", KAZAN, "porting_in", "--contract", contract)

    assert begun["changes"][0]["fields"][0]["after"] == "porting_in"
    tenancies = portgate.json("numbers", "show", KAZAN)["tenancies"]
    assert [one["state"] for one in tenancies] == ["porting_out", "porting_in"]
    with pytest.raises(PortgateError, match="say which with --contract"):
        portgate("numbers", "state", KAZAN, "released")
    portgate("numbers", "state", KAZAN, "in_service", "--contract", contract)
    portgate("numbers", "state", KAZAN, "released", "--contract", "Old PBX, numbers in Kazan")
    locked = portgate.json("lockin", "old")
    ever = of(lambda row: CONTRACTS[row["contract"]][1] == "old")
    assert KAZAN not in {one["e164"] for one in locked["numbers"]}
    assert len(locked["numbers"]) == ever - 1
    assert locked["exit_percent"] == round(100 / ever, 1)


def test_changing_every_number_by_a_slip_is_refused(portgate: Portgate) -> None:
    with pytest.raises(PortgateError, match="say which numbers"):
        portgate("numbers", "set", "--scenario", "direct")


# -- import and export ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["all.csv", "all.xlsx"])
def test_an_export_imports_unchanged(portgate: Portgate, tmp_path: Path, name: str) -> None:
    portgate("numbers", "state", KAZAN, "porting_out")
    portgate("numbers", "state", KAZAN, "porting_in", "--contract", "Volga City 4512")
    portgate("pbx", "swap", "old", "new", "--city", "Ufa")
    file = tmp_path / name
    assert portgate("numbers", "export", "-o", file).exit_code == 0

    same = portgate.json("numbers", "import", file)

    assert (same["rows"], same["unchanged"], same["changes"], same["undo"]) == (
        of() + 1,
        of(),
        [],
        None,
    )


def test_an_import_shows_its_difference_first_then_does_it_and_goes_back(
    portgate: Portgate, tmp_path: Path
) -> None:
    before = portgate.numbers()
    file = sheet(
        tmp_path,
        "number;city;pbx;contract;carrier;state;scenario",
        "8 (495) 777-00-01;Perm;old;Northline 17/2024;;reserved;",
        f"{MOSCOW};;new;;;;direct",
        "+74951230004;Moscow;old;;;;",
    )
    words = ("import", file, "--add-missing")
    planned = portgate("numbers", *words, "--plan")
    assert planned.exit_code == 2
    assert planned.stdout.splitlines()[0] == "+ city Perm"
    assert f"~ {MOSCOW}" in planned.stdout and "scenario script → direct" in planned.stdout
    assert portgate.numbers() == before

    done = portgate.json("numbers", *words)

    assert done["counts"] == {"+": 1, "~": 1, "-": 0} and done["unchanged"] == 1
    after = portgate.numbers()
    assert after["+74957770001"]["city"] == "Perm" and after["+74957770001"]["state"] == "reserved"
    assert (after[MOSCOW]["pbx"], after[MOSCOW]["scenario"]) == ("new", "direct")
    assert portgate("numbers", "undo").exit_code == 0
    assert portgate.numbers() == before
    again = portgate.json("numbers", *words, "--plan", status=2)
    assert "Perm" in {one["name"] for one in again["made"]}, "the city went with its number"


def test_errors_are_rows_with_line_column_and_expectation_and_nothing_is_half_applied(
    portgate: Portgate, tmp_path: Path
) -> None:
    before = portgate.numbers()
    file = sheet(
        tmp_path,
        "number,city,pbx,contract,state,carrier",
        "+74957770001,Moscow,old,Northline 17/2024,in_service,northline",
        "12,Moscow,old,,,",
        "+74957770002,Moskow,old,,,",
        "+74957770003,Moscow,oldd,,,",
        "+74957770004,Moscow,old,Northline 17/2024,sold,northline",
        "+74951230000,Moscow,old,Northline 17/2024,cooling,northline",
        "+74957770005,Moscow,old,Northline 17/2024,reserved,volga_city",
        "+74957770001,Moscow,old,Northline 17/2024,in_service,northline",
    )
    titles = sheet(tmp_path, "number,citty", "+74957770001,Moscow", name="titles.csv")
    told = portgate("numbers", "import", titles)
    assert "titles.csv:1: title 'citty': expected" in told.stdout
    assert "1 error: nothing was changed" in told.stderr
    errors = tmp_path / "errors.csv"
    refused = portgate("numbers", "import", file, "--json", "--errors", errors)

    assert refused.exit_code == 1
    found = [(one["line"], one["column"]) for one in json.loads(refused.stdout)["errors"]]
    assert found == [
        (3, "number"), (4, "city"), (5, "pbx"), (6, "state"), (7, "state"), (8, "carrier"),
        (9, "number"),
    ]  # fmt: skip
    told = portgate("numbers", "import", file).stdout
    assert "numbers.csv:4: city 'Moskow': expected" in told and "Did you mean 'Moscow'" in told
    assert "suspended" in told and "line 2" in told
    with errors.open(encoding="utf-8", newline="") as rows:
        assert [row["line"] for row in csv.DictReader(rows)] == ["3", "4", "5", "6", "7", "8", "9"]
    assert portgate.numbers() == before


def test_a_workbook_with_numbers_as_numbers_and_russian_titles_is_read(
    portgate: Portgate, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    book.active.append(["Номер", "Город", "Договор", "Состояние"])
    book.active.append([74957770001, "Moscow", "Northline 17/2024", "in_service"])
    book.active.append([None, None, None, None])
    book.active.append([84957770002.0, "Moscow", "Northline 17/2024", "in_service"])
    book.save(tmp_path / "new.xlsx")

    assert portgate("numbers", "import", tmp_path / "new.xlsx").exit_code == 0
    assert set(portgate.numbers("+7495777....")) == {"+74957770001", "+74957770002"}


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("empty.csv", b"", "empty"),
        ("titles.csv", b"number,colour\n+74951230000,red\n", "colour"),
        ("no.csv", b"city\nMoscow\n", "a column `number`"),
        ("broken.xlsx", b"PK\x03\x04nonsense", "no XLSX"),
        ("binary.csv", b"\x00\x01\x02", "no CSV"),
    ],
)
def test_what_is_no_sheet_is_refused_with_what_one_is(
    portgate: Portgate, tmp_path: Path, name: str, content: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    try:
        answer = portgate("numbers", "import", tmp_path / name)
        assert answer.exit_code == 1
        said = answer.output
    except PortgateError as error:
        said = str(error)
    assert complaint in said
