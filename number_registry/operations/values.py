"""What verbs speak of: a number's facts by name, changes between them, plans; no SQL, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from number_registry.errors import RefuseError

# How far long work has come: (what it does now, done, of how many).
Progress: TypeAlias = Callable[[str, int, int], None]


class ConflictError(RefuseError):
    """What was planned on has changed meanwhile; the message shows both sides."""


class UnknownError(RefuseError):
    """A name or an id that the registry does not have."""


def silent(what: str, done: int, total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, order=True)
class Tenancy:
    """A number under one contract; `slot` tells the two apart that it may have while it moves."""

    contract: str
    state: str = "reserved"
    addendum: str = ""
    slot: int = 1


@dataclass(frozen=True, slots=True)
class Facts:
    """All of a number that a person may change. Empty names are none."""

    city: str
    department: str = ""
    attachment: str = ""
    scenario: str = "script"
    recording: str = "by_role"
    tenancies: tuple[Tenancy, ...] = ()

    def image(self) -> dict[str, Any]:
        """As number_images in sql/schema.sql gives it: equal facts are equal JSON."""
        return {
            "city": self.city,
            "department": self.department,
            "attachment": self.attachment,
            "scenario": self.scenario,
            "recording": self.recording,
            "tenancies": [
                [one.contract, one.state, one.addendum, one.slot] for one in sorted(self.tenancies)
            ],
        }

    @classmethod
    def of(cls, image: dict[str, Any]) -> Facts:
        """The facts in an image."""
        return cls(
            image["city"],
            image["department"],
            image["attachment"],
            image["scenario"],
            image["recording"],
            tuple(Tenancy(*one) for one in image["tenancies"]),
        )

    def tenancy(self, contract: str) -> Tenancy | None:
        return next((one for one in self.tenancies if one.contract == contract), None)


_FIELDS = ("city", "department", "attachment", "scenario", "recording")


@dataclass(frozen=True, slots=True)
class Change:
    """One number before and after; None is a number that is not there."""

    e164: int
    before: Facts | None
    after: Facts | None

    @property
    def sign(self) -> str:
        """``+`` new, ``~`` changed, ``-`` gone."""
        return "+" if self.before is None else "-" if self.after is None else "~"

    def fields(self) -> Iterator[tuple[str, str, str]]:
        """(field, before, after) of what differs; states as ``state of CONTRACT``."""
        before, after = self.before or Facts(""), self.after or Facts("")
        for name in _FIELDS:
            was, will = getattr(before, name), getattr(after, name)
            if was != will or (self.sign == "+" and will):
                yield name, "" if self.sign == "+" else was, "" if self.sign == "-" else will
        contracts = {one.contract: one for one in (*before.tenancies, *after.tenancies)}
        for contract in sorted(contracts):
            yield from _tenancy_fields(contract, before.tenancy(contract), after.tenancy(contract))


def _tenancy_fields(
    contract: str, was: Tenancy | None, will: Tenancy | None
) -> Iterator[tuple[str, str, str]]:
    for name in ("state", "addendum"):
        one, two = getattr(was, name, ""), getattr(will, name, "")
        if one != two:
            yield f"{name} with {contract}", one, two


@dataclass(frozen=True, slots=True)
class Made:
    """Something a change needs that is not there yet. kind: city, department, contract, attachment.

    ``needs``: of a contract its carrier and the middleman's PBX, of an attachment its PBX.
    """

    kind: str
    name: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a verb would do; `apply` does exactly that."""

    actor: str
    verb: str
    changes: tuple[Change, ...] = ()
    made: tuple[Made, ...] = ()
    unchanged: int = 0

    @property
    def empty(self) -> bool:
        return not self.changes and not self.made

    def counts(self) -> dict[str, int]:
        """How many numbers per sign."""
        found = {"+": 0, "~": 0, "-": 0}
        for change in self.changes:
            found[change.sign] += 1
        return found

    @property
    def summary(self) -> str:
        """``3 new, 2 changed``: for lists and for the record."""
        words = {"+": "new", "~": "changed", "-": "gone"}
        told = [f"{count} {words[sign]}" for sign, count in self.counts().items() if count]
        return ", ".join(told) or "nothing"


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done. ``undo``: the id that `undo` takes; None when there was nothing to do."""

    undo: int | None
    summary: str
    changes: int = 0
    made: tuple[Made, ...] = field(default=())
