"""Puts the desk together for the daemon: its verbs and what they need; no logic."""

from __future__ import annotations

import asyncio

from gateway.calls.live import Live
from gateway.desk.arrivals import Arrivals
from gateway.desk.ring import Person, Ring
from gateway.desk.socket import DeskError, serve
from gateway.desk.transfer import Transfer
from gateway.home import Home
from number_registry.errors import PortgateError
from number_registry.operations import pbxs
from number_registry.pbx_profile import Profile
from number_registry.store.pool import connect
from number_registry.store.queries import SQL


async def run(home: Home, live: Live, arrivals: Arrivals, stop: asyncio.Event) -> None:
    """Take what people ask until ``stop``."""

    async def profile(pbx: str) -> Profile:
        try:
            connection = await connect(home.postgres_dsn)
            try:
                return (await pbxs.read(connection, pbx)).profile
            finally:
                await connection.close()
        except PortgateError as error:
            raise DeskError(str(error)) from error
        except OSError as error:
            raise DeskError("the registry does not answer", "See: ./portgate status") from error

    async def person(extension: str) -> Person:
        try:
            connection = await connect(home.postgres_dsn)
            try:
                row = await connection.fetchrow(SQL["who_is_rung"], extension)
            finally:
                await connection.close()
        except OSError as error:
            raise DeskError("the registry does not answer", "See: ./portgate status") from error
        if row is None:
            raise DeskError(f"nobody has the extension {extension}", "")
        return Person(extension, row["pbx"] or "", row["has_sim"])

    ring = Ring(arrivals, person, profile, home.pbx_secrets)
    transfer = Transfer(lambda: live.calls, arrivals, profile, home.pbx_secrets)
    await serve(home.desk_socket, {"transfer": transfer.verb, "ring": ring.verb}, stop)
