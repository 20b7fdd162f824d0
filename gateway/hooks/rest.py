"""A PBX that takes an HTTP request: its URL, method and body are data; it follows no redirect."""

from __future__ import annotations

import asyncio
import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from email.message import Message
from typing import IO

from gateway.hooks.said import HookError, Leg, Place, Said

ANSWER_S = 5.0
_WORDS = 300  # characters of an answer that a person is shown


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """Our credentials go where they were meant to go, and nowhere else."""


_OPEN = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({})).open


def request(place: Place, method: str, url: str, body: str = "") -> tuple[int, str]:
    """Status and text of one request, with our credentials. Raises HookError."""
    made = urllib.request.Request(url, method=method, data=body.encode() or None)
    if body:
        made.add_header("Content-Type", "application/json")
    if place.user:
        pair = base64.b64encode(f"{place.user}:{place.secret}".encode()).decode()
        made.add_header("Authorization", f"Basic {pair}")
    elif place.secret:
        made.add_header("Authorization", f"Bearer {place.secret}")
    try:
        with _OPEN(made, timeout=ANSWER_S) as answer:
            return answer.status, answer.read(1 << 20).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(1 << 16).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        raise HookError(f"{_host(url)} cannot be reached: {error}") from error


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc or "its interface"


class Rest:
    """``place.at``: the URL, ``place.body``: JSON that is posted to it, if any; in both stand
    ``{call_id}``, ``{to}`` and ``{client}``. Where there is no body the request is a POST without
    one. Anything from 200 to 299 is a yes.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    async def transfer(self, leg: Leg, digits: str) -> Said:
        """As `Hook.transfer` says."""
        values = {"call_id": leg.sip_call_id, "to": digits, "client": leg.client}
        url, body = self._place.at, self._place.body
        for name, value in values.items():
            url = url.replace("{" + name + "}", urllib.parse.quote(value, safe=""))
            body = body.replace("{" + name + "}", json.dumps(value)[1:-1])
        status, text = await asyncio.to_thread(request, self._place, "POST", url, body)
        words = " ".join(text.split())[:_WORDS]
        return Said(200 <= status < 300, f"{status} {words}".strip())
