"""Rules that hold whoever writes: moves between states, two live tenancies, history."""

from __future__ import annotations

from itertools import product
from typing import Any

import asyncpg
import pytest

from number_registry.model import ALLOWED_MOVES, State
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

pytestmark = pytest.mark.asyncio
NUMBER = 74951230003


async def tenancy(sql: Connection, state: str, contract: str = "northline", slot: int = 1) -> int:
    """A tenancy of a number of its own, in this state."""
    await sql.execute(
        "INSERT INTO numbers (e164, city_id) VALUES (74959990000, 1) ON CONFLICT DO NOTHING"
    )
    return int(
        await sql.fetchval(
            "INSERT INTO tenancies (e164, contract_id, state, slot)"
            " SELECT 74959990000, o.id, $1, $3"
            " FROM contracts o JOIN carriers c ON c.id = o.carrier_id WHERE c.name = $2"
            " ORDER BY o.id LIMIT 1 RETURNING id",
            state, contract, slot,
        )
    )  # fmt: skip


async def test_the_database_allows_exactly_the_moves_that_the_model_allows(sql: Connection) -> None:
    for old, new in product(State, State):
        if old is new:
            continue
        allowed = await sql.fetchval("SELECT state_move_allowed($1, $2)", old.label, new.label)
        assert allowed == (new in ALLOWED_MOVES[old]), f"{old.label} -> {new.label}"


async def test_a_reserved_number_cannot_be_suspended(sql: Connection) -> None:
    identity = await tenancy(sql, "reserved")
    with pytest.raises(asyncpg.CheckViolationError, match="reserved cannot become suspended"):
        await sql.execute("UPDATE tenancies SET state = 'suspended' WHERE id = $1", identity)


async def test_a_move_is_dated(sql: Connection) -> None:
    identity = await tenancy(sql, "reserved")
    await sql.execute("UPDATE tenancies SET state_since = '2020-01-01' WHERE id = $1", identity)
    await sql.execute("UPDATE tenancies SET state = 'in_service' WHERE id = $1", identity)
    since = await sql.fetchval("SELECT state_since FROM tenancies WHERE id = $1", identity)
    assert since.year > 2020


async def test_a_number_that_moves_has_two_live_tenancies(sql: Connection) -> None:
    await tenancy(sql, "porting_out")
    await tenancy(sql, "porting_in", "volga_city", slot=2)
    assert await sql.fetchval("SELECT count(*) FROM tenancies WHERE e164 = 74959990000") == 2


async def test_a_third_live_tenancy_is_refused(sql: Connection) -> None:
    await tenancy(sql, "porting_out")
    await tenancy(sql, "porting_in", "volga_city", slot=2)
    third = await sql.fetchval(
        "INSERT INTO contracts (name, carrier_id) VALUES ('third', 1) RETURNING id"
    )
    for slot in (1, 2):
        with pytest.raises(asyncpg.UniqueViolationError, match="at_most_two_live_tenancies"):
            await sql.execute(
                "INSERT INTO tenancies (e164, contract_id, slot) VALUES (74959990000, $1, $2)",
                third,
                slot,
            )


async def test_a_second_contract_in_service_is_refused(sql: Connection) -> None:
    first = await tenancy(sql, "in_service")
    with pytest.raises(asyncpg.CheckViolationError, match="under two contracts"):
        await tenancy(sql, "in_service", "volga_city", slot=2)
    second = await tenancy(sql, "porting_in", "volga_city", slot=2)
    into = "UPDATE tenancies SET state = 'in_service' WHERE id = $1"
    with pytest.raises(asyncpg.CheckViolationError, match="under two contracts"):
        await sql.execute(into, second)
    await sql.execute("UPDATE tenancies SET state = 'porting_out' WHERE id = $1", first)
    await sql.execute(into, second)


async def test_a_released_tenancy_makes_room(sql: Connection) -> None:
    first = await tenancy(sql, "porting_out")
    await tenancy(sql, "in_service", "volga_city", slot=2)
    await sql.execute("UPDATE tenancies SET state = 'released' WHERE id = $1", first)
    third = await sql.fetchval(
        "INSERT INTO contracts (name, carrier_id) VALUES ('third', 1) RETURNING id"
    )
    await sql.execute("INSERT INTO tenancies (e164, contract_id) VALUES (74959990000, $1)", third)
    live = await sql.fetchval(
        "SELECT count(*) FROM tenancies WHERE e164 = 74959990000 AND state < 'released'"
    )
    assert live == 2


async def story(sql: Connection, number: int = NUMBER) -> list[tuple[Any, ...]]:
    rows = await sql.fetch(SQL["number_timeline"], number)
    return [(row["field"], row["before"], row["after"], row["actor"]) for row in rows]


async def test_every_change_of_a_number_is_in_its_story_with_who_did_it(sql: Connection) -> None:
    await sql.execute("SELECT set_config('portgate.actor', 'marina', false)")
    await sql.execute("UPDATE tenancies SET state = 'suspended' WHERE e164 = $1", NUMBER)
    await sql.execute("UPDATE numbers SET scenario = 'direct' WHERE e164 = $1", NUMBER)
    await sql.execute("UPDATE numbers SET scenario = 'direct' WHERE e164 = $1", NUMBER)
    assert await story(sql) == [
        ("state", "in_service", "suspended", "marina"),
        ("scenario", "script", "direct", "marina"),
    ]


async def test_the_story_tells_of_pbxs_while_the_number_was_in_the_group(sql: Connection) -> None:
    swap = (
        "UPDATE attachment_groups SET pbx_id = (SELECT id FROM pbxs WHERE name = $1)"
        " WHERE name = $2"
    )
    move = (
        "UPDATE numbers SET group_id = (SELECT id FROM attachment_groups WHERE name = $1)"
        " WHERE e164 = $2"
    )
    await sql.execute(swap, "old", "moscow-advertising")  # before the number was there
    await sql.execute(swap, "new", "moscow")
    await sql.execute(move, "moscow-advertising", NUMBER)
    await sql.execute(swap, "old", "moscow")  # after it had left
    await sql.execute(swap, "new", "moscow-advertising")
    told = [(what, before, after) for what, before, after, _ in await story(sql)]
    groups = dict(await sql.fetch("SELECT name, id::text FROM attachment_groups"))
    assert told == [
        ("pbx", "old", "new"),
        ("group", groups["moscow"], groups["moscow-advertising"]),
        ("pbx", "old", "new"),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO numbers (e164, city_id) VALUES (123456, 1)",
        "INSERT INTO carriers (name) VALUES ('Not A File Name')",
        "INSERT INTO pbx_addresses (pbx_id, uri) VALUES (1, 'http://192.0.2.1')",
        "INSERT INTO extensions (extension, person_id, site_id) VALUES ('12x', 1, 1)",
        "INSERT INTO emergency_numbers (digits) VALUES ('+112')",
    ],
)
async def test_what_cannot_be_is_refused(sql: Connection, statement: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await sql.execute(statement)


async def test_a_pbx_that_answers_for_numbers_cannot_be_deleted(sql: Connection) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await sql.execute("DELETE FROM pbxs WHERE name = 'old'")


async def test_a_very_large_change_asks_once_for_everything(sql: Connection) -> None:
    await sql.execute("DELETE FROM publish_changes")
    await sql.execute(
        "INSERT INTO numbers (e164, city_id)"
        " SELECT 79000000000 + i, 1 FROM generate_series(1, 50001) i"
    )
    assert [tuple(row) for row in await sql.fetch("SELECT kind, key FROM publish_changes")] == [
        (b"a", 0)
    ]
