"""Takes the steps of a plan, all or none, and remembers how to take them back; it decides no step.

What was ours before is noted on disk before the first step. Killed anywhere, the next `apply`
completes and `undo` takes back. Nothing is taken back by a list of inverse steps: a new plan leads
from whatever is there to what was there, so a kernel that did half of something is no special case.
"""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from gateway.network.kernel import RefusedError
from gateway.network.plan import Change, Plan, towards
from gateway.network.things import Seen, Thing
from gateway.network.wanted import Trouble
from gateway.stack.problems import Problem, StackError
from gateway.stack.processes import boot_id

MEND = "See: ./portgate network plan"


class ApplyError(StackError):
    """Nothing was changed, or what was changed has been taken back, unless it says otherwise."""


class InTheWayError(Exception):
    """Nothing was changed: these must be mended first."""

    def __init__(self, troubles: tuple[Trouble, ...]) -> None:
        super().__init__("; ".join(trouble.what for trouble in troubles))
        self.troubles = troubles


class Netlink(Protocol):
    """What is needed of a kernel."""

    async def see(self) -> Seen: ...

    async def do(self, change: Change) -> None: ...


class Note(msgspec.Struct, frozen=True):
    """What was ours before the last apply. Of another boot: nothing of it is there any more."""

    boot: str
    state: Literal["begun", "done"]
    before: list[Thing]


class Notes:
    """The note and the lock of one home; and the claim of that home on what Portgate has made here,
    a file that all homes of a machine look at.
    """

    def __init__(self, folder: Path, claim: Path | None = None) -> None:
        self._folder = folder
        self._path = folder / "applied.json"
        self._claim = claim

    def check(self, seen: Seen) -> None:
        """Raises ApplyError where what is there was made for another home."""
        if self._claim is None or not seen.mine or not self._claim.exists():
            return
        owner = self._claim.read_text("utf-8")
        if owner != str(self._folder.parent):
            why = "this home would remove them. One home of a machine has the carriers' networks"
            mend = f"Run it there: PORTGATE_HOME={owner} ./portgate network"
            raise ApplyError(Problem(f"the networks here belong to {owner}", why, mend))

    def claim(self) -> None:
        """What is made from now on is this home's."""
        if self._claim is not None:
            self._claim.parent.mkdir(parents=True, exist_ok=True)
            self._claim.write_text(str(self._folder.parent), "utf-8")

    def read(self) -> Note | None:
        """The note of this boot, or None."""
        try:
            note = msgspec.json.decode(self._path.read_bytes(), type=Note)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            mend = f"Remove {self._path}: then `apply` works, and only `undo` knows no way back"
            raise ApplyError(Problem(f"{self._path} is damaged", str(error), mend)) from error
        return note if note.boot == boot_id() else None

    def write(self, note: Note | None) -> None:
        """Atomically: a reader sees the old note or the new one."""
        if note is None:
            self._path.unlink(missing_ok=True)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(note))
        beside.replace(self._path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One apply at a time; a killed one holds no lock."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                problem = Problem("another apply is at work", str(file.name), "Wait until it ends")
                raise ApplyError(problem) from error
            yield


async def apply(
    kernel: Netlink, notes: Notes, target: Callable[[Seen], Plan], shown: str | None = None
) -> Plan:
    """Take the steps from what is seen to ``target``, and give them.

    ``shown``: the id of the plan a person has agreed to; another plan is refused. Raises
    ApplyError and InTheWayError.
    """
    with notes.locked():
        seen = await kernel.see()
        notes.check(seen)
        plan = target(seen)
        if plan.troubles:
            raise InTheWayError(plan.troubles)
        if shown is not None and plan.id != shown:
            why = f"it is now {plan.id}, not {shown}: something has changed since it was shown"
            raise ApplyError(Problem("the plan is another one", why, MEND))
        earlier = notes.read()
        begun = earlier is not None and earlier.state == "begun"
        if not plan.changes and not begun:
            return plan
        before = earlier.before if earlier and begun else sorted(seen.mine, key=str)
        notes.write(Note(boot_id(), "begun", before))
        notes.claim()
        await _all_or_none(kernel, notes, plan, target, seen, earlier)
        notes.write(Note(boot_id(), "done", before))
        return plan


async def undo(kernel: Netlink, notes: Notes, shown: str | None = None) -> Plan:
    """Back to what was ours before the last apply, and give the steps.

    Raises ApplyError and InTheWayError.
    """
    with notes.locked():
        note = notes.read()
        if note is None:
            return Plan(())
        seen = await kernel.see()
        notes.check(seen)
        plan = back(note, seen)
        if plan.troubles:
            raise InTheWayError(plan.troubles)
        if shown is not None and plan.id != shown:
            why = "something has changed since it was shown"
            raise ApplyError(Problem("the way back is another one", why, MEND))
        notes.write(Note(note.boot, "begun", note.before))
        await _all_or_none(kernel, notes, plan, lambda now: back(note, now), seen, note)
        notes.write(None)
        return plan


def claim_here() -> Path:
    """Where the claim on this network namespace is; gone after a boot, as all it speaks of is."""
    number = Path("/proc/thread-self/ns/net").stat().st_ino
    return Path("/run/portgate-networks") / str(number)


def back(note: Note, seen: Seen) -> Plan:
    """The steps from what is seen to what the note says was ours."""
    return towards(frozenset(note.before), seen)


async def _all_or_none(
    kernel: Netlink,
    notes: Notes,
    plan: Plan,
    target: Callable[[Seen], Plan],
    start: Seen,
    earlier: Note | None,
) -> None:
    try:
        for change in plan.changes:
            await kernel.do(change)
        if left := target(await kernel.see()).changes:
            what = "the kernel took every step and something undoes them"
            raise ApplyError(Problem(what, _listed(left), "Stop what else changes this network"))
    except BaseException as error:  # also an interrupt: half a network is never left on purpose
        left = await _take_back(kernel, start)
        if left:
            what = f"stopped at {error}, and could not be taken back"
            mend = "Mend that, then: ./portgate network apply, or undo"
            raise ApplyError(Problem(what, f"left over: {_listed(left)}", mend)) from error
        notes.write(earlier)
        if isinstance(error, RefusedError):
            what = f"the kernel refused: {error.change}"
            why = f"{error.text}. Everything is as it was before"
            raise ApplyError(Problem(what, why, MEND)) from error
        raise


async def _take_back(kernel: Netlink, start: Seen) -> tuple[Change, ...]:
    """Each step on its own: one that fails must not keep the others from being taken."""
    for change in towards(start.mine, await kernel.see()).changes:
        try:
            await kernel.do(change)
        except RefusedError:
            continue  # what is left is read again below, and told
    return towards(start.mine, await kernel.see()).changes


def _listed(changes: tuple[Change, ...]) -> str:
    return "; ".join(map(str, changes))
