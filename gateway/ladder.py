"""Draws a call as a text ladder: who said what to whom, and when; it reads no messages itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH = 30  # between two columns
_TIME = 11


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message. `at`: seconds since the epoch; `from_` and `to`: index of the columns."""

    at: float
    from_: int
    to: int
    label: str


def ladder(columns: Sequence[str], arrows: Sequence[Arrow]) -> list[str]:
    """Lines of text: a head with the columns, then one line per message in the order of time.

    Times are milliseconds since the first message.
    """
    if not arrows:
        return []
    ordered = sorted(arrows, key=lambda arrow: arrow.at)
    began = ordered[0].at
    lines = [" " * _TIME + "".join(name.center(_WIDTH) for name in columns).rstrip()]
    for arrow in ordered:
        milliseconds = (arrow.at - began) * 1000
        lines.append(f"{milliseconds:8.1f}   " + _row(len(columns), arrow).rstrip())
    return lines


def _row(columns: int, arrow: Arrow) -> str:
    cells = [" "] * (_WIDTH * columns)
    for column in range(columns):
        cells[_middle(column)] = "│"
    left, right = sorted((_middle(arrow.from_), _middle(arrow.to)))
    room = right - left - 1
    text = f" {arrow.label[: room - 4]} "
    dashes = room - 1 - len(text)
    before = dashes // 2
    line = "─" * before + text + "─" * (dashes - before)
    line = line + "▶" if arrow.to > arrow.from_ else "◀" + line
    cells[left + 1 : right] = line
    return "".join(cells)


def _middle(column: int) -> int:
    return _WIDTH * column + _WIDTH // 2
