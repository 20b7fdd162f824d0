"""Puts the reaper together for the daemon: its Kamailio, rtpengine and limits; no logic."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from gateway.calls.control import Control
from gateway.calls.journal import Writer
from gateway.calls.live import Live
from gateway.calls.reaper import Limits, Reaper
from gateway.home import Home
from gateway.kamailio_rpc import KamailioRpc
from gateway.ports import InternalPorts
from gateway.rtpengine_ng import Ng
from gateway.settings import Settings

# Kamailio gives a set-up up by itself after no_answer_s, and after a minute more whatever it said
# (kamailio.cfg, max_inv_lifetime); what is still open then was forgotten with its memory.
FORGOTTEN_S = 90.0
NG_HOST = "127.0.0.1"


async def reap(
    home: Home,
    settings: Settings,
    ports: InternalPorts,
    live: Live,
    trustworthy: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """End the calls that nobody else ends, until `stop`.

    `live` and `trustworthy` are those of the ingest (`Ingest.caught_up`) in this process.
    """
    limits = Limits(settings.calls.longest_s, settings.calls.no_answer_s + FORGOTTEN_S)
    async with AsyncExitStack() as stack:
        writer = Writer(home.journal)
        stack.callback(writer.close)
        relay = settings.media.relay
        ng = await stack.enter_async_context(_relay(ports)) if relay else None
        control = Control(KamailioRpc(home.kamailio_rpc), ng, writer)
        await Reaper(lambda: live.calls, control, ng, limits).run(stop, trustworthy)


def _relay(ports: InternalPorts) -> Ng:
    """The relay; and the one before, as long as it has calls."""
    before = Ng(NG_HOST, ports.ng_before) if ports.ng_before else None
    return Ng(NG_HOST, ports.ng, before)
