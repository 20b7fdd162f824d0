"""Import of numbers: what a sheet would change, and what is wrong with it; pure but `apply`.

A row is one number under one contract; a number that moves has two. A column that the sheet does
not have leaves its field as it is. Nothing in a sheet deletes: a number that is not in it stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from number_registry.errors import RefuseError
from number_registry.operations import ledger
from number_registry.operations.numbers import (
    RECORDINGS,
    SCENARIOS,
    STATES,
    allowed,
    attachment_for,
    pbx_of,
    served_twice,
    with_tenancy,
)
from number_registry.operations.selection import Names, nearest
from number_registry.operations.values import (
    Applied,
    Change,
    Facts,
    Made,
    Plan,
    Progress,
    Tenancy,
    silent,
)
from number_registry.store.pool import Connection

# Columns of an export, in its order; an import reads any of them, in any order.
COLUMNS = (
    "number", "city", "department", "attachment", "pbx", "scenario", "recording",
    "contract", "carrier", "rented_through", "addendum", "state",
)  # fmt: skip
_CHOICES = {"scenario": SCENARIOS, "recording": RECORDINGS, "state": tuple(STATES)}
CHUNK = 2000


class Row(NamedTuple):
    """One line of a sheet, its number read; `cells`: column to text, without the number."""

    line: int
    e164: int
    cells: Mapping[str, str]


class RowError(NamedTuple):
    """What is wrong with one cell. Line 1 is the one with the titles."""

    file: str
    line: int
    column: str
    value: str
    expected: str


class CellError(Exception):
    """Raised where a cell is read: its column, and what was expected there."""

    def __init__(self, column: str, expected: str) -> None:
        self.column, self.expected = column, expected
        super().__init__(f"{column}: {expected}")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A sheet. ``add_missing``: cities, departments, contracts and attachments that are not there
    yet come with it; else they are errors, because most are slips.
    """

    file: str
    rows: tuple[Row, ...]
    errors: tuple[RowError, ...] = ()
    add_missing: bool = False


@dataclass(frozen=True, slots=True)
class ImportFacts:
    """What is there of the numbers in the sheet, and every name."""

    numbers: Mapping[int, Facts]
    names: Names


@dataclass(slots=True)
class _Reading:
    """What has been made of the rows so far."""

    request: ImportRequest
    names: Names
    before: Mapping[int, Facts]
    after: dict[int, Facts] = field(default_factory=dict)
    made: dict[tuple[str, str], Made] = field(default_factory=dict)
    seen: dict[tuple[int, str], int] = field(default_factory=dict)
    errors: list[RowError] = field(default_factory=list)


def plan(
    actor: str, request: ImportRequest, facts: ImportFacts, progress: Progress = silent
) -> tuple[Plan, tuple[RowError, ...]]:
    """What the sheet would change, and every error in it. With one error nothing may be applied."""
    names = replace(
        facts.names,
        attachments=dict(facts.names.attachments),
        contracts=dict(facts.names.contracts),
    )
    reading = _Reading(request, names, facts.numbers)
    reading.errors.extend(request.errors)
    for done, row in enumerate(request.rows):
        if done % CHUNK == 0:
            progress("comparing", done, len(request.rows))
        try:
            _take(reading, row)
        except CellError as error:
            value = row.cells.get(error.column, "")
            if error.column == "number":
                value = f"+{row.e164}"
            reading.errors.append(
                RowError(request.file, row.line, error.column, value, error.expected)
            )
    _one_serves(reading)
    progress("comparing", len(request.rows), len(request.rows))
    changes = tuple(
        Change(e164, facts.numbers.get(e164), after)
        for e164, after in sorted(reading.after.items())
        if facts.numbers.get(e164) != after
    )
    unchanged = len(reading.after) - len(changes)
    order = {kind: at for at, kind in enumerate(("city", "department", "attachment", "contract"))}
    made = tuple(sorted(reading.made.values(), key=lambda one: (order[one.kind], one.name)))
    errors = tuple(sorted(reading.errors, key=lambda one: one.line))
    return Plan(actor, "numbers import", changes, made, unchanged), errors


def _take(reading: _Reading, row: Row) -> None:
    """One row into what is known so far. Raises CellError."""
    cells, e164 = row.cells, row.e164
    contract = cells.get("contract", "")
    first = reading.seen.setdefault((e164, contract), row.line)
    if first != row.line:
        raise CellError("number", f"each number once under a contract; it is in line {first} too")
    for column, value in cells.items():
        if not value.isprintable():
            raise CellError(column, "text without control characters")
    started = reading.after.get(e164)
    facts = _fields(reading, cells, started or reading.before.get(e164))
    if started is not None:
        _agrees(started, facts)
    facts = _tenancy(reading, row, facts)
    reading.after[e164] = facts


def _one_serves(reading: _Reading) -> None:
    """No number in service under two contracts; asked at the end, since the row that ends the one
    may come after the row that begins the other.
    """
    twice = {
        e164: wrong
        for e164, will in reading.after.items()
        if len(will.tenancies) > 1 and (wrong := served_twice(e164, reading.before.get(e164), will))
    }
    lines: dict[int, int] = {}
    if twice:
        for (e164, _), line in reading.seen.items():
            lines[e164] = max(line, lines.get(e164, 0))
    for e164, wrong in twice.items():
        expected = f"one contract in service at a time; {wrong}"
        reading.errors.append(
            RowError(reading.request.file, lines[e164], "state", "in_service", expected)
        )


