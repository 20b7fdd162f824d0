"""Asks a real PBX what it can: whether it answers, and which codecs it says it has; it places no
call and changes nothing.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any

from gateway.health import options
from gateway.health.prober import Prober
from number_registry.model import Address, Transport

WITHIN_S = 2.0
_RTPMAP = re.compile(rb"^a=rtpmap:[0-9]+ ([A-Za-z0-9_.-]+)/", re.MULTILINE)
_AUDIO = re.compile(rb"^m=audio [0-9]+ [A-Z/]+ ([0-9 ]+)", re.MULTILINE)
_STATIC = {b"0": "PCMU", b"8": "PCMA", b"9": "G722", b"18": "G729", b"3": "GSM", b"4": "G723"}
_NO_VOICE = {"telephone-event", "CN"}


async def look(source: str, address: Address) -> dict[str, Any]:
    """{address, answers, codecs}; ``codecs`` is null where it does not say, as most do not.
    ``source``: our SIP address, which it knows us by.
    """
    codecs = None
    async with Prober(source) as prober:
        answers = await prober.ask(address, WITHIN_S)
    if answers and address.transport is Transport.UDP:
        codecs = codecs_of(await _options(source, address))
    return {"address": address.uri, "answers": answers, "codecs": codecs}


async def _options(source: str, address: Address) -> bytes:
    """The answer to one OPTIONS over UDP; empty when none comes."""
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[bytes] = loop.create_future()

    class Heard(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            if options.answer(data) is not None and not heard.done():
                heard.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Heard, local_addr=(source, 0))
    try:
        us = "{}:{}".format(*transport.get_extra_info("sockname")[:2])
        message = options.request(address, us, secrets.token_hex(16))
        transport.sendto(message, (address.host, address.port))
        return await asyncio.wait_for(heard, WITHIN_S)
    except TimeoutError:
        return b""
    finally:
        transport.close()


def codecs_of(answer: bytes) -> list[str] | None:
    """The audio codecs in the SDP of an answer (RFC 3261, section 11.2); None without one."""
    audio = _AUDIO.search(answer)
    if audio is None:
        return None
    named = [name.decode() for name in _RTPMAP.findall(answer)]
    numbered = [_STATIC[number] for number in audio[1].split() if number in _STATIC]
    return [one for one in dict.fromkeys([*named, *numbered]) if one not in _NO_VOICE]


def missing(wanted: tuple[str, ...], said: list[str] | None) -> list[str]:
    """Codecs of the profile that the PBX says it does not have."""
    if said is None:
        return []
    there = {one.lower() for one in said}
    return [codec for codec in wanted if codec.lower() not in there]
