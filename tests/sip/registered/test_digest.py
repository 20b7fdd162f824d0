"""A PBX without an address of its own proves each new call by its password; nothing is let in on a
token or a nonce that somebody overheard.
"""

from __future__ import annotations

import pytest

from gateway.endpoints.message import SipMessage
from kemi.plan import CORRELATION
from tests.sip.digest import asked, credentials
from tests.sip.people import CARRIERS, World
from tests.sip.raw import Raw, inside, raw_socket, reply, request, sdp
from tests.sip.registered.shop import made
from tests.sip.stack import Stack

pytestmark = pytest.mark.asyncio

SHOWN = "74951230001"
WORDS = ("--trust", "digest", "--own-caller-in", "asserted,from")


class Proving:
    """A PBX at some address that places one call."""

    def __init__(self, stack: Stack, login: dict[str, str], last: int) -> None:
        self.stack, self.login = stack, login
        self.here = stack.host(last)
        self.uri = f"sip:+79161234567@{stack.address[0]}"
        self.own = {
            "From": f"<sip:{login['user']}@{stack.address[0]}>;tag=pbx{last}",
            "P-Asserted-Identity": f"<sip:+{SHOWN}@{self.here}>",
        }

    def invite(self, call_id: str, cseq: int, proof: str = "", **changes: str) -> bytes:
        own = {**self.own, "Call_ID": call_id, "CSeq": f"{cseq} INVITE", **changes}
        if proof:
            own["Proxy_Authorization"] = proof
        return request("INVITE", self.uri, self.here, sdp(self.here, 30000), **own)

    def proof(self, challenge: SipMessage, count: int = 1) -> str:
        user, password = self.login["user"], self.login["password"]
        return credentials(asked(challenge), user, password, "INVITE", self.uri, count)


async def challenged(pbx: Raw, caller: Proving, call_id: str) -> SipMessage:
    answer = await pbx.asks(caller.invite(call_id, 1), caller.stack.address)
    assert answer.status == 407
    return answer


async def answers(network: Raw, world: World) -> SipMessage:
    """The far side takes the call; what it received."""
    heard = await network.hears_only("INVITE")
    far = world.stack.host(CARRIERS["northline"])
    network.sends(reply(heard, "200 OK", f"{far}:5060", "far", sdp(far, 30002)), gateway(world))
    return heard


def gateway(world: World) -> tuple[str, int]:
    return world.stack.address


async def test_a_call_is_proved_and_ended_from_either_side(world: World) -> None:
    stack = world.stack
    caller = Proving(stack, made(stack, "proving", "sip:192.0.2.77", *WORDS), 71)
    async with (
        raw_socket(caller.here, 5060) as pbx,
        raw_socket(stack.host(CARRIERS["northline"]), 5060) as network,
        raw_socket(stack.host(79)) as thief,
    ):
        for ends in ("pbx", "network"):
            challenge = await challenged(pbx, caller, f"proved-{ends}")
            pbx.sends(caller.invite(f"proved-{ends}", 2, caller.proof(challenge)), stack.address)
            heard = await answers(network, world)
            assert f"sip:+{SHOWN}@" in heard.header("From")
            assert "proving" not in heard.text and "nonce" not in heard.text
            ok = await pbx.hears_only(200)
            pbx.sends(inside("ACK", ok, caller.here, 2), stack.address)
            await network.hears_only("ACK")
            if ends == "pbx":
                # Somebody who overheard everything cannot end it.
                thief.sends(inside("BYE", ok, stack.host(79), 3), stack.address)
                assert await thief.hears_nothing(within=0.5)
                pbx.sends(inside("BYE", ok, caller.here, 3), stack.address)
                bye = await network.hears_only("BYE")
            else:
                network.sends(_far_bye(heard), stack.address)
                bye = await pbx.hears_only("BYE")
            ending = network if ends == "pbx" else pbx
            ending.sends(reply(bye, "200 OK", caller.here), stack.address)
            other = pbx if ends == "pbx" else network
            assert (await other.hears_only(200)).header("CSeq").endswith("BYE")


def _far_bye(invite: SipMessage) -> bytes:
    """The called side hangs up: its From is what was its To."""
    routes = [part for value in invite.all("Record-Route") for part in value.split(",")]
    contact = invite.header("Contact").strip("<>")
    return request(
        "BYE",
        contact,
        "far",
        Route=", ".join(routes),
        From=invite.header("To") + ";tag=far",
        To=invite.header("From"),
        Call_ID=invite.call_id,
        CSeq="1 BYE",
    )


