"""Reads and writes sheets of numbers, CSV and XLSX; it knows columns and spellings, no registry."""

from __future__ import annotations

import codecs
import csv
import gc
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import openpyxl
import openpyxl.cell
from openpyxl.utils.exceptions import InvalidFileException

from gateway.trial.spelling import NotANumberError
from gateway.trial.spelling import read as read_number
from number_registry.e164 import E164
from number_registry.errors import RefuseError
from number_registry.operations.imports import COLUMNS, Row, RowError
from number_registry.operations.values import Progress, silent

CHUNK = 2000
_SAVE = "save it as CSV UTF-8, or as .xlsx"
MOST_BYTES = 256 << 20  # of a sheet, unpacked: a small archive may hold very much
# How people and other programs title the columns.
_TITLES = {
    "e164": "number", "did": "number", "phone": "number", "номер": "number", "телефон": "number",
    "город": "city", "отдел": "department", "подразделение": "department", "атс": "pbx",
    "группа": "attachment", "сценарий": "scenario", "запись": "recording", "договор": "contract",
    "оператор": "carrier", "через": "rented_through", "приложение": "addendum",
    "состояние": "state", "rented through": "rented_through",
}  # fmt: skip


class SheetError(RefuseError):
    """A file that is no sheet at all; says what is."""


Read = tuple[tuple[Row, ...], tuple[RowError, ...]]


def read(path: Path, progress: Progress = silent) -> Read:
    """Its rows, and what could not be read of it. Raises SheetError, OSError."""
    is_workbook = path.suffix.lower() in (".xlsx", ".xlsm")
    lines = _workbook(path) if is_workbook else _csv(path)
    head = next(lines, None)
    if head is None:
        raise SheetError(f"{path}: the file is empty; {_expected()}")
    columns, errors = _columns(path.name, [_text(cell) for cell in head[1]])
    if errors:
        return (), tuple(errors)
    rows: list[Row] = []
    with _no_collecting():
        for line, cells in lines:
            if not len(rows) % CHUNK:
                progress("reading", len(rows), 0)
            texts = [_text(cell) for cell in cells]
            if not any(texts):
                continue
            found = _row(path.name, line, columns, texts)
            (rows if isinstance(found, Row) else errors).append(found)  # type: ignore[arg-type]
    progress("reading", len(rows), len(rows))
    return tuple(rows), tuple(errors)


@contextmanager
def _no_collecting() -> Iterator[None]:
    """Rows pile up and none is garbage: looking for it again and again is a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _row(file: str, line: int, columns: Sequence[str], texts: list[str]) -> Row | RowError:
    if len(texts) > len(columns) and any(texts[len(columns) :]):
        extra = next(text for text in texts[len(columns) :] if text)
        return RowError(file, line, "", extra, f"{len(columns)} cells, as in the first line")
    texts += [""] * (len(columns) - len(texts))
    cells = dict(zip(columns, texts, strict=False))
    typed = cells.pop("number")
    try:
        return Row(line, _number(typed), cells)
    except NotANumberError as error:
        return RowError(file, line, "number", typed, f"a phone number, as +74951230000 ({error})")


def _number(typed: str) -> int:
    if typed[:1] == "+" and (plain := E164.maybe(typed[1:])) is not None:
        return int(plain)  # as an export writes it; the general way costs thirty times as much
    found = read_number(typed)
    if not isinstance(found, E164):
        raise NotANumberError(f"{typed!r} is too short")
    return int(found)


def _columns(file: str, titles: list[str]) -> tuple[list[str], list[RowError]]:
    while titles and not titles[-1]:
        titles.pop()
    columns = [_TITLES.get(title.casefold(), title.casefold()) for title in titles]
    errors = [
        RowError(file, 1, "title", title, _expected())
        for title, column in zip(titles, columns, strict=True)
        if column not in COLUMNS
    ]
    twice = {column for column in columns if columns.count(column) > 1}
    errors += [RowError(file, 1, column, column, "each column once") for column in sorted(twice)]
    if "number" not in columns:
        errors.append(RowError(file, 1, "number", "", f"a column `number`; {_expected()}"))
    return columns, errors


def _expected() -> str:
    return f"each title in the first line to be one of: {', '.join(COLUMNS)}"


def _text(cell: Any) -> str:
    """A cell as text: workbooks hold numbers as numbers."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    raw = path.read_bytes()
    if len(raw) > MOST_BYTES:
        raise SheetError(f"{path}: {len(raw) >> 20} MB is more than a sheet of numbers has")
    text = decoded(path, raw)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in lines:
            yield lines.line_num, cells
    except csv.Error as error:
        raise SheetError(f"{path}, line {lines.line_num}: {error}") from error


def decoded(path: Path, raw: bytes) -> str:
    """The text of a file, in the encodings that spreadsheets write. Raises SheetError."""
    try:
        if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            text = raw.decode("utf-16")  # "Unicode text" of a spreadsheet; the mark says which way
        else:
            text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.encoding.startswith("utf-16"):
            raise SheetError(f"{path}: it begins as UTF-16 and is broken; {_SAVE}") from error
        # What spreadsheets of the Russian Windows write.
        text = raw.decode("cp1251", "replace")
    if "\0" not in text:
        return text
    on_one_side = 0 not in raw[::2] or 0 not in raw[1::2]
    if on_one_side and len(raw) > 4 and raw.count(0) * 5 >= len(raw):
        raise SheetError(f"{path}: this seems to be UTF-16 without its mark; {_SAVE}")
    raise SheetError(f"{path}: this is no CSV; .csv and .xlsx are read")


def _workbook(path: Path) -> Iterator[tuple[int, Sequence[Any]]]:
    """Rows of the first sheet, as many as there are; formulas as the values they had."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > MOST_BYTES:
            raise SheetError(f"{path}: {size >> 20} MB unpacked is more than such a sheet has")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError) as error:
        raise SheetError(f"{path}: this is no XLSX workbook ({error})") from error
    try:
        yield from enumerate(book.worksheets[0].iter_rows(values_only=True), 1)
    finally:
        book.close()


def write_csv(rows: Iterable[Sequence[str]], out: io.TextIOBase | Any) -> None:
    """Titles, then the rows; an import reads it unchanged."""
    csv.writer(out, lineterminator="\n").writerows(chain((COLUMNS,), rows))


def write_workbook(rows: Iterable[Sequence[str]], path: Path) -> None:
    """The same as a workbook. Every cell is text, so that no program takes digits away."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("numbers")
    for row in chain((COLUMNS,), rows):
        sheet.append([_cell(sheet, value) for value in row])
    book.save(path)


def _cell(sheet: Any, value: str) -> Any:
    if not value.startswith("="):
        return value
    cell = openpyxl.cell.WriteOnlyCell(sheet, value)
    cell.data_type = "s"  # a name that begins like a formula is none
    return cell
