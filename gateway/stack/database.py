"""Makes PostgreSQL's cluster, role and database when missing; knows nothing of tables."""

from __future__ import annotations

import asyncio
import shutil

from gateway.home import Home
from gateway.stack.folders import POSTGRES
from gateway.stack.problems import Problem, StackError
from gateway.stack.services import postgresql_bin


async def make_cluster(home: Home) -> bool:
    """initdb, beside and then renamed, so that one cut short is never taken for a cluster."""
    if home.postgresql_data.exists():
        return False
    beside = home.path / "postgresql.new"
    if beside.exists():
        shutil.rmtree(beside)
    beside.mkdir(mode=0o700)
    shutil.chown(beside, POSTGRES, POSTGRES)
    process = await asyncio.create_subprocess_exec(
        "/usr/bin/setpriv", "--reuid", POSTGRES, "--regid", POSTGRES, "--init-groups", "--",
        str(postgresql_bin() / "initdb"), "-D", str(beside), "-U", "postgres", "--auth=peer",
        "--encoding=UTF8", "--locale=C.UTF-8",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd="/",
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode != 0:
        why = output.decode(errors="replace").strip().splitlines()[-1:]
        raise StackError(
            Problem(
                "PostgreSQL's files could not be made",
                " ".join(why),
                f"Mend that; nothing was left but {beside}",
            )
        )
    beside.rename(home.postgresql_data)
    return True


async def make_database(home: Home) -> bool:
    """The role and the database `portgate`."""
    import asyncpg

    connection = await asyncpg.connect(
        host=str(home.postgresql_socket_dir), user="postgres", database="postgres"
    )
    try:
        made = False
        if not await connection.fetchval("select 1 from pg_roles where rolname = 'portgate'"):
            await connection.execute("create role portgate login createdb")
            made = True
        if not await connection.fetchval("select 1 from pg_database where datname = 'portgate'"):
            await connection.execute("create database portgate owner portgate")
            made = True
        return made
    finally:
        await connection.close()
