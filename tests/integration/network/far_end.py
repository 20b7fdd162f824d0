"""One far end in its own process, because a namespace is its process's: it calls or answers once,
and tells on stdout what it saw.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from gateway.endpoints import ANSWERS, Callee, Caller, CallScript, Leg, tone

PATIENCE_S = 25.0


async def main(wanted: dict[str, Any]) -> dict[str, Any]:
    if "to" in wanted:
        return await _calls(wanted)
    return await _answers(wanted)


async def _calls(wanted: dict[str, Any]) -> dict[str, Any]:
    async with Caller(wanted["address"]) as caller:
        us = wanted["gateway"]
        script = CallScript(
            request_uri=f"sip:{wanted['to']}@{us}:5060",
            from_header=f"<sip:{wanted['from']}@{wanted['address']}>",
            to_header=f"<sip:{wanted['to']}@{us}:5060>",
            headers=tuple(wanted.get("headers", ())),
        )
        leg = await caller.invites(script, (us, 5060))
        status = await leg.until_final(PATIENCE_S)
        if status != 200:
            return {"status": status}
        return {"status": status, **await _talk(leg, wanted, tone.CALLEE_HZ)}


async def _answers(wanted: dict[str, Any]) -> dict[str, Any]:
    transport = wanted.get("transport", "udp")
    script = ANSWERS["answer"]
    async with Callee(wanted["address"], script=script, transport=transport) as callee:
        print("ready", flush=True)
        leg = await callee.call(within=PATIENCE_S)
        await leg.until_received("ACK")
        told = await _talk(leg, wanted, tone.CALLER_HZ)
        return {"uri": leg.invite.uri, "from": leg.invite.header("From"), **told}


async def _talk(leg: Leg, wanted: dict[str, Any], hz: int) -> dict[str, Any]:
    heard = await leg.voice.hears(hz, within=10)
    if "until" in wanted:  # stay on the phone until somebody says so
        await asyncio.to_thread(sys.stdin.readline)
        leg.voice.ear.forget()
        heard = heard and await leg.voice.hears(hz, within=10)
    if wanted.get("hangs_up"):
        for _ in range(wanted.get("rounds", 1)):  # the other side wants to hear enough, too
            leg.voice.ear.forget()
            heard = heard and await leg.voice.hears(hz, within=10)
        await leg.bye()
    else:
        await leg.until_over(PATIENCE_S)
    first = leg.invite
    routes = [one for message in leg.messages for one in message.all("Record-Route")]
    return {"heard": heard, "sdp": first.body, "routes": routes, "call_id": first.call_id}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
