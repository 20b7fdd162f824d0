"""Renders the services' configuration from the templates of the Ansible roles; writes only what
changed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import yaml  # type: ignore[import-untyped]

from carrier_adapters import loader
from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.settings import Settings
from gateway.stack import own

REPO = Path(__file__).resolve().parents[2]
ROLES = REPO / "ansible" / "roles"

# role, template, mode of the file made from it. kemi.json may come to hold a carrier's password.
FILES = (
    ("postgresql", "postgresql.conf", 0o644),
    ("postgresql", "pg_hba.conf", 0o644),
    ("postgresql", "pg_ident.conf", 0o644),
    ("redis", "redis.conf", 0o644),
    ("rtpengine", "rtpengine.conf", 0o644),
    ("kamailio", "kamailio.cfg", 0o644),
    ("kamailio", "tls.cfg", 0o644),
    ("kamailio", "uacreg", 0o644),
    ("kamailio", "version", 0o644),
    ("kamailio", "kemi.json", 0o600),
    ("kamailio", "portgate_kemi.py", 0o644),
)

ROLE_NAMES = frozenset(role for role, _, _ in FILES)


def variables(home: Home, settings: Settings, ports: InternalPorts) -> dict[str, Any]:
    """What the templates may name, beside the defaults of their role."""
    ours = own_addresses(home, settings)
    return {
        "sip_more_addresses": list(ours.sip[1:]),
        "sip_media": ours.media_of if ours.several else {},
        "media_more_interfaces": [
            f"{name}/{address}" for name, address in ours.media.items() if name != own.MAIN
        ],
        "home": str(home.path),
        "run_dir": str(home.run),
        "etc": str(home.etc),
        "repo": str(REPO),
        "journal_dir": str(home.journal),
        "snapshot_dir": str(home.snapshot),
        "announcements_dir": str(home.announcements),
        "token_key_file": str(home.token_key),
        "rpc_socket": str(home.kamailio_rpc),
        "sip_address": settings.sip.address,
        "sip_port": settings.sip.port,
        "sip_workers": settings.sip.workers,
        "sip_tcp": settings.sip.tcp,
        "sip_tls_port": settings.sip.tls_port,
        "tls_certificate": settings.sip.tls_certificate or str(home.tls_certificate),
        "tls_key": settings.sip.tls_key or str(home.tls_key),
        "tls_authorities": settings.sip.tls_authorities,
        "tls_verify": settings.sip.tls_verify,
        "advertised_address": settings.sip.advertised_address,
        "no_answer_s": settings.calls.no_answer_s,
        "no_answer_ms": settings.calls.no_answer_s * 1000,
        "agent_rings_ms": settings.calls.agent_rings_s * 1000,
        "silent_trunk_ms": settings.calls.silent_trunk_ms,
        "longest_s": settings.calls.longest_s,
        "registered_asked_s": max(1, round(settings.health.interval_s))
        if settings.health.enabled
        else 20,
        "media_relay": settings.media.relay,
        "masking": settings.masking.calls,
        "media_address": settings.media.address,
        "media_advertised_address": settings.media.advertised_address,
        "media_timeout_s": settings.media.timeout_s,
        "ng_port": ports.ng,
        "ng_socket": f"udp:127.0.0.1:{ports.ng}",
        "ng_before": f"udp:127.0.0.1:{ports.ng_before}" if ports.ng_before else "",
        "rtp_min": ports.rtp_min,
        "rtp_max": ports.rtp_max,
        "demo_net": ports.demo_net,
        "carriers_folder": str(home.carriers),
        "carrier_secrets": str(home.carrier_secrets),
        "carrier_overrides_json": json.dumps(msgspec.to_builtins(settings.carriers.overrides)),
        "redis_socket": str(home.redis_socket),
        "redis_data_dir": str(home.redis_data),
        "postgresql_socket_dir": str(home.postgresql_socket_dir),
        "postgresql_hba_file": str(home.pg_hba_conf),
        "postgresql_ident_file": str(home.pg_ident_conf),
        "postgresql_name": f"portgate-{home.id}",
    }


def own_addresses(home: Home, settings: Settings) -> own.Own:
    """Ours that the carriers at work need."""
    overrides = msgspec.to_builtins(settings.carriers.overrides)
    carriers = loader.load(home.carriers, overrides).carriers
    trunks = [trunk for name in sorted(carriers) for trunk in carriers[name].trunks]
    return own.own(trunks, settings.sip.address, settings.media.address)


def own_addresses_rendered(home: Home) -> own.Own | None:
    """Ours that the running services were told of; None where nothing is rendered yet."""
    try:
        kemi = json.loads(home.kemi_json.read_text("utf-8"))
        relay = home.rtpengine_conf.read_text("utf-8")
    except FileNotFoundError:
        return None
    media_of = kemi["addresses"] or {kemi["address"]: own.MAIN}
    shown = re.search(r"(?m)^interface = (.+)$", relay)
    names = [
        part.partition("!")[0].rpartition("/") for part in (shown[1] if shown else "").split(";")
    ]
    media = {name or own.MAIN: address for name, _, address in names}
    others = sorted(media_of.keys() - {kemi["address"]})
    return own.Own((kemi["address"], *others), media, media_of)


def _environment(role: str) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROLES / role / "templates"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,  # as Ansible's template module does
        autoescape=False,
    )
    environment.filters["from_json"] = json.loads
    environment.filters["to_json"] = json.dumps
    environment.filters["to_nice_json"] = lambda value: json.dumps(value, indent=4, sort_keys=True)
    return environment


def text_of(role: str, template: str, values: dict[str, Any]) -> str:
    """One rendered template. Raises jinja2.UndefinedError for a variable nobody gives."""
    defaults = yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text("utf-8")) or {}
    return _environment(role).get_template(f"{template}.j2").render({**defaults, **values})


def write_if_changed(path: Path, text: str, mode: int) -> bool:
    """Put text into a file atomically; True when it was not already there."""
    if path.exists() and path.read_text("utf-8") == text and path.stat().st_mode & 0o777 == mode:
        return False
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(descriptor, mode)
        file.write(text)
    beside.replace(path)
    return True


def render(
    home: Home, settings: Settings, ports: InternalPorts, roles: Collection[str] = ROLE_NAMES
) -> list[str]:
    """Write the configuration files of these roles; returns the names of those that changed."""
    values = variables(home, settings, ports)
    changed = []
    for role, template, mode in FILES:
        if role not in roles:
            continue
        if write_if_changed(home.etc / template, text_of(role, template, values), mode):
            changed.append(template)
    return changed
