"""Opens connections to the registry's database as the rest expects them; it runs no query."""

from __future__ import annotations

import json
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool
Record: TypeAlias = asyncpg.Record

CONNECT_S = 3.0


async def prepare(connection: Connection) -> None:
    """jsonb arrives as Python values."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads
    )


async def open_pool(dsn: str, size: int = 4, name: str = "portgate") -> Pool:
    """A pool of at most ``size`` connections; ``name`` is what pg_stat_activity shows.

    Raises OSError when nobody listens there.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        timeout=CONNECT_S,
        init=prepare,
        server_settings={"application_name": name},
    )


async def connect(dsn: str, name: str = "portgate") -> Connection:
    """One connection of one's own: for listening, and for locks that last as long as it does."""
    connection = await asyncpg.connect(
        dsn, timeout=CONNECT_S, server_settings={"application_name": name}
    )
    await prepare(connection)
    return connection
