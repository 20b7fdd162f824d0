"""Which numbers a verb speaks of, and what the registry knows of them; it changes nothing."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from number_registry.errors import RefuseError
from number_registry.operations.values import Facts, UnknownError
from number_registry.ranges import Range
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Selection:
    """Numbers in one of the ranges (all, where there are none) to which each given name applies."""

    ranges: tuple[Range, ...] = ()
    city: str | None = None
    department: str | None = None
    pbx: str | None = None
    carrier: str | None = None
    state: str | None = None
    contract: str | None = None
    rented_through: str | None = None
    scenario: str | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing narrows it down."""
        return self == Selection()

    def arguments(self) -> tuple[object, ...]:
        """As the query find_numbers takes them."""
        first = [one.first for one in self.ranges] or None
        last = [one.last for one in self.ranges] or None
        return (
            first, last, self.city, self.department, self.pbx, self.carrier, self.state,
            self.contract, self.rented_through, self.scenario,
        )  # fmt: skip

    @property
    def digest(self) -> str:
        """The same question has the same digest."""
        text = json.dumps(self.arguments(), ensure_ascii=False)
        return blake2b(text.encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Names:
    """Every name that facts may refer to. attachments: {group: (its PBX, made for a move)};
    contracts: {contract: (carrier, the middleman's PBX or empty)}.
    """

    cities: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    carriers: frozenset[str] = frozenset()
    pbxs: frozenset[str] = frozenset()
    attachments: dict[str, tuple[str, bool]] = field(default_factory=dict)
    contracts: dict[str, tuple[str, str]] = field(default_factory=dict)


async def names(connection: Connection) -> Names:
    """What the registry knows by name."""

    async def of(kind: str) -> frozenset[str]:
        rows = await connection.fetch(SQL[f"names_{kind}"])
        return frozenset(row["name"] for row in rows)

    groups = await connection.fetch(SQL["names_attachments"])
    contracts = await connection.fetch(SQL["names_contracts"])
    return Names(
        await of("cities"),
        await of("departments"),
        await of("carriers"),
        await of("pbxs"),
        {row["name"]: (row["pbx"], row["moved"]) for row in groups},
        {row["name"]: (row["carrier"], row["rented_through"]) for row in contracts},
    )


def known(kind: str, name: str | None, all_names: Iterable[str]) -> None:
    """Raises UnknownError, with the nearest names, where a given name is none of these."""
    there = sorted(all_names)
    if name is not None and name not in there:
        raise UnknownError(f"there is no {kind} {name!r}. {nearest(name, there)}")


def nearest(name: str, there: Sequence[str]) -> str:
    """What was perhaps meant, for a person."""
    close = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r}?"
    some = ", ".join(there[:8]) + (", ..." if len(there) > 8 else "")
    return f"There are: {some}" if there else "There are none yet"


async def check(connection: Connection, selection: Selection) -> None:
    """Raises UnknownError where the selection names something that is not there."""
    there = await names(connection)
    known("city", selection.city, there.cities)
    known("department", selection.department, there.departments)
    known("PBX", selection.pbx, there.pbxs)
    known("PBX", selection.rented_through, there.pbxs)
    known("carrier", selection.carrier, there.carriers)
    known("contract", selection.contract, there.contracts)


async def find(
    connection: Connection, selection: Selection, limit: int = MOST
) -> list[dict[str, Any]]:
    """A line for each number, ascending. Raises UnknownError for a name that is not there."""
    await check(connection, selection)
    rows = await connection.fetch(SQL["find_numbers"], *selection.arguments(), limit)
    return [dict(row) for row in rows]


async def facts_of(connection: Connection, numbers: Iterable[int]) -> dict[int, Facts]:
    """All facts of these numbers, of those that are there."""
    wanted = list(numbers)
    found: dict[int, Facts] = {}
    for at in range(0, len(wanted), 10_000):
        rows = await connection.fetch(SQL["images_of"], wanted[at : at + 10_000])
        found.update((row["e164"], Facts.of(row["image"])) for row in rows)
    return found


def some(selection: Selection) -> Selection:
    """The selection, unless it is everything: a slip that changes every number is refused."""
    if selection.everything:
        raise RefuseError("say which numbers: a number, a range, --city, --department, ...")
    return selection
