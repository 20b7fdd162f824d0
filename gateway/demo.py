"""The demo company: writes it into an empty registry, and says where its far ends live; it never
touches data that is there.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.settings import Settings
from number_registry.e164 import E164
from number_registry.store.pool import connect
from number_registry.store.queries import SQL

COMPANY = Path(__file__).parent / "demo_data" / "company.toml"
SIP_PORT = 5060
_LOCK = 0x64656D6F  # "demo"
# What refers to something comes after it.
_ORDER = (
    "emergency", "departments", "carriers", "cities", "pbxs", "pbx_addresses", "groups",
    "contracts", "numbers", "tenancies", "roles", "sites", "people",
)  # fmt: skip


def company() -> dict[str, Any]:
    """The company as written in company.toml."""
    return tomllib.loads(COMPANY.read_text("utf-8"))


def carrier_overrides(ports: InternalPorts) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Where the demo carriers' gateways are on this machine: ``{carrier: {trunk: {sources,
    proxies}}}``.
    """
    return {
        carrier: {
            trunk: {
                "sources": [f"{ports.demo_net}.{host}/32" for host in hosts],
                "proxies": [f"sip:{ports.demo_net}.{host}:{SIP_PORT}" for host in hosts],
            }
            for trunk, hosts in trunks.items()
        }
        for carrier, trunks in company()["gateways"].items()
    }


async def seed(dsn: str, home: Home, settings: Settings, ports: InternalPorts) -> bool:
    """Write the demo company in one transaction; False, and nothing changed, when the registry is
    not empty.
    """
    rows = plan(ports)
    connection = await connect(dsn, "portgate demo")
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            if await connection.fetchval(SQL["anything_there"]):
                return False
            await connection.execute("SELECT set_config('portgate.actor', 'demo', true)")
            for kind in _ORDER:
                await connection.execute(SQL[f"demo_{kind}"], rows[kind])
            return True
    finally:
        await connection.close()


def plan(ports: InternalPorts) -> dict[str, list[dict[str, Any]]]:
    """What is written, by kind: company.toml with numbers as digits and hosts as addresses."""
    told = company()
    rows = {kind: [_digits(row) for row in told.get(kind, [])] for kind in _ORDER}
    rows["groups"] = rows["tenancies"] = rows["numbers"]
    for pbx in rows["pbxs"]:
        hosts = [f"{ports.demo_net}.{host}" for host in pbx["hosts"]]
        pbx["profile"] = {
            "sources": [f"{host}/32" for host in hosts],
            "did_format": pbx["did_format"],
        }
        rows["pbx_addresses"] += [
            {"pbx": pbx["name"], "uri": f"sip:{host}:{SIP_PORT}", "priority": priority}
            for priority, host in enumerate(hosts)
        ]
    return rows


def _digits(row: dict[str, Any]) -> dict[str, Any]:
    """A copy with numbers written ``+7...`` as integers.

    Raises BadNumberError for one that is not E.164.
    """
    return {
        key: int(E164(value[1:])) if isinstance(value, str) and value.startswith("+") else value
        for key, value in row.items()
    }
