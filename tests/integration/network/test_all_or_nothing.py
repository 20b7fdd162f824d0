"""An apply does everything it showed, or nothing, whatever happens in the middle of it."""

from __future__ import annotations

import json
import signal
import tempfile
from pathlib import Path
from typing import Any

import pytest

from gateway.network.apply import ApplyError
from gateway.settings import FILE
from tests.integration.network.conftest import DECLARED, HOP, OF_ALPHA, SERVER, World
from tests.integration.network.namespaces import who_hears

# A next hop that is an address of this machine: the kernel refuses it, and only when asked.
REFUSED = DECLARED.replace(f'"{HOP}"', '"192.0.2.10"').replace('"192.0.2.10"', f'"{HOP}"', 1)

AS_NOBODY = """\
import importlib, os, pkgutil

for name in ("gateway.cli", "gateway.stack", "gateway.network", "gateway"):
    for module in pkgutil.iter_modules(importlib.import_module(name).__path__):
        if not module.name.startswith("__"):
            importlib.import_module(f"{name}.{module.name}")
os.setuid(65534)
importlib.import_module("gateway.cli.main").main()
"""


def test_a_step_that_the_kernel_refuses_takes_all_others_back(world: World) -> None:
    before = world.everything()
    world.declare(REFUSED)

    with pytest.raises(ApplyError) as caught:
        world.apply()

    (problem,) = caught.value.problems
    assert "through 192.0.2.10 on beta0" in problem.what
    assert "invalid gateway. Everything is as it was before" in problem.why
    assert world.everything() == before
    assert world.notes.read() is None


def test_a_refused_change_leaves_the_network_that_was_applied_before(world: World) -> None:
    world.apply()
    before = world.everything()
    world.declare(REFUSED.replace("10.0.0.0/8", "172.16.0.0/12"))

    with pytest.raises(ApplyError):
        world.apply()

    assert world.everything() == before
    ears = world.ears(SERVER, 5060)
    assert who_hears(world.udp(world.gateway, OF_ALPHA), (SERVER, 5060), ears) == "alpha"
    note = world.notes.read()
    assert note is not None and note.state == "done"


@pytest.mark.parametrize("steps", [0, 1, 5, 11])
def test_killed_in_the_middle_the_next_apply_completes_it(world: World, steps: int) -> None:
    before = world.everything()
    killed = world.gateway.run(world.home, "tests.integration.network.killed", str(steps))
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    shown = world.command("plan", "--json")
    assert shown.returncode == 2
    plan = json.loads(shown.stdout)
    assert plan["cut_short"] is True
    assert len(plan["changes"]) == 12 - steps
    completed = world.command("apply")
    assert completed.returncode == 0, completed.stderr

    assert world.plan().changes == ()
    world.undo()
    assert world.everything() == before


@pytest.mark.parametrize("steps", [1, 7])
def test_killed_in_the_middle_it_can_be_taken_back(world: World, steps: int) -> None:
    before = world.everything()
    world.gateway.run(world.home, "tests.integration.network.killed", str(steps))
    assert world.everything() != before

    taken_back = world.command("undo")

    assert taken_back.returncode == 0, taken_back.stderr
    assert world.everything() == before


def test_the_commands_say_what_they_did_by_their_exit_status(world: World) -> None:
    shown = world.command("plan")
    assert shown.returncode == 2
    assert shown.stdout.splitlines()[0].split() == [
        *("+", "address", OF_ALPHA, "on", "alpha0", "alpha.kazan")
    ]
    id_ = json.loads(world.command("plan", "--json").stdout)["id"]

    wrong = world.command("apply", "--plan", "000000000000")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert f"it is now {id_}" in wrong.stderr
    done = world.command("apply", "--plan", id_)
    assert (done.returncode, done.stdout) == (0, shown.stdout)

    assert world.command("plan").returncode == 0
    assert world.command("apply").returncode == 0
    assert world.command("status").returncode == 0

    there = world.everything()
    back = world.command("undo", "--plan")
    assert back.returncode == 2, back.stderr
    assert {line[0] for line in back.stdout.splitlines()} == {"-"}
    assert "Do it: ./portgate network undo" in back.stderr
    assert len(json.loads(world.command("undo", "--plan", "--json").stdout)["changes"]) == len(
        back.stdout.splitlines()
    )
    assert world.everything() == there
    assert world.command("undo").stdout == back.stdout
    assert world.command("undo", "--plan").returncode == 0
    assert world.command("undo").returncode == 0
    assert world.command("status").returncode == 1


def test_what_stands_in_the_way_is_told_with_file_and_line(world: World) -> None:
    world.declare(DECLARED.replace("alpha0", "alpha9"))

    for command in ("plan", "apply"):
        refused = world.command(command)

        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"{world.home / FILE}:3: network.alpha.kazan.interface" in refused.stderr
        assert "there is no interface `alpha9`" in refused.stderr
        assert "Interfaces here: alpha0, beta0" in refused.stderr


def test_a_hand_off_that_no_carriers_file_asks_for_is_told_and_is_no_obstacle(
    world: World,
) -> None:
    for command in ("plan", "apply", "status"):
        told = world.command(command).stderr
        assert f"{world.home / FILE}:2: no carrier's file is named `alpha`" in told, command
    assert world.command("undo").returncode == 0


def test_nothing_declared_says_how_and_removes_what_was(world: World) -> None:
    before = world.everything()
    world.command("apply")
    world.declare("")

    shown = world.command("plan")
    assert shown.returncode == 2
    assert {line[0] for line in shown.stdout.splitlines()} == {"-"}
    assert "[network.CARRIER.TRUNK]" in shown.stderr
    assert world.command("apply").returncode == 0

    assert world.everything() == before


def test_two_at_once_are_one_after_the_other(world: World) -> None:
    with world.notes.locked():
        refused = world.command("apply")

    assert refused.returncode == 1
    assert "another apply is at work" in refused.stderr
    assert world.command("apply").returncode == 0


def test_another_home_of_the_machine_takes_nothing_away(world: World, tmp_path: Path) -> None:
    world.command("apply")
    before = world.everything()
    other = tmp_path / "other"
    other.mkdir()

    for command in ("plan", "apply"):
        refused = world.gateway.run(other, "gateway.cli", "network", command)

        assert (refused.returncode, refused.stdout) == (1, "")
        assert f"the networks here belong to {world.home}" in refused.stderr
    assert world.everything() == before

    world.command("undo")
    assert world.gateway.run(other, "gateway.cli", "network", "plan").returncode == 0


def test_a_damaged_note_is_told_and_not_guessed_at(world: World) -> None:
    world.command("apply")
    note = world.home / "network" / "applied.json"
    note.write_text("{", "utf-8")

    refused = world.command("undo")

    assert refused.returncode == 1
    assert f"Remove {note}" in refused.stderr


def test_whoever_is_not_root_is_told_so(world: World) -> None:
    for command in ("apply", "undo"):
        refused = _as_nobody(world, command)

        assert refused.returncode == 1
        assert "needs root" in refused.stderr
        assert f"sudo ./portgate network {command}" in refused.stderr


def _as_nobody(world: World, command: str) -> Any:
    """In a folder readable by everybody, as those of a test are not; the code is loaded before,
    because the checkout may lie in a folder that is root's alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        module = Path(folder) / "as_nobody.py"
        module.write_text(AS_NOBODY, "utf-8")
        return world.gateway.run(Path(folder), "as_nobody", "network", command, more=folder)
