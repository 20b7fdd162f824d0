"""SIP over TLS: PBXs call us, we call carriers, and certificates change under live calls."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.endpoints.message import SipMessage
from gateway.home import Home
from tests.sip import raw
from tests.sip.people import CARRIERS, PBXS, World, both_hear
from tests.sip.registered.walled import is_called
from tests.sip.stack import Stack, running_stack
from tests.sip.tls.far import certificate, connected, listening

pytestmark = pytest.mark.asyncio
TLS_PORT = 5061


def _settings(home: Home, net: str) -> str:
    """Northline is called over TLS, and its certificate is the only one that we believe."""
    host = f"{net}.{CARRIERS['northline']}"
    home.secrets.mkdir(mode=0o700)
    believed = certificate(home.secrets, "believed", host)
    certificate(home.secrets, "unknown", host)
    ours = certificate(home.secrets, "ours", f"{net}.1")
    return f"""\
[sip]
tls_port = {TLS_PORT}
tls_certificate = "{ours}"
tls_key = "{ours.with_suffix(".key")}"
tls_authorities = "{believed}"

[carriers.northline.moscow]
sources = ["{host}/32"]
proxies = ["sip:{host}:{TLS_PORT};transport=tls"]"""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running_stack(f"tls-{os.getpid()}", more=_settings) as found:
        yield found


def _tls(stack: Stack) -> tuple[str, int]:
    return stack.address[0], TLS_PORT


async def test_options_over_tls_is_answered(world: World) -> None:
    stack = world.stack
    async with connected(stack.host(PBXS["old"]), _tls(stack)) as pbx:
        pbx.sends(pbx.request("OPTIONS", f"sip:{stack.address[0]}:{TLS_PORT};transport=tls"))
        assert (await pbx.hears()).status == 200


async def test_an_old_tls_is_refused(world: World) -> None:
    stack = world.stack
    with pytest.raises((ssl.SSLError, ConnectionError)), pytest.warns(DeprecationWarning):
        async with connected(stack.host(PBXS["old"]), _tls(stack), version=ssl.TLSVersion.TLSv1_1):
            pass


async def test_a_pbx_over_tls_calls_out_and_is_hung_up_on(world: World) -> None:
    """The carrier speaks UDP; its BYE comes back over the connection that the PBX has made."""
    stack = world.stack
    async with (
        world.phone_network("volga_city") as carrier,
        connected(stack.host(PBXS["old"]), _tls(stack)) as pbx,
    ):
        to = f"sip:+79161234567@{stack.address[0]}:{TLS_PORT};transport=tls"
        offer = raw.sdp(stack.host(PBXS["old"]), 4000)
        invite = pbx.request("INVITE", to, offer, From="<sip:104@pbx>;tag=x")
        pbx.sends(invite)
        ok = await pbx.hears_only(200)
        pbx.sends(pbx.request("ACK", ok.header("Contact").strip("<>"), **_inside(ok, "1 ACK")))
        far = await carrier.call()
        await far.until_received("ACK")
        ending = asyncio.create_task(far.bye())
        bye = await pbx.hears_only("BYE")
        pbx.sends(raw.reply(bye, "200 OK", pbx.source))
        await ending
    assert (await stack.record(ok.call_id))["phase"] == "ended"


async def test_a_carrier_is_called_over_tls_and_hangs_up_over_it(world: World) -> None:
    stack = world.stack
    host = stack.host(CARRIERS["northline"])
    shows = stack.home.secrets / "believed.pem"
    async with listening(host, shows) as lines, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567")
        async with asyncio.timeout(5):
            carrier = await lines.get()
        invite = await carrier.hears_only("INVITE")
        assert invite.uri.endswith(f"@{host}:{TLS_PORT};transport=tls")
        contact = f"<sip:northline@{host}:{TLS_PORT};transport=tls>"
        carrier.sends(
            raw.answer(invite, 200, f"Contact: {contact}", "Content-Type: application/sdp",
                       body=raw.sdp(host, 4002).encode())
        )  # fmt: skip
        assert await call.until_final() == 200
        await carrier.hears_only("ACK")
        routes = ", ".join(invite.all("Record-Route"))
        bye = carrier.request(
            "BYE", call.invite.header("Contact").strip("<>"), Route=routes, CSeq="7 BYE",
            From=f"{invite.header('To')};tag=far", To=invite.header("From"),
            Call_ID=invite.call_id,
        )  # fmt: skip
        carrier.sends(bye)
        assert (await carrier.hears_only(200)).method == "BYE"
        await call.until_over()


async def test_a_carrier_whose_certificate_nobody_vouches_for_is_not_called(world: World) -> None:
    stack = world.stack
    host = stack.host(CARRIERS["northline"])
    shows = stack.home.secrets / "unknown.pem"
    async with listening(host, shows) as lines, world.pbx_calling() as pbx:
        call = await pbx.calls("+79161234567")
        assert await call.until_final() in (408, 503)
        assert lines.empty()


async def test_a_new_certificate_is_shown_and_a_call_in_progress_goes_on(world: World) -> None:
    """Kamailio is restarted for it, which calls survive."""
    stack = world.stack
    ours = stack.home.secrets / "ours.pem"
    old_key = ours.with_suffix(".key").read_bytes()
    async with world.pbx() as pbx, world.carrier() as carrier:
        call = await carrier.calls("+74951230001")
        far = await pbx.call()
        assert await call.until_final() == 200
        # first one that does not fit its key, as while somebody copies: it is left alone
        made = certificate(stack.home.secrets, "ours", stack.address[0])
        assert old_key != ours.with_suffix(".key").read_bytes()
        async with asyncio.timeout(15):
            while await _shown(stack) != _der(made):
                pass
        assert await both_hear(call, far)
        await far.bye()
        await call.until_over()
    assert (await world.record(call))["end_how"] == "bye"


async def _shown(stack: Stack) -> bytes:
    """The certificate that a caller over TLS sees, empty while nobody is there."""
    try:
        async with connected(stack.host(PBXS["old"]), _tls(stack)) as line:
            return line.shown
    except OSError:
        return b""


def _der(path: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(path.read_text("ascii"))


def _inside(ok: SipMessage, cseq: str) -> dict[str, str]:
    routes = [part for value in ok.all("Record-Route") for part in value.split(",")]
    return {
        "Route": ", ".join(reversed(routes)), "From": ok.header("From"),
        "To": ok.header("To"), "Call_ID": ok.call_id, "CSeq": cseq,
    }  # fmt: skip


async def test_a_pbx_that_registers_over_tls_is_called_over_its_connection(world: World) -> None:
    here = world.stack.host(94)
    async with connected(here, _tls(world.stack)) as line:
        await is_called(world, line, here, "tls")
