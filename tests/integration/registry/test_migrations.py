"""Migrations reach the schema that is written down, run once, and refuse to be rewritten."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from gateway.private_services import PrivateServices
from number_registry.store.migrations import MigrationError, migrate
from number_registry.store.queries import SQL_FOLDER

FILES = sorted(path.stem for path in (SQL_FOLDER / "migrations").glob("*.sql"))


@pytest.fixture
def blank(services: PrivateServices) -> str:
    """The name of a database without any table."""

    async def make() -> str:
        connection = await asyncpg.connect(services.dsn("postgres"))
        number = await connection.fetchval("SELECT count(*) FROM pg_database")
        await connection.execute(f"CREATE DATABASE blank_{number}")
        await connection.close()
        return f"blank_{number}"

    return asyncio.run(make())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the migrations that a test may change."""
    return shutil.copytree(SQL_FOLDER / "migrations", tmp_path / "migrations")


@pytest.mark.asyncio
async def test_migrations_reach_the_schema_that_is_written_down(
    services: PrivateServices, blank: str, empty_dsn: str, dump: Callable[[str], str]
) -> None:
    connection = await asyncpg.connect(services.dsn(blank))
    await connection.execute((SQL_FOLDER / "schema.sql").read_text("utf-8"))
    await connection.close()
    written, reached = dump(blank), dump("template_empty")
    assert "CREATE TABLE public.numbers" in written
    assert reached == written


@pytest.mark.asyncio
async def test_a_second_run_changes_nothing(services: PrivateServices, blank: str) -> None:
    assert await migrate(services.dsn(blank)) == FILES
    assert await migrate(services.dsn(blank)) == []


@pytest.mark.asyncio
async def test_two_that_start_at_once_run_each_migration_once(
    services: PrivateServices, blank: str
) -> None:
    ran = await asyncio.gather(*(migrate(services.dsn(blank)) for _ in range(4)))
    assert sorted(ran) == [[], [], [], FILES]


@pytest.mark.asyncio
async def test_a_migration_that_was_edited_after_it_ran_is_refused(
    services: PrivateServices, blank: str, folder: Path
) -> None:
    await migrate(services.dsn(blank), folder)
    first = folder / f"{FILES[0]}.sql"
    first.write_text(first.read_text("utf-8") + "\n-- one more thought\n", "utf-8")
    with pytest.raises(MigrationError, match=f"{FILES[0]} was edited"):
        await migrate(services.dsn(blank), folder)


@pytest.mark.asyncio
async def test_a_database_of_a_newer_release_is_refused(
    services: PrivateServices, blank: str, folder: Path
) -> None:
    (folder / "9999_future.sql").write_text("CREATE TABLE future ();", "utf-8")
    await migrate(services.dsn(blank), folder)
    with pytest.raises(MigrationError, match="9999_future has run here"):
        await migrate(services.dsn(blank))


@pytest.mark.asyncio
async def test_a_migration_that_comes_too_late_is_refused(
    services: PrivateServices, blank: str, folder: Path
) -> None:
    await migrate(services.dsn(blank), folder)
    (folder / "0000_late.sql").write_text("CREATE TABLE late ();", "utf-8")
    with pytest.raises(MigrationError, match="give it a later number"):
        await migrate(services.dsn(blank), folder)


@pytest.mark.asyncio
async def test_one_that_fails_leaves_nothing_behind_and_names_itself(
    services: PrivateServices, blank: str, folder: Path
) -> None:
    (folder / "9999_broken.sql").write_text("CREATE TABLE half (); SELECT 1/0;", "utf-8")
    with pytest.raises(asyncpg.DivisionByZeroError) as caught:
        await migrate(services.dsn(blank), folder)
    assert caught.value.__notes__ == ["in migration 9999_broken"]
    assert await migrate(services.dsn(blank)) == FILES
