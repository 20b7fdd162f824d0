"""Asks PostgreSQL by named queries, and says "away" instead of waiting when it does not serve."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from admin_api.problems import registry_away
from number_registry.store.pool import Pool, open_pool
from number_registry.store.queries import SQL

ANSWER_S = 3.0
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,
)


class Database:
    """A pool that is opened when first needed: the API starts, and says so, without PostgreSQL."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._pool: Pool | None = None
        self._opening = asyncio.Lock()

    async def rows(self, query: str, *arguments: Any) -> list[dict[str, Any]]:
        """All rows of a named query. Raises Problem 503 when PostgreSQL does not serve."""
        try:
            async with asyncio.timeout(ANSWER_S):
                pool = await self._opened()
                return [dict(row) for row in await pool.fetch(SQL[query], *arguments)]
        except _AWAY as error:
            raise registry_away() from error
        except asyncpg.InterfaceError as error:
            # Also said, as a ValueError, for an argument of a wrong type: that is our fault.
            if isinstance(error, ValueError):
                raise
            raise registry_away() from error

    async def row(self, query: str, *arguments: Any) -> dict[str, Any] | None:
        """The first row, or None."""
        found = await self.rows(query, *arguments)
        return found[0] if found else None

    async def close(self) -> None:
        """Nothing more will be asked."""
        if self._pool is not None:
            self._pool.terminate()

    async def _opened(self) -> Pool:
        async with self._opening:
            if self._pool is None:
                self._pool = await open_pool(self._dsn, 4, "portgate api")
        return self._pool
