"""All of a plan or nothing, where the real kernel cannot easily be made to misbehave."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.network.apply import ApplyError, InTheWayError, Note, Notes, apply, undo
from gateway.network.kernel import RefusedError
from gateway.network.plan import Change, Plan, plan
from gateway.network.things import Route, Rule
from gateway.stack.processes import boot_id
from tests.unit.network.model import Model
from tests.unit.network.test_plan import both, machine


def applied(model: Model, notes: Notes) -> Plan:
    return asyncio.run(apply(model, notes, lambda seen: plan(both(), seen)))


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def test_an_interrupt_in_the_middle_takes_back_what_was_done(notes: Notes) -> None:
    class Interrupted(Model):
        interrupted = False

        async def do(self, change: Change) -> None:
            if self.steps == 4 and not self.interrupted:
                self.interrupted = True
                raise asyncio.CancelledError
            await super().do(change)

    model = Interrupted(machine().devices)

    with pytest.raises(asyncio.CancelledError):
        applied(model, notes)

    assert model.mine == set()
    assert notes.read() is None


def test_a_kernel_that_forgets_a_step_is_noticed_and_all_is_taken_back(notes: Notes) -> None:
    class Forgetful(Model):
        async def do(self, change: Change) -> None:
            if not isinstance(change.thing, Rule):
                await super().do(change)

    model = Forgetful(machine().devices)

    with pytest.raises(ApplyError, match="something undoes them"):
        applied(model, notes)

    assert model.mine == set()


def test_what_cannot_be_taken_back_is_told_and_undone_later(notes: Notes) -> None:
    class Stuck(Model):
        stuck = False

        async def do(self, change: Change) -> None:
            self.stuck = self.stuck or isinstance(change.thing, Rule)
            if self.stuck and isinstance(change.thing, Route | Rule):
                raise RefusedError(change, 16, "busy")
            await super().do(change)

    model = Stuck(machine().devices)

    with pytest.raises(ApplyError, match="left over: - route") as caught:
        applied(model, notes)

    assert "could not be taken back" in caught.value.problems[0].what
    note = notes.read()
    assert note is not None and note.state == "begun"
    calm = Model(model.devices, mine=model.mine)
    asyncio.run(undo(calm, notes))
    assert calm.mine == set()


def test_nothing_is_tried_while_something_stands_in_the_way(notes: Notes) -> None:
    model = machine()
    del model.devices["eth2"]

    with pytest.raises(InTheWayError, match="there is no interface `eth2`"):
        applied(model, notes)

    assert model.steps == 0
    assert notes.read() is None


def test_a_note_of_another_boot_is_no_way_back(notes: Notes, tmp_path: Path) -> None:
    notes.write(Note("another boot", "done", []))
    model = machine()
    for change in plan(both(), model.seen()).changes:
        model.take(change)

    assert asyncio.run(undo(model, notes)).changes == ()

    notes.write(Note(boot_id(), "done", []))
    assert len(asyncio.run(undo(model, notes)).changes) == len(
        plan(both(), machine().seen()).changes
    )
    assert notes.read() is None


def test_an_apply_of_nothing_new_keeps_the_way_back(notes: Notes) -> None:
    model = machine()
    applied(model, notes)
    kept = notes.read()

    assert applied(model, notes).changes == ()

    assert notes.read() == kept
