"""Judges a stack's readings for `doctor`: pure; readings.py takes them."""

from __future__ import annotations

from datetime import UTC, datetime
from math import isfinite
from typing import Any

import msgspec

from gateway.names.said import in_words
from gateway.stack.preflight import DISK_LEAST, DISK_LOW, RECEIVE_BUFFER

HEARTBEAT_S = 2.0  # older, and SIP workers ask Redis for every call
BACKLOG_BYTES = 2**20
DESCRIPTORS = 16384
MEMORY_FREE = 0.15
RESTARTS = 3
ON_PAPER = "on paper only"  # such a name stands in for one, and nothing can be mended
CERTIFICATE_DAYS = 21


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: `ok`, what was seen, and how to mend it when it is not well.

    A `note` is worth knowing, yet the stack works with it.
    """

    name: str
    ok: bool
    seen: str
    mend: str = ""
    note: bool = False


class Away(msgspec.Struct, frozen=True):
    """A PBX in service that nobody reaches now, why, how many numbers it answers for, and of how
    many it takes a share.
    """

    name: str
    why: str
    numbers: int
    shared: int


class Readings(msgspec.Struct, frozen=True):
    """What was measured; None where there was nobody to ask."""

    states: dict[str, str] = {}
    restarts: dict[str, int] = {}
    why: dict[str, str] = {}
    heartbeat_s: float | None = None
    numbers: int | None = None
    feed_behind_ms: int | None = None
    journal_backlog: int | None = None
    journal_rejects: int | None = None
    shared_memory_free: float | None = None
    disk_free: int = 2**40
    receive_buffer: int = 2**24
    descriptors: int = 2**16
    clock_synchronised: bool | None = None
    names: tuple[dict[str, Any], ...] = ()
    certificate_ends: datetime | None = None
    networks_lost: tuple[str, ...] = ()
    waves_stopped: tuple[str, ...] = ()
    pbxs_suspended: tuple[str, ...] = ()
    pbxs_away: tuple[Away, ...] = ()


def judge(readings: Readings) -> list[Finding]:
    """One finding for each thing that could be looked at, in the order in which calls need them."""
    running = bool(readings.states)
    findings = [_service(readings, name) for name in readings.states]
    if not running:
        findings.append(Finding("stack", False, "nothing runs", "./portgate up"))
    findings += [
        *_snapshot(readings),
        *_feed(readings),
        *_journal(readings),
        *_memory(readings),
        *_names(readings),
        *_certificate(readings),
        *_networks(readings),
        *_waves(readings),
        *_pbxs(readings),
        *_machine(readings),
    ]
    return findings


def _service(readings: Readings, name: str) -> Finding:
    now, restarts = readings.states[name], readings.restarts.get(name, 0)
    seen = now + (f", started again {restarts} times" if restarts else "")
    if now not in ("running", "disabled"):
        why = f": {readings.why[name]}" if readings.why.get(name) else ""
        mend = f"See log/{name}.log; what died is started again by itself"
        return Finding(name, False, seen + why, mend)
    if restarts > RESTARTS:
        return Finding(name, False, seen, f"It keeps dying: see log/{name}.log for why")
    return Finding(name, True, seen)


def _snapshot(readings: Readings) -> list[Finding]:
    if readings.heartbeat_s is None:
        return []
    age = readings.heartbeat_s
    if age > HEARTBEAT_S:
        seen = (
            f"last beat {age:.1f} s ago" if isfinite(age) else "never kept since the machine began"
        )
        mend = "Calls are routed from it all the same; see log/gateway.log for why it is not kept"
        return [Finding("snapshot", False, seen, mend)]
    return [Finding("snapshot", True, f"{readings.numbers} numbers, kept {age * 1000:.0f} ms ago")]


def _feed(readings: Readings) -> list[Finding]:
    behind = readings.feed_behind_ms
    if behind is None:
        return []
    if behind > HEARTBEAT_S * 1000:
        mend = "The mirror does not follow Redis: see log/gateway.log"
        return [Finding("publishing", False, f"the snapshot is {behind} ms behind Redis", mend)]
    return [Finding("publishing", True, f"the snapshot is {behind} ms behind Redis")]


def _journal(readings: Readings) -> list[Finding]:
    findings = []
    if readings.journal_backlog is not None:
        seen = f"{readings.journal_backlog} bytes are not yet in PostgreSQL"
        ok = readings.journal_backlog <= BACKLOG_BYTES
        mend = "" if ok else "Records wait, none is lost; see that gateway and postgresql run"
        findings.append(Finding("journal", ok, seen, mend))
    if readings.journal_rejects:
        seen = f"{readings.journal_rejects} lines could not be read and were kept aside"
        mend = "Look at the table journal_rejects: each row says why"
        findings.append(Finding("journal lines", False, seen, mend))
    return findings


def _memory(readings: Readings) -> list[Finding]:
    free = readings.shared_memory_free
    if free is None:
        return []
    ok = free >= MEMORY_FREE
    mend = "" if ok else "Restart Kamailio at a quiet hour; calls in progress can still be ended"
    return [Finding("Kamailio's shared memory", ok, f"{free:.0%} free", mend)]


def _names(readings: Readings) -> list[Finding]:
    """Host names of gateways: a note where an old answer goes on being used."""
    findings = []
    for name in readings.names:
        failing, lost = bool(name["failing"]), not name["leads_to"]
        mend = "See who runs that name, this machine's DNS servers, or dns.servers in portgate.toml"
        note = failing and (not lost or ON_PAPER in name["failing"])
        findings.append(
            Finding("host name", not failing, in_words(name), mend if failing else "", note)
        )
    return findings


def _certificate(readings: Readings) -> list[Finding]:
    ends = readings.certificate_ends
    if ends is None:
        return []
    left = (ends - datetime.now(UTC)).days
    seen = f"valid until {ends:%Y-%m-%d}"
    if left >= CERTIFICATE_DAYS:
        return [Finding("TLS certificate", True, seen)]
    mend = "Renew it: what lies in its place is taken within seconds"
    return [Finding("TLS certificate", False, seen, mend, note=left >= 0)]


def _networks(readings: Readings) -> list[Finding]:
    mend = "./portgate network status shows which calls it concerns"
    return [Finding("carrier's network", False, what, mend) for what in readings.networks_lost]


def _waves(readings: Readings) -> list[Finding]:
    mend = "./portgate waves status; then ./portgate waves rollback, or resume"
    return [Finding("waves", False, what, mend) for what in readings.waves_stopped]


def _pbxs(readings: Readings) -> list[Finding]:
    """Of a suspended one a note: somebody has wanted it so, and may have forgotten."""
    mend = "./portgate pbx resume, or pbx swap to another"
    suspended = [Finding("PBX", False, what, mend, note=True) for what in readings.pbxs_suspended]
    return suspended + [_away(one) for one in readings.pbxs_away]


def _away(pbx: Away) -> Finding:
    """A note where it answers for no number yet: somebody is setting it up."""
    lost = f": callers of its {pbx.numbers} numbers reach nobody" if pbx.numbers else ""
    if pbx.shared:
        lost += f"; its share of the calls of {pbx.shared} numbers fails"
    mend = f"./portgate pbx check {pbx.name} says more; ./portgate pbx swap takes numbers elsewhere"
    return Finding("PBX", False, f"{pbx.name} {pbx.why}{lost}", mend, note=not lost)


def _machine(readings: Readings) -> list[Finding]:
    megabytes = readings.disk_free // 2**20
    full, low = readings.disk_free < DISK_LEAST, readings.disk_free < DISK_LOW
    small = readings.receive_buffer < RECEIVE_BUFFER
    few = readings.descriptors < DESCRIPTORS
    findings = [
        Finding(
            "disk",
            not low,
            f"{megabytes} MB free",
            ("Make room now: records wait in the journal" if full else "Make room soon")
            if low
            else "",
        ),
        Finding(
            "receive buffer",
            not small,
            f"net.core.rmem_max is {readings.receive_buffer}",
            "sysctl -w net.core.rmem_max=8388608, or bursts of calls are lost" if small else "",
            note=True,
        ),
        Finding(
            "open files",
            not few,
            f"a service may open {readings.descriptors}",
            "Raise the limit (ulimit -n 65536), or many calls at once will fail" if few else "",
            note=True,
        ),
    ]
    if readings.clock_synchronised is not None:
        findings.append(
            Finding(
                "clock",
                readings.clock_synchronised,
                "kept by NTP" if readings.clock_synchronised else "not kept by NTP",
                "" if readings.clock_synchronised else "Install chrony, or call records drift",
                note=True,
            )
        )
    return findings
