"""The mapped snapshot of a host: one writer, a heart that beats, and a new file whenever the old
one will not do.
"""

from __future__ import annotations

import mmap

import pytest
from redis.asyncio import Redis

from gateway.snapshot_file import SnapshotLockedError
from number_registry import cache_layout as layout
from number_registry.errors import CacheCorruptError
from number_registry.model import Scenario
from number_registry.publish.redis_copy import standing
from number_registry.snapshot import SnapshotTable
from number_registry.store.pool import Connection
from number_registry.store.truth import read_all

from .conftest import Host, until

pytestmark = pytest.mark.asyncio
NUMBER = "+74951230003"
E164 = 74951230003


async def test_a_second_host_follows_the_same_redis(host: Host, sql: Connection) -> None:
    other = Host(host.dsn, host.redis_url, host.folder.with_name("other"))
    async with host.running(), other.running(publisher=False):
        before = other.view().number(E164)
        await sql.execute("UPDATE numbers SET scenario = 'direct' WHERE e164 = $1", E164)
        await until(lambda: other.view().number(E164) != before)
        await until(other.fresh)
        await until(lambda: host.view().number(E164) == other.view().number(E164))


async def test_a_snapshot_has_one_writer(host: Host) -> None:
    intruder = Host(host.dsn, host.redis_url, host.folder)
    async with host.running():
        with pytest.raises(SnapshotLockedError):
            await intruder.mirror.run()


async def test_the_heart_beats_while_the_copy_is_followed(host: Host) -> None:
    async with host.running():
        await until(host.fresh)
        first = host.view().heartbeat_age_s(2**62)
        await until(lambda: host.view().heartbeat_age_s(2**62) < first)  # a later beat is younger


async def test_a_restarted_mirror_goes_on_with_the_file_it_had(host: Host, sql: Connection) -> None:
    async with host.running():
        build = host.view().build
    again = Host(host.dsn, host.redis_url, host.folder)
    async with again.running():
        before = again.view().number(E164)
        await sql.execute("UPDATE numbers SET scenario = 'direct' WHERE e164 = $1", E164)
        await until(lambda: again.view().number(E164) != before)
        assert again.view().build == build


async def test_a_damaged_snapshot_on_disk_is_built_anew(host: Host, sql: Connection) -> None:
    async with host.running():
        pass
    path = host.folder / "numbers.map"
    path.write_bytes(b"\xff" * path.stat().st_size)
    again = Host(host.dsn, host.redis_url, host.folder)
    async with again.running():
        assert dict(again.view().numbers()) == dict((await read_all(sql)).pairs())


@pytest.mark.parametrize("damage", [b"", b"portgate-directory 1 5\n{}"])
async def test_a_damaged_directory_on_disk_is_written_anew(host: Host, damage: bytes) -> None:
    async with host.running():
        pass
    (host.folder / "directory.json").write_bytes(damage)
    with pytest.raises(CacheCorruptError):
        host.directory()
    worker = host.view()
    again = Host(host.dsn, host.redis_url, host.folder)
    async with again.running():
        await until(lambda: worker.superseded)  # a worker that had the old file learns of the new
        assert again.pbx_of(NUMBER) == "old"


@pytest.mark.parametrize("damage", ["the map is gone", "the directory is gone", "the head"])
async def test_what_is_damaged_while_it_is_followed_is_built_anew(host: Host, damage: str) -> None:
    """A SIP worker that starts now must find a whole snapshot, not wait for the next restart."""
    async with host.running():
        await until(host.fresh)
        build = host.view().build
        if damage == "the head":
            with (host.folder / "numbers.map").open("r+b") as file:
                file.write(bytes(8))
        else:
            name = "numbers.map" if damage == "the map is gone" else "directory.json"
            (host.folder / name).unlink()
        map_file = host.folder / "numbers.map"  # gone for a moment, by our own doing
        await until(lambda: map_file.exists() and usable(host) and host.view().build != build)
        assert host.pbx_of(NUMBER) == "old"


def usable(host: Host) -> bool:
    """Whether both files can be read now."""
    try:
        host.view()
        host.directory()
    except (OSError, CacheCorruptError):
        return False
    return True


async def test_a_file_whose_writer_died_before_the_rename_is_in_force_again(host: Host) -> None:
    async with host.running():
        pass
    worker = host.view()
    with (host.folder / "numbers.map").open("r+b") as file:
        mapped = mmap.mmap(file.fileno(), 0)
    SnapshotTable(memoryview(mapped)).supersede()
    assert worker.superseded
    async with Host(host.dsn, host.redis_url, host.folder).running():
        assert not worker.superseded


async def test_a_mirror_that_lost_its_place_builds_anew(
    host: Host, sql: Connection, redis: Redis
) -> None:
    async with host.running():
        build = host.view().build
    other = Host(host.dsn, host.redis_url, host.folder.with_name("other"))
    async with other.running():
        await sql.execute("UPDATE numbers SET scenario = 'direct' WHERE e164 = $1", E164)
        await until(lambda: (r := other.route(NUMBER)) and r.scenario is Scenario.DIRECT)
        newest = (await redis.xrevrange(layout.FEED_KEY, count=1))[0][0]
        await redis.xtrim(layout.FEED_KEY, minid=newest, approximate=False)
    assert (await standing(redis)).whole
    again = Host(host.dsn, host.redis_url, host.folder)
    async with again.running(publisher=False):
        await until(lambda: (r := again.route(NUMBER)) and r.scenario is Scenario.DIRECT)
        assert again.view().build != build