def _fields(reading: _Reading, cells: Mapping[str, str], was: Facts | None) -> Facts:
    for column, choices in _CHOICES.items():
        value = cells.get(column)
        if value and value not in choices:
            raise CellError(column, f"one of {', '.join(choices)}")
    city = cells.get("city") or (was.city if was else "")
    if not city:
        raise CellError("city", "a city, for a number that is new")
    _name(reading, "city", city, reading.names.cities)
    department = cells.get("department", was.department if was else "")
    if department:
        _name(reading, "department", department, reading.names.departments)
    facts = Facts(
        city,
        department,
        was.attachment if was else "",
        cells.get("scenario") or (was.scenario if was else "script"),
        cells.get("recording") or (was.recording if was else "by_role"),
        was.tenancies if was else (),
    )
    return replace(facts, attachment=_attachment(reading, cells, facts))


def _agrees(one: Facts, two: Facts) -> None:
    for column in ("city", "department", "attachment", "scenario", "recording"):
        value = getattr(one, column)
        if value != getattr(two, column):
            raise CellError(column, f"{value!r}, as in the number's other row")


def _name(
    reading: _Reading, kind: str, name: str, there: Iterable[str], needs: tuple[str, ...] = ()
) -> None:
    """A name that is there, or comes with the sheet."""
    if name in there or (kind, name) in reading.made:
        return
    if not reading.request.add_missing:
        hint = nearest(name, sorted(there))
        raise CellError(kind, f"a {kind} that is there, or --add-missing. {hint}")
    reading.made[kind, name] = Made(kind, name, needs)


def _attachment(reading: _Reading, cells: Mapping[str, str], facts: Facts) -> str:
    """The group that the row's attachment and PBX mean."""
    names = reading.names
    pbx, group = cells.get("pbx"), cells.get("attachment")
    if pbx and pbx not in names.pbxs:
        raise CellError("pbx", f"a PBX. {nearest(pbx, sorted(names.pbxs))}")
    if group:
        if group not in names.attachments:
            if not pbx:
                raise CellError("pbx", f"the PBX that the new attachment {group!r} points to")
            _name(reading, "attachment", group, names.attachments, (pbx,))
            names.attachments[group] = (pbx, False)
        points_to = names.attachments[group][0]
        if pbx and points_to != pbx:
            raise CellError(
                "pbx",
                f"{points_to!r}, where {group!r} points (`pbx swap` moves it), or no attachment",
            )
        return group
    if pbx is None and group is None:
        return facts.attachment
    if not pbx:
        return ""
    if pbx_of(facts, names) == pbx:
        return facts.attachment
    found, made = attachment_for(pbx, names)
    for one in made:
        reading.made[one.kind, one.name] = one
        names.attachments[one.name] = (pbx, False)
    return found


def _tenancy(reading: _Reading, row: Row, facts: Facts) -> Facts:
    """The facts with the row's contract, state and addendum."""
    cells = row.cells
    contract = cells.get("contract", "")
    if not contract:
        given = [column for column in ("state", "addendum", "carrier") if cells.get(column)]
        if given and "contract" in cells:
            raise CellError("contract", f"a contract, since {given[0]} is given")
        if cells.get("state") and len(facts.tenancies) == 1:
            contract = facts.tenancies[0].contract
        elif given and not facts.tenancies:
            raise CellError("contract", f"a contract, since {given[0]} is given")
        else:
            return facts
    _contract(reading, cells, contract)
    was = facts.tenancy(contract)
    state = cells.get("state") or (was.state if was else "reserved")
    addendum = cells.get("addendum", was.addendum if was else "")
    if was is not None and was.state != state:
        try:
            allowed(row.e164, was.state, state)
        except RefuseError as error:
            raise CellError("state", str(error)) from error
    slot = was.slot if was else 1
    try:
        return with_tenancy(row.e164, facts, Tenancy(contract, state, addendum, slot))
    except RefuseError as error:
        raise CellError("contract", str(error)) from error


def _contract(reading: _Reading, cells: Mapping[str, str], contract: str) -> None:
    """A contract that is there and is what the row says, or comes with the sheet."""
    names = reading.names
    carrier, through = cells.get("carrier", ""), cells.get("rented_through", "")
    if carrier and carrier not in names.carriers:
        raise CellError("carrier", f"a carrier. {nearest(carrier, sorted(names.carriers))}")
    if through and through not in names.pbxs:
        raise CellError("rented_through", f"a PBX. {nearest(through, sorted(names.pbxs))}")
    if contract not in names.contracts:
        if not carrier and reading.request.add_missing:
            raise CellError("carrier", f"the carrier of the new contract {contract!r}")
        _name(reading, "contract", contract, names.contracts, (carrier, through))
        names.contracts[contract] = (carrier, through)
    its_carrier, its_middleman = names.contracts[contract]
    if carrier and carrier != its_carrier:
        raise CellError("carrier", f"{its_carrier!r}, whose contract this is")
    if "rented_through" in cells and through != its_middleman:
        raise CellError("rented_through", f"{its_middleman!r}, as the contract says")


async def apply(connection: Connection, plan: Plan, progress: Progress = silent) -> Applied:
    """All of it in one transaction; `Applied.undo` takes it back. Raises ConflictError."""
    return await ledger.apply(connection, plan, progress)
