"""Every carrier at a glance: its file, its place in the registry, its trunks, its last failure; it
changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from carrier_adapters import loader
from carrier_adapters.contract import Carrier, Registration, Trunk
from gateway.carrier_files import work
from gateway.carrier_files.checking import Overrides
from gateway.carrier_files.secrets import Lack, Secrets
from gateway.names.said import told
from gateway.registrations.standing import Standing
from number_registry.e164 import E164
from number_registry.names import NO_NAMES, Names

EXAMPLE = E164("79161234567")


def overview(
    rows: list[dict[str, Any]],
    source: Path,
    at_work: Path,
    overrides: Overrides,
    said: Mapping[str, str] = MappingProxyType({}),
    secrets: Secrets | None = None,
    registrations: Mapping[tuple[str, str], Standing] = MappingProxyType({}),
    resolved: Names = NO_NAMES,
) -> list[dict[str, Any]]:
    """One entry for each carrier of the registry (`rows`, of the query list_carriers) and for each
    file, by name. ``said``: ``up`` or ``down`` by a gateway's URI (gateway.health.said).
    ``secrets``: those that are there; without them none is said to be missing. ``registrations``:
    how they stand, by carrier and trunk (gateway.registrations.said). ``resolved``: where host
    names lead (gateway.names.said).
    """
    known = {row["name"]: row for row in rows}
    edited = loader.load(source, overrides)
    running = work.loaded(at_work, overrides)
    errors = {Path(error.file).stem: str(error) for error in edited.errors}
    signs = {change.name: change.sign for change in work.changes(source, at_work)}
    names = sorted({*known, *edited.carriers, *errors, *running})
    entries = []
    for name in names:
        carrier = running.get(name) or edited.carriers.get(name)
        state, why = _state(name, signs, errors, running, known)
        lacks = secrets.lacks(carrier) if secrets and carrier else []
        shown = [_trunk(one, said, resolved) for one in (carrier.trunks if carrier else ())]
        for trunk in shown:
            standing = registrations.get((name, trunk["name"]))
            trunk["registration"] = standing.told() if standing else None
        entries.append(_entry(name, known.get(name, {}), carrier, state, why, shown, lacks))
    return entries


def _state(
    name: str,
    signs: Mapping[str, str],
    errors: Mapping[str, str],
    running: Mapping[str, Carrier],
    known: Mapping[str, Any],
) -> tuple[str, str]:
    apply = f"./portgate carriers apply {name}"
    if name in errors:
        goes_on = "; the gateway goes on with what it had" if name in running else ""
        return "refused", errors[name] + goes_on
    match signs.get(name):
        case "+":
            return "new", f"put it to work: {apply}"
        case "~":
            return "changed", f"put the change to work: {apply}"
        case "-":
            return "gone", f"its file is gone, and it still works; take it away: {apply}"
    if name not in running:
        rented = known[name]["numbers"] if name in known else 0
        why = "numbers are rented from it" if rented else "no number is rented from it any more"
        return "no file", f"{why}, and nothing says how it speaks: {name}.py"
    if name not in known:
        return "unknown", f"the registry does not know it: {apply}"
    return "at work", ""


def _entry(
    name: str,
    row: Mapping[str, Any],
    carrier: Carrier | None,
    state: str,
    why: str,
    shown: list[dict[str, Any]],
    lacks: list[Lack],
) -> dict[str, Any]:
    trunks = carrier.trunks if carrier else ()
    limit = sum(trunk.channels for trunk in trunks)
    limited = bool(trunks) and all(trunk.channels for trunk in trunks)
    failure = None
    if row.get("failed_at"):
        failure = {"at": row["failed_at"], "status": row["failed_status"],
                   "cause": row["failed_cause"], "call": row["failed_call"]}  # fmt: skip
    return {
        "name": name,
        "title": row.get("title") or (carrier.title if carrier else ""),
        "state": state,
        "why": why,
        "numbers": row.get("numbers", 0),
        "cities": row.get("cities", []),
        "channels": {"used": row.get("used", 0), "limit": limit if limited else None},
        "last_failure": failure,
        "trunks": shown,
        "lacks": [lack._asdict() for lack in lacks],
        "notes": work.notes(carrier) if carrier else [],
    }


def _trunk(written: Trunk, said: Mapping[str, str], resolved: Names) -> dict[str, Any]:
    trunk = written.resolved(resolved) if written.names else written
    return {
        "name": trunk.name,
        "serves": trunk.serves,
        "area_code": trunk.area_code,
        "calls_from": list(trunk.networks),
        "calls_to": [address.uri for address in trunk.addresses],
        "down": [one.uri for one in trunk.addresses if said.get(one.uri) == "down"],
        "names": _names(written, resolved),
        "receives_on": trunk.receives_on,
        "authentication": trunk.auth.kind,
        "codecs": list(trunk.codecs),
        "channels": trunk.channels or None,
        "calls_per_second": trunk.calls_per_second or None,
    }


def _names(trunk: Trunk, resolved: Names) -> list[dict[str, Any]]:
    """Each host name of the trunk: where it leads and how old that is."""
    uris = [gateway.uri for gateway in trunk.all_gateways() if not gateway.literal]
    if isinstance(trunk.auth, Registration):
        uris.append(trunk.auth.registrar)
    found = (told(resolved, uri) for uri in dict.fromkeys(uris))
    return [one for one in found if one is not None]


def spoken(carrier: Carrier) -> dict[str, str]:
    """How a call to a mobile is written for the first trunk that takes calls, by header."""
    trunk = next((one for one in carrier.trunks if one.addresses), carrier.trunks[0])
    shown = E164(carrier.country_code + (trunk.area_code + "2" * 15)[: carrier.national_length])
    far = carrier.far_side(EXAMPLE, shown, trunk)
    host = trunk.addresses[0].where if trunk.addresses else "?"
    headers = {name: value.replace("{us}", "us") for name, value in far.headers}
    return {
        "Request-URI": f"sip:{far.request_user}@{host}",
        "To": f"<sip:{far.to_user}@{host}>",
        "From": f"<sip:{far.from_user}@us>",
        **headers,
    }
