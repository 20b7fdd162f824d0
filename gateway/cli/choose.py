"""Which numbers a command means: any spelling, ranges, a file, filters; no command lives here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from gateway import sheets
from gateway.trial import spelling
from number_registry.e164 import E164
from number_registry.errors import BadNumberError
from number_registry.operations.numbers import SCENARIOS, STATES
from number_registry.operations.selection import Selection
from number_registry.ranges import Range, from_to, is_pattern, merged, pattern

# "+74951230000-+74951230099", "+7 495 123-00-00 - +7 495 123-00-99", "... to ...", "...".."..."
_FROM_TO = re.compile(r"\s+(?:-|–|—|to|по)\s+|(?<=\d)(?:-|–|—|\.{2,3})(?=\+)")
_BARE = re.compile(r"(\+?\d{7,15})-(\d{7,15})")
_OUTSIDE = re.compile(r"[\s()]|-(?![^\[]*\])")


def filters(command: Callable[..., Any]) -> Callable[..., Any]:
    """--city, --department, --pbx, --carrier, --state, --contract, --rented-through, --scenario."""
    for option in (
        click.option("--scenario", type=click.Choice(SCENARIOS), help="With this scenario."),
        click.option("--rented-through", metavar="PBX", help="Rented through this PBX's vendor."),
        click.option("--contract", help="Under this contract."),
        click.option(
            "--state",
            type=click.Choice(list(STATES)),
            metavar="STATE",
            help=f"One of {', '.join(STATES)}.",
        ),
        click.option("--carrier", help="Rented out by this carrier."),
        click.option("--pbx", help="Answered by this PBX."),
        click.option("--department", help="Paid by this department."),
        click.option("--city", help="Of this city."),
    ):
        command = option(command)
    return command


def selection(typed: Iterable[str], **names: str | None) -> Selection:
    """What was typed and the filters. Raises click.ClickException where it is no number."""
    return Selection(merged(one for text in typed for one in ranges(text)), **names)


def ranges(typed: str) -> tuple[Range, ...]:
    """One argument: a number in any spelling, a pattern, from-to."""
    text = typed.strip()
    try:
        parts = _FROM_TO.split(text)
        if bare := _BARE.fullmatch(text):
            parts = [bare[1], bare[2]]
        if len(parts) == 2:
            return (from_to(number(parts[0]), number(parts[1])),)
        if is_pattern(text):
            return pattern(_OUTSIDE.sub("", text))
        one = int(number(text))
        return (Range(one, one),)
    except BadNumberError as error:
        raise click.ClickException(str(error)) from error


def number(typed: str) -> E164:
    """One full number in any spelling."""
    try:
        found = spelling.read(typed)
    except spelling.NotANumberError as error:
        raise click.ClickException(str(error)) from error
    if not isinstance(found, E164):
        raise click.ClickException(f"{typed!r} is too short for a phone number")
    return found


def from_file(path: Path) -> Selection:
    """The numbers of a file: a sheet with a column `number`, or one number a line.

    Raises click.ClickException that names the first line which holds none.
    """
    try:
        text = sheets.decoded(path, path.read_bytes())
    except (OSError, sheets.SheetError):
        text = ""  # a workbook, or what `read` refuses with its reason
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and re.match(r"[+\d]", lines[0]):
        return selection(lines)
    rows, errors = sheets.read(path)
    if errors:
        one = errors[0]
        raise click.ClickException(
            f"{one.file}:{one.line}: {one.column} {one.value!r}: {one.expected} is expected"
        )
    return Selection(merged(Range(row.e164, row.e164) for row in rows))
