"""Deals as rows, for stories about how they are published; people open them by commands."""

from __future__ import annotations

from number_registry.e164 import E164
from number_registry.store.pool import Connection

CITY = 78432220000


async def open_deal(
    sql: Connection, id: str, *parties: tuple[E164, ...], agent: str = "203", auto: bool = False
) -> int:
    """The deal's key in its table."""
    async with sql.transaction():
        key: int = await sql.fetchval(
            "INSERT INTO deals (id, agent, city, auto_connect, source, opened_by)"
            " VALUES ($1, $2, $3, $4, 'crm', 'test') RETURNING key",
            id, agent, CITY, auto,
        )  # fmt: skip
        for party, numbers in enumerate(parties, 1):
            for position, number in enumerate(numbers, 1):
                await sql.execute(
                    "INSERT INTO deal_parties (deal_key, party, position, number)"
                    " VALUES ($1, $2, $3, $4)",
                    key, party, position, int(number),
                )  # fmt: skip
    return key


async def close_deal(sql: Connection, id: str, how: str = "closed") -> None:
    await sql.execute(
        "UPDATE deals SET closed_at = now(), closed_how = $2, closed_by = 'test',"
        " reusable_from = now() + interval '30 days' WHERE id = $1 AND released_at IS NULL",
        id, how,
    )  # fmt: skip


async def release_deal(sql: Connection, id: str) -> None:
    await sql.execute(
        "UPDATE deals SET released_at = now() WHERE id = $1 AND released_at IS NULL", id
    )
