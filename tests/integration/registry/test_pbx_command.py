"""`portgate pbx`: numbers move to another PBX by one pointer, all or a share of their calls, and
back; over a real PostgreSQL, Redis and mapped snapshot.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.stack.render import REPO
from number_registry.cache_layout import group_of
from number_registry.call import Call, Peer, Side, ToPbx
from number_registry.e164 import E164
from number_registry.errors import PortgateError
from number_registry.operations import moves
from number_registry.operations import undo as taking_back
from number_registry.operations.move_plan import Move, MovePlan
from number_registry.operations.selection import Selection
from number_registry.operations.values import ConflictError
from number_registry.routing import decide
from number_registry.store.pool import Connection, connect
from number_registry.store.truth import read_all

from .commands import Portgate, on_database
from .conftest import Host, until

KAZAN = Selection(city="Kazan")
OF_KAZAN = [f"+7843222000{n}" for n in range(10)]


@pytest.fixture
def portgate(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Portgate:
    return on_database(dsn, tmp_path, monkeypatch)


async def planned(sql: Connection, selection: Selection = KAZAN) -> MovePlan:
    request = Move("new", selection)
    return moves.plan("anna", request, await moves.read(sql, request, "old"))


# -- what the commands say ------------------------------------------------------------------------


def test_a_swap_shows_first_what_each_number_will_do(portgate: Portgate) -> None:
    found = portgate.json("pbx", "swap", "old", "new", "--city", "Kazan", "--plan", status=2)

    assert (found["numbers"], found["live_calls"], found["unchanged"]) == (10, 0, 0)
    assert [one["e164"] for one in found["changes"]] == OF_KAZAN
    assert found["changes"][0]["before"] == "old" and found["changes"][0]["after"] == "new"
    assert {one["does"] for one in found["changes"]} == {"rings new"}
    assert portgate.numbers(*OF_KAZAN)[OF_KAZAN[0]]["pbx"] == "old"


@pytest.mark.parametrize("prepared", [False, True])
def test_a_swap_that_came_and_went_does_not_bar_the_way_back_of_numbers(
    portgate: Portgate, tmp_path: Path, prepared: bool
) -> None:
    sheet = tmp_path / "more.csv"
    sheet.write_text(
        "number,city,attachment,pbx,contract\n+78432229000,Kazan,kazan,old,Volga City 4512\n"
    )
    imported = portgate.json("numbers", "import", sheet)
    set_to = portgate.json("numbers", "set", "--of-city", "Kazan", "--scenario", "direct")
    swap = ("pbx", "swap", "old", "new", "--city", "Kazan")
    if prepared:
        portgate.json(*swap, "--prepare")
    else:
        swapped = portgate.json(*swap)
        with pytest.raises(PortgateError, match="attachment is 'swap old new 1' and was 'kazan'"):
            portgate("numbers", "undo", imported["undo"])
        portgate("pbx", "undo", swapped["undo"])

    assert portgate("numbers", "undo", set_to["undo"]).exit_code == 0
    assert portgate("numbers", "undo", imported["undo"]).exit_code == 0

    there = portgate.numbers("--city", "Kazan")
    assert sorted(there) == OF_KAZAN
    assert {(one["pbx"], one["scenario"]) for one in there.values()} == {("old", "script")}
    assert portgate.json(*swap)["numbers"] == len(OF_KAZAN)


def test_a_migration_that_was_cancelled_does_not_bar_the_way_back_of_an_import(
    portgate: Portgate, tmp_path: Path
) -> None:
    sheet = tmp_path / "omsk.csv"
    sheet.write_text("number,city,attachment,pbx\n+73812220000,Omsk,omsk,old\n")
    imported = portgate.json("numbers", "import", sheet, "--add-missing")
    portgate("waves", "plan", "old", "new", "--pilot", "Omsk")
    portgate("waves", "cancel")

    assert portgate("numbers", "undo", imported["undo"]).exit_code == 0
    assert portgate.numbers("--city", "Omsk") == {}


def test_a_swap_says_which_of_its_numbers_are_part_of_an_open_migration(
    portgate: Portgate,
) -> None:
    swap = ("pbx", "swap", "old", "new", "--city", "Kazan", "--plan")
    assert portgate.json(*swap, status=2)["warnings"] == []
    portgate("waves", "plan", "old", "new", "--pilot", "Kazan", "--city", "Ufa")
    portgate("waves", "start")

    found = portgate.json("pbx", "swap", "new", "old", "--city", "Kazan", "--plan", status=2)
    (said,) = found["warnings"]
    assert "10 of these numbers are part of migration 1, old to new (Kazan is watching)" in said
    assert f"! {said}" in portgate("pbx", "swap", "new", "old", "--city", "Kazan", "--plan").stderr
    everything = portgate.json("pbx", "swap", "old", "new", "--plan", status=2)
    assert ["(Ufa is planned)" in one for one in everything["warnings"]] == [True]
    portgate("waves", "cancel", "--keep")
    assert (
        portgate.json("pbx", "share", "--city", "Ufa", "new", 20, "--plan", status=2)["warnings"]
        == []
    )


def test_a_swap_moves_the_chosen_numbers_and_one_command_brings_them_back(
    portgate: Portgate,
) -> None:
    done = portgate.json("pbx", "swap", "old", "new", "--city", "Kazan")
    assert {row["pbx"] for row in portgate.numbers("--city", "Kazan").values()} == {"new"}
    assert {row["pbx"] for row in portgate.numbers("--city", "Ufa").values()} == {"old"}
    again = portgate("pbx", "swap", "old", "new", "--city", "Kazan")
    assert (again.exit_code, again.stdout) == (0, "")

    shown = portgate.json("pbx", "undo", "--plan", status=2)
    assert shown["summary"].startswith(f"would take back {done['undo']}: 10 numbers")
    assert {row["pbx"] for row in portgate.numbers("--city", "Kazan").values()} == {"new"}

    assert portgate("pbx", "undo", done["undo"]).exit_code == 0

    assert {row["pbx"] for row in portgate.numbers("--city", "Kazan").values()} == {"old"}
    history = portgate.json("numbers", "history", OF_KAZAN[0])["history"]
    moved = [(line["before"], line["after"]) for line in history if line["field"] == "pbx"]
    assert moved == [("old", "new"), ("new", "old")]
    assert {line["actor"] for line in history if line["field"] == "pbx"} == {"anna"}


def test_a_list_of_numbers_moves_and_a_slip_in_it_is_refused(
    portgate: Portgate, tmp_path: Path
) -> None:
    file = tmp_path / "pilot.txt"
    file.write_text("+7 843 222-00-01\n8 843 222 00 03\n", "utf-8")
    assert portgate.json("pbx", "swap", "old", "new", "--numbers", file)["numbers"] == 2
    assert sum(row["pbx"] == "new" for row in portgate.numbers("--city", "Kazan").values()) == 2
    file.write_text("+78432220001\n+78432229999\n", "utf-8")
    with pytest.raises(PortgateError, match=r"\+78432229999 is not a number of ours"):
        portgate("pbx", "swap", "old", "new", "--numbers", file)


def test_nothing_moves_to_a_pbx_that_would_not_answer(portgate: Portgate) -> None:
    portgate("pbx", "suspend", "new")
    with pytest.raises(PortgateError, match="PBX new is suspended"):
        portgate("pbx", "swap", "old", "new")
    assert portgate("pbx", "resume", "new").exit_code == 0
    assert portgate("pbx", "resume", "new").exit_code == 0
    with pytest.raises(PortgateError, match=r"no PBX 'nwe'\. Did you mean 'new'"):
        portgate("pbx", "swap", "old", "nwe")
    with pytest.raises(PortgateError, match="answers for these numbers already"):
        portgate("pbx", "swap", "old", "old")


def test_a_pbx_is_added_and_takes_numbers(portgate: Portgate) -> None:
    words = (
        "add",
        "cloud",
        "sip:192.0.2.10:5060",
        "sip:192.0.2.11:5060",
        "--source",
        "192.0.2.0/28",
    )
    assert portgate("pbx", *words, "--plan").exit_code == 2
    assert portgate("pbx", *words).exit_code == 0
    with pytest.raises(PortgateError, match="there is a PBX 'cloud' already"):
        portgate("pbx", *words)
    with pytest.raises(PortgateError, match="is no network"):
        portgate("pbx", "add", "other", "sip:192.0.2.12", "--source", "pbx.example")
    with pytest.raises(PortgateError, match="not a SIP address"):
        portgate("pbx", "add", "other", "192.0.2.12")
    assert portgate("pbx", "swap", "old", "cloud", "--city", "Ufa").exit_code == 0
    (row,) = [row for row in portgate.json("pbx", "list")["pbxs"] if row["name"] == "cloud"]
    assert (row["numbers"], len(row["addresses"])) == (10, 2)


def test_lock_in_tells_what_would_be_lost(portgate: Portgate) -> None:
    found = portgate.json("lockin", "old")

    numbers = [one["e164"] for one in found["numbers"]]
    assert set(OF_KAZAN[:6]) < set(numbers) and not set(OF_KAZAN[6:]) & set(numbers)
    contracts = {one["name"]: one["numbers"] for one in found["contracts"]}
    assert contracts["Old PBX, numbers in Kazan"] == 6
    assert sum(contracts.values()) == len(numbers) and found["exit_percent"] == 0
    assert found["monthly_cost"] is None and "prices" in found["monthly_cost_reason"]
    portgate("numbers", "state", *OF_KAZAN[:3], "released")
    found = portgate.json("lockin", "old")
    assert len(found["numbers"]) == len(numbers) - 3
    assert found["exit_percent"] == round(100 * 3 / len(numbers), 1)
    assert [one["e164"] for one in found["left"]] == OF_KAZAN[:3]
    assert all(one["at"].endswith("Z") for one in found["left"])
    assert portgate.json("lockin", "new")["exit_percent"] == 100


# -- what calls notice ----------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_preparing_is_invisible_and_the_flip_moves_all_at_once(
    host: Host, sql: Connection
) -> None:
    async with host.running():
        plan = await planned(sql)
        move = await moves.prepare(sql, plan)
        assert await moves.published(sql)
        # Redis has it; the mirror of this host is at most 25 ms behind.
        gathered = await sql.fetchval("SELECT group_id FROM moves WHERE id = $1", move)
        await until(lambda: _groups(host) == {gathered})
        assert _snapshot_is(host, "old")
        numbers = dict(host.view().numbers())

        applied = await moves.flip(sql, "anna", move)

        await until(lambda: host.pbx_of(OF_KAZAN[0]) == "new")
        assert _snapshot_is(host, "new"), "one pointer: none of them lags behind"
        assert dict(host.view().numbers()) == numbers
        assert host.pbx_of("+73472660000") == "old"
        await taking_back.undo(sql, "anna", applied.undo)
        await until(lambda: _snapshot_is(host, "old"))
        assert dict(host.view().numbers()) == numbers


def _groups(host: Host) -> set[int]:
    return {group_of(host.view().number(int(number[1:]))) for number in OF_KAZAN}


def _snapshot_is(host: Host, pbx: str) -> bool:
    return {host.pbx_of(number) for number in OF_KAZAN} == {pbx}


@pytest.mark.asyncio
async def test_a_share_takes_its_part_of_the_calls_grows_and_becomes_a_swap(
    host: Host, sql: Connection
) -> None:
    number = E164(OF_KAZAN[0][1:])

    def taken() -> list[str]:
        directory = host.directory()
        peer = Peer(Side.CARRIER, "volga_city", "kazan")
        verdicts = [decide(Call(peer, number, lot=lot), directory) for lot in range(100)]
        assert all(isinstance(one, ToPbx) for one in verdicts)
        return [one.pbx for one in verdicts if isinstance(one, ToPbx)]

    async def share(percent: int) -> None:
        request = Move("new", KAZAN, percent)
        plan = moves.plan("anna", request, await moves.read(sql, request, None))
        await moves.apply(sql, plan)

    async with host.running():
        await share(20)
        await until(lambda: taken() == ["new"] * 20 + ["old"] * 80)
        groups = await sql.fetchval("SELECT count(*) FROM attachment_groups")
        await share(50)
        await until(lambda: taken().count("new") == 50)
        assert await sql.fetchval("SELECT count(*) FROM attachment_groups") == groups
        await moves.apply(sql, await planned(sql))
        await until(lambda: taken() == ["new"] * 100)
        await taking_back.undo(sql, "anna")
        await until(lambda: taken().count("new") == 50)
        await taking_back.undo(sql, "anna")
        await until(lambda: taken().count("new") == 20)
        await share(0)
        await until(lambda: taken() == ["old"] * 100)
        assert dict(host.view().groups()) == (await read_all(sql)).groups


@pytest.mark.asyncio
async def test_a_flip_is_refused_where_its_numbers_or_its_pointer_moved_meanwhile(
    sql: Connection, dsn: str
) -> None:
    move = await moves.prepare(sql, await planned(sql))
    await sql.execute("UPDATE numbers SET group_id = NULL WHERE e164 = $1", int(OF_KAZAN[4][1:]))
    with pytest.raises(ConflictError, match="1 of its numbers went elsewhere"):
        await moves.verify(sql, move)
    plan = await planned(sql)
    assert len(plan.changes) == 9
    assert await moves.prepare(sql, plan) == move, "the same question goes on with the same move"
    await moves.verify(sql, move)
    await sql.execute("UPDATE attachment_groups SET pbx_id = 2 WHERE name LIKE 'swap old new%'")
    with pytest.raises(ConflictError, match="points elsewhere by now"):
        await moves.flip(sql, "anna", move)


@pytest.mark.asyncio
async def test_what_moved_on_is_not_flipped_back(sql: Connection) -> None:
    done = await moves.apply(sql, await planned(sql))
    await sql.execute("UPDATE attachment_groups SET pbx_id = 1 WHERE name LIKE 'swap old new%'")
    with pytest.raises(ConflictError, match="was moved again since"):
        await taking_back.undo(sql, "anna", done.undo)


_KILLED = """
import asyncio, os, signal, sys
from number_registry.operations import moves
from number_registry.operations.move_plan import Move
from number_registry.operations.selection import Selection
from number_registry.store.pool import connect

