"""What the list commands share: asking the registry of the running stack, and a table for people;
no command lives here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import click

from gateway.home import Home


def ask(home: Home, query: str) -> list[dict[str, Any]]:
    """Rows of a named query. Raises NotRunning when PostgreSQL does not answer."""
    return asyncio.run(_ask(home, query))


async def _ask(home: Home, query: str) -> list[dict[str, Any]]:
    from gateway.stack.problems import NotRunning, Problem
    from number_registry.store.pool import connect
    from number_registry.store.queries import SQL

    try:
        connection = await connect(home.postgres_dsn, "portgate list")
    except OSError as error:
        problem = Problem("the registry does not answer", str(error), "Run: ./portgate up")
        raise NotRunning(problem) from error
    try:
        return [dict(row) for row in await connection.fetch(SQL[query])]
    finally:
        await connection.close()


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their longest cell; titles in bold on a terminal only."""
    widths = [max(len(cell) for cell in column) for column in zip(titles, *rows, strict=True)]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(
            cell.ljust(width) for cell, width in zip(cells, widths, strict=True)
        ).rstrip()

    click.echo(click.style(line(titles), bold=True))
    for row in rows:
        click.echo(line(row))
