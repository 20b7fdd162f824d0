"""A private PostgreSQL and Redis for this folder, and an empty database for each test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import asyncpg
import pytest

from gateway.private_services import PrivateServices, private_services
from number_registry.store.migrations import migrate

_numbers = count(1)


async def _make_template(services: PrivateServices) -> None:
    connection = await asyncpg.connect(services.dsn("postgres"))
    await connection.execute("CREATE DATABASE template_calls")
    await connection.close()
    await migrate(services.dsn("template_calls"))


async def _make_database(services: PrivateServices, name: str) -> None:
    connection = await asyncpg.connect(services.dsn("postgres"))
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template_calls")
    await connection.close()


@pytest.fixture(scope="session")
def services() -> Iterator[PrivateServices]:
    with private_services(durable=False) as found:
        asyncio.run(_make_template(found))
        yield found


@pytest.fixture
def dsn(services: PrivateServices) -> str:
    """An empty database at the newest schema."""
    name = f"calls_{next(_numbers)}"
    asyncio.run(_make_database(services, name))
    return services.dsn(name)
