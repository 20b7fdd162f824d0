"""What is to be published is taken out in order, in portions, whatever the database believes of how
much there is.
"""

from __future__ import annotations

import asyncio

import pytest

from number_registry.publish import outbox
from number_registry.publish.outbox import AT_ONCE
from number_registry.store.pool import Connection

pytestmark = pytest.mark.asyncio

FLOOD = 400_000


async def test_a_flood_of_changes_is_taken_as_quickly_as_a_few(sql: Connection) -> None:
    """The plan of the question was made when the outbox was empty, as it nearly always is."""
    await sql.execute("DELETE FROM publish_changes")
    await sql.execute("ANALYZE publish_changes")
    for _ in range(10):
        async with outbox.taken(sql) as batch:
            assert batch.empty
    await sql.execute(
        "INSERT INTO publish_changes (kind, key) SELECT 'n', n FROM generate_series(1, $1) n", FLOOD
    )
    async with asyncio.timeout(10):
        async with outbox.taken(sql) as batch:
            assert len(batch.changes) == AT_ONCE
    left = await sql.fetchrow("SELECT count(*), min(key) FROM publish_changes")
    assert tuple(left) == (FLOOD - AT_ONCE, AT_ONCE + 1)