async def test_a_proof_that_was_used_serves_nobody_again(world: World) -> None:
    stack = world.stack
    login = made(stack, "replayed", "sip:192.0.2.78", *WORDS)
    caller, thief = Proving(stack, login, 72), Proving(stack, login, 73)
    async with (
        raw_socket(caller.here, 5060) as pbx,
        raw_socket(thief.here, 5060) as other,
        raw_socket(stack.host(CARRIERS["northline"]), 5060) as network,
    ):
        challenge = await challenged(pbx, caller, "used-1")
        proof = caller.proof(challenge)
        pbx.sends(caller.invite("used-1", 2, proof), stack.address)
        heard = await network.hears_only("INVITE")
        network.sends(reply(heard, "486 Busy", "far", "far"), stack.address)
        await pbx.hears_only(486)
        # The same again, from the same place and from another.
        again = await pbx.asks(caller.invite("used-2", 1, proof), stack.address)
        assert again.status == 407
        elsewhere = thief.invite("used-3", 1, proof)
        assert (await other.asks(elsewhere, stack.address)).status == 407


async def test_a_proof_that_is_overheard_dials_no_other_number(world: World) -> None:
    """Somebody on the way keeps it from us, and uses it first."""
    stack = world.stack
    login = made(stack, "overheard", "sip:192.0.2.80", *WORDS)
    caller, thief = Proving(stack, login, 76), Proving(stack, login, 77)
    async with (
        raw_socket(caller.here, 5060) as pbx,
        raw_socket(thief.here, 5060) as other,
        raw_socket(stack.host(CARRIERS["northline"]), 5060) as network,
    ):
        proof = caller.proof(await challenged(pbx, caller, "heard-1"))
        thief.uri = f"sip:+79169999999@{stack.address[0]}"
        assert (await other.asks(thief.invite("heard-2", 1, proof), stack.address)).status == 407
        assert await network.hears_nothing(within=0.3)


async def test_what_proves_a_pbx_and_what_names_people_stays_with_us(world: World) -> None:
    """Clients send their credentials along in every request; Asterisk its headers in an ACK too."""
    stack = world.stack
    caller = Proving(stack, made(stack, "kept", "sip:192.0.2.81", *WORDS), 78)
    said = {
        "Proxy_Authorization": 'Digest username="leak"',
        "Authorization": 'Digest username="leak"',
        CORRELATION.replace("-", "_"): "leak",
        "P_Asserted_Identity": "<sip:leak@x>",
        "Diversion": "<sip:leak@x>",
    }
    async with (
        raw_socket(caller.here, 5060) as pbx,
        raw_socket(stack.host(CARRIERS["northline"]), 5060) as network,
    ):
        challenge = await challenged(pbx, caller, "kept")
        other = {"Authorization": 'Digest username="leak"'}
        pbx.sends(caller.invite("kept", 2, caller.proof(challenge), **other), stack.address)
        heard = await answers(network, world)
        assert "leak" not in heard.text
        ok = await pbx.hears_only(200)
        for cseq, method in enumerate(("ACK", "INFO", "BYE"), 2):
            pbx.sends(inside(method, ok, caller.here, cseq, **said), stack.address)
            heard = await network.hears_only(method)
            assert "leak" not in heard.text
            if method != "ACK":
                network.sends(reply(heard, "200 OK", caller.here), stack.address)


async def test_a_call_may_be_given_up_only_from_where_it_came(world: World) -> None:
    stack = world.stack
    caller = Proving(stack, made(stack, "giving-up", "sip:192.0.2.79", *WORDS), 74)
    async with (
        raw_socket(caller.here, 5060) as pbx,
        raw_socket(stack.host(CARRIERS["northline"]), 5060) as network,
        raw_socket(stack.host(75)) as thief,
    ):
        challenge = await challenged(pbx, caller, "given-up")
        invite = caller.invite("given-up", 2, caller.proof(challenge), Via=VIA % caller.here)
        pbx.sends(invite, stack.address)
        heard = await network.hears_only("INVITE")
        network.sends(reply(heard, "180 Ringing", "far", "far"), stack.address)
        await pbx.hears_only(180)
        own = {**caller.own, "Call_ID": "given-up", "CSeq": "2 CANCEL", "Via": VIA % caller.here}
        cancel = request("CANCEL", caller.uri, caller.here, **own)
        thief.sends(cancel, stack.address)
        assert await thief.hears_nothing(within=0.5)
        pbx.sends(cancel, stack.address)
        ended = await network.hears_only("CANCEL")
        network.sends(reply(ended, "200 OK", "far", "far"), stack.address)
        network.sends(reply(heard, "487 Terminated", "far", "far"), stack.address)
        await pbx.hears_only(487)


VIA = "SIP/2.0/UDP %s:5060;rport;branch=z9hG4bKgivenup"