async def main():
    connection = await connect(sys.argv[1])
    moves.BATCH = 3
    request = Move("new", Selection(city="Kazan"))
    plan = moves.plan("anna", request, await moves.read(connection, request, "old"))
    def progress(what, done, total):
        if done == 6:
            os.kill(os.getpid(), signal.SIGKILL)
    await moves.prepare(connection, plan, progress)

asyncio.run(main())
"""


@pytest.mark.asyncio
async def test_preparing_goes_on_where_it_was_killed(sql: Connection, dsn: str) -> None:
    command = [sys.executable, "-c", _KILLED, dsn]
    env = {**os.environ, "PYTHONPATH": str(REPO)}
    killed = await asyncio.to_thread(subprocess.run, command, env=env)
    assert killed.returncode == -signal.SIGKILL
    in_group = "SELECT count(*) FROM numbers n JOIN moves m ON m.group_id = n.group_id"
    assert await sql.fetchval(in_group) == 6
    seen: list[int] = []

    move = await moves.prepare(sql, await planned(sql), lambda _, done, total: seen.append(done))

    assert await sql.fetchval(in_group) == 10
    assert await sql.fetchval("SELECT count(*) FROM moves") == 1
    again = await connect(dsn)
    await moves.verify(again, move)
    assert (await moves.flip(again, "anna", move)).changes == 10
    await again.close()
