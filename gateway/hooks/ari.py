"""Asterisk's REST interface. It can send a channel elsewhere only where the channel is in one of
its applications (Stasis); others it merely shows, and then it says so.
"""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from typing import Any

from gateway.hooks.rest import request
from gateway.hooks.said import HookError, Leg, Place, Said

_CALL_ID = {"PJSIP": "CHANNEL(pjsip,call-id)", "SIP": "SIPCALLID"}
NOT_IN_STASIS = (
    "the channel is in the PBX's dial plan and in no application of ARI, which alone ARI may move;"
    " use its manager interface: --transfer ami"
)


class Ari:
    """``place.at``: as http://192.0.2.10:8088, with the folder before /ari where there is one."""

    def __init__(self, place: Place) -> None:
        self._place = place

    async def transfer(self, leg: Leg, digits: str) -> Said:
        """As `Hook.transfer` says."""
        return await asyncio.to_thread(self._transfer, leg, digits)

    def _transfer(self, leg: Leg, digits: str) -> Said:
        channel = self._channel_of(leg.sip_call_id)
        if channel is None:
            return Said(False, "the PBX has no channel of this call any more")
        where = {"context": self._place.context, "extension": digits, "priority": "1"}
        status, text = self._ask("POST", f"channels/{_quoted(channel)}/continue", where)
        if status == 409:
            return Said(False, NOT_IN_STASIS)
        return Said(200 <= status < 300, f"{status} {_message(text)}".strip())

    def _channel_of(self, sip_call_id: str) -> str | None:
        status, text = self._ask("GET", "channels", {})
        if status != 200:
            raise HookError(f"the PBX does not list its channels: {status} {_message(text)}")
        for channel in json.loads(text):
            variable = _CALL_ID.get(str(channel["name"]).partition("/")[0])
            if variable is None:
                continue
            path = f"channels/{_quoted(channel['id'])}/variable"
            status, text = self._ask("GET", path, {"variable": variable})
            if status == 200 and json.loads(text).get("value") == sip_call_id:
                return str(channel["id"])
        return None

    def _ask(self, method: str, path: str, query: dict[str, str]) -> tuple[int, str]:
        url = f"{self._place.at.rstrip('/')}/ari/{path}"
        if query:
            url += "?" + urllib.parse.urlencode(query)
        return request(self._place, method, url)


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _message(text: str) -> str:
    try:
        said: Any = json.loads(text)
    except ValueError:
        return text[:300]
    return str(said.get("message", "")) if isinstance(said, dict) else ""
