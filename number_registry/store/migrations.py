"""Brings a database to the state of sql/schema.sql by numbered files; it never undoes one."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from number_registry.errors import AbortError
from number_registry.store.pool import Connection, connect
from number_registry.store.queries import SQL_FOLDER

LOCK = 0x706F7274  # "port": one migrator at a time, whoever starts first
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)"""


class MigrationError(AbortError):
    """A migration that has run is not the file that lies here, or is gone."""


async def migrate(dsn: str, folder: Path = SQL_FOLDER / "migrations") -> list[str]:
    """Run what has not run yet, all or nothing; the names of those files, often none.

    Raises MigrationError when a file was edited after it ran, and asyncpg.PostgresError with the
    file's name as a note when one does not run.
    """
    connection = await connect(dsn, "portgate migrate")
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            return await _run(connection, folder)
    finally:
        await connection.close()


async def _run(connection: Connection, folder: Path) -> list[str]:
    await connection.execute("SET LOCAL client_min_messages = warning")
    await connection.execute(_TABLE)
    files = {path.stem: path.read_text("utf-8") for path in sorted(folder.glob("*.sql"))}
    done = dict(await connection.fetch("SELECT name, checksum FROM schema_migrations"))
    for name, checksum in done.items():
        if name not in files:
            raise MigrationError(
                f"{name} has run here, but {folder} has no such file: this release is too old"
            )
        if _checksum(files[name]) != checksum:
            raise MigrationError(
                f"{name} was edited after it had run: restore it and write a new migration"
            )
    fresh = [name for name in files if name not in done]
    if done and fresh and min(fresh) < max(done):
        raise MigrationError(
            f"{min(fresh)} comes before {max(done)}, which has run: give it a later number"
        )
    for name in fresh:
        try:
            await connection.execute(files[name])
        except Exception as error:
            error.add_note(f"in migration {name}")
            raise
        await connection.execute(
            "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)",
            name,
            _checksum(files[name]),
        )
    return fresh


def _checksum(text: str) -> str:
    return sha256(text.encode()).hexdigest()
