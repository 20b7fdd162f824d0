"""The certificate of SIP over TLS: made where none is set, judged before Kamailio reads it, and
taken when its files change; it holds no key in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import structlog

from gateway.home import Home
from gateway.settings import Sip
from gateway.stack import control
from gateway.stack.problems import NotRunning, Problem, StackError

DAYS = 3650  # of the self-signed one: nobody is told to renew it
LOOK_S = 2.0
OPENSSL_S = 10.0
RESTART_S = 30.0

_log = structlog.get_logger("gateway.tls")


def pair(home: Home, sip: Sip) -> tuple[Path, Path]:
    """Certificate and key: those that are set, or those that are made."""
    if sip.tls_certificate:
        return Path(sip.tls_certificate), Path(sip.tls_key)
    return home.tls_certificate, home.tls_key


def make(home: Home, sip: Sip) -> None:
    """Make the self-signed pair of a home whose settings name none; once. Raises StackError."""
    if not sip.tls_port or sip.tls_certificate or home.tls_certificate.exists():
        return
    name = sip.advertised_address or sip.address
    kind = "IP" if name.replace(".", "").isdigit() else "DNS"
    new = home.tls_certificate.with_suffix(".new")
    done = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", str(DAYS), "-subj", f"/CN={name}",
         "-addext", f"subjectAltName={kind}:{name}",
         "-keyout", str(home.tls_key), "-out", str(new)],
        capture_output=True, text=True, timeout=OPENSSL_S, check=False,
    )  # fmt: skip
    if done.returncode:
        why = " ".join(done.stderr.split())[-300:]
        raise StackError(Problem("no certificate for SIP over TLS could be made", why, ""))
    home.tls_key.chmod(0o600)
    new.chmod(0o600)
    new.replace(home.tls_certificate)  # last: where it is, its key is too


def problems(home: Home, sip: Sip) -> list[Problem]:
    """What keeps SIP over TLS from starting as it is set."""
    if not sip.tls_port:
        return []
    found = []
    certificate, key = pair(home, sip)
    if (sip.tls_certificate or certificate.exists()) and (why := unusable(certificate, key)):
        mend = "Set sip.tls_certificate and sip.tls_key to a PEM chain and its key, or leave out"
        found.append(Problem(f"{certificate} cannot be used for TLS", why, mend))
    if sip.tls_verify and (why := _not_authorities(Path(sip.tls_authorities))):
        mend = "Install ca-certificates, or set sip.tls_authorities, or sip.tls_verify = false"
        found.append(Problem(f"sip.tls_authorities is {sip.tls_authorities}", why, mend))
    return found


def unusable(certificate: Path, key: Path) -> str:
    """Why these two are no pair that a server can show; empty when they are."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, _no_password)
    except ssl.SSLError as error:
        return error.reason or str(error)
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _no_password() -> str:
    raise ValueError("the key is locked with a password")


def _not_authorities(path: Path) -> str:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        return str(error)
    return ""


def ends(certificate: Path) -> datetime | None:
    """When it ceases to be valid; None where it cannot be read."""
    try:
        done = subprocess.run(
            ["openssl", "x509", "-enddate", "-noout", "-in", str(certificate)],
            capture_output=True, text=True, timeout=OPENSSL_S, check=True,
        )  # fmt: skip
        told = done.stdout.strip().partition("=")[2]
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(told), UTC)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None


async def follow(home: Home, sip: Sip, stop: asyncio.Event) -> None:
    """Until ``stop``: when certificate, key or authorities change, and fit, Kamailio is restarted
    with them, which calls survive; a pair that does not fit is told and left alone. Not by the RPC
    tls.reload: of 5.6 frees what is in use, and now and then ends Kamailio.
    """
    used = _times(home, sip)
    refused = used
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_S)
        now = _times(home, sip)
        if now in (used, refused):
            continue
        if found := problems(home, sip):
            refused = now
            _log.error("certificate not taken", why=found[0].why, what=found[0].what)
            continue
        try:
            told = await asyncio.to_thread(control.ask, home, {"do": "certificate"}, RESTART_S)
        except (NotRunning, OSError, ValueError) as error:
            _log.warning("certificate not taken yet", error=str(error))
            continue
        if "error" in told:
            _log.warning("certificate not taken yet", error=told["error"])
            continue
        used = now
        _log.info("certificate taken", certificate=str(pair(home, sip)[0]))


def _times(home: Home, sip: Sip) -> tuple[int, ...]:
    files = (*pair(home, sip), *([Path(sip.tls_authorities)] if sip.tls_verify else []))
    return tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in files)


def context(sip: Sip) -> ssl.SSLContext | None:
    """How we call others over TLS, as Kamailio does: at least 1.2, no name is compared. None where
    TLS is off, or the authorities have gone.
    """
    if not sip.tls_port:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    if not sip.tls_verify:
        made.verify_mode = ssl.CERT_NONE
        return made
    try:
        made.load_verify_locations(sip.tls_authorities)
    except (OSError, ssl.SSLError) as error:
        _log.error("no authorities for TLS", file=sip.tls_authorities, error=str(error))
        return None
    return made
