"""PBXs: adding one, suspending and resuming it; moving numbers between them is in moves.py."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from number_registry.errors import BadValueError, RefuseError
from number_registry.model import Address
from number_registry.operations import ledger
from number_registry.operations.selection import known, names
from number_registry.operations.values import Applied
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

DID_FORMATS = ("plus", "digits")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


@dataclass(frozen=True, slots=True)
class NewPbx:
    """A PBX to add: addresses in the order to try; the networks that its calls come from."""

    name: str
    addresses: tuple[str, ...]
    sources: tuple[str, ...] = ()
    did_format: str = "plus"


@dataclass(frozen=True, slots=True)
class PbxPlan:
    """What would be written. ``state`` is set where only that changes, ``empty`` where nothing."""

    actor: str
    verb: str
    pbx: str
    new: NewPbx | None = None
    state: str = ""
    empty: bool = False

    @property
    def summary(self) -> str:
        if self.new is None:
            return f"PBX {self.pbx} {'goes on being' if self.empty else 'becomes'} {self.state}"
        return f"PBX {self.pbx} at {', '.join(self.new.addresses)}"


def plan_add(actor: str, request: NewPbx, there: frozenset[str]) -> PbxPlan:
    """A new PBX, its values checked. Without sources they are the hosts of its addresses.

    Raises BadValueError with the value that is wrong, RefuseError when the name is taken.
    """
    if request.name in there:
        raise RefuseError(f"there is a PBX {request.name!r} already")
    if not _NAME.fullmatch(request.name):
        raise BadValueError(f"{request.name!r} is no name: a-z, 0-9, _ . - are expected")
    if not request.addresses:
        raise BadValueError("a PBX needs an address, for instance sip:192.0.2.10:5060")
    if request.did_format not in DID_FORMATS:
        raise BadValueError(f"{request.did_format!r} is none of {', '.join(DID_FORMATS)}")
    hosts = [Address.parse(uri).host for uri in request.addresses]
    networks = tuple(_network(text) for text in request.sources or hosts)
    checked = NewPbx(request.name, request.addresses, networks, request.did_format)
    return PbxPlan(actor, "pbx add", request.name, checked)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip("[]")))
    except ValueError as error:
        raise BadValueError(
            f"{text!r} is no network ({error}); name them with --source, as 192.0.2.0/28"
        ) from error


def plan_state(actor: str, pbx: str, state: str, now: str) -> PbxPlan:
    """Suspending or resuming a PBX that is `now`."""
    verb = "pbx suspend" if state == "suspended" else "pbx resume"
    return PbxPlan(actor, verb, pbx, None, state, state == now)


async def read_names(connection: Connection) -> frozenset[str]:
    """The PBXs that there are."""
    return (await names(connection)).pbxs


async def read_state(connection: Connection, pbx: str) -> str:
    """in_service or suspended. Raises UnknownError."""
    known("PBX", pbx, await read_names(connection))
    return str((await connection.fetchrow(SQL["move_pbx"], pbx))["state"])


async def apply(connection: Connection, plan: PbxPlan) -> Applied:
    """Do it. A PBX is suspended and resumed by these verbs, so there is no other undo."""
    if plan.empty:
        return Applied(None, plan.summary)
    async with connection.transaction():
        await ledger.begin(connection, plan.actor)
        if plan.new is not None:
            await _add(connection, plan.new)
        else:
            await connection.execute(SQL["set_pbx_state"], plan.pbx, plan.state)
        await ledger.record(connection, plan.actor, plan.verb, plan.summary)
    return Applied(None, plan.summary, 1)


async def _add(connection: Connection, new: NewPbx) -> None:
    profile = {"sources": list(new.sources), "did_format": new.did_format}
    pbx = await connection.fetchval(SQL["add_pbx"], new.name, profile)
    for priority, uri in enumerate(new.addresses):
        await connection.execute(SQL["add_pbx_address"], pbx, uri, priority)
