"""The addresses of the API, version 1; each handler asks one thing and renders it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from sanic import Blueprint, HTTPResponse, Request

from admin_api.asking import Asked, cursor
from admin_api.problems import Problem, no_such
from number_registry.model import State

v1 = Blueprint("v1", url_prefix="/v1")

PHASES = ("setup", "ringing", "live", "ended")
DIRECTIONS = ("in", "out")
STATES = tuple(state.label for state in State)


def answer(content: dict[str, Any]) -> HTTPResponse:
    """JSON; times in UTC to the millisecond."""
    return HTTPResponse(msgspec.json.encode(content, enc_hook=str), content_type="application/json")


@v1.get("/health", name="health")
async def health(request: Request) -> HTTPResponse:
    """Whether the API and what it needs are there; the only address that asks for no token."""
    Asked(request.query_string, ())
    try:
        await request.app.ctx.database.rows("api_ping")
    except Problem:
        return answer({"status": "degraded", "parts": {"api": "ok", "postgresql": "down"}})
    return answer({"status": "ok", "parts": {"api": "ok", "postgresql": "ok"}})


@v1.get("/status", name="status")
async def status(request: Request) -> HTTPResponse:
    """How much there is of everything."""
    Asked(request.query_string, ())
    found = await request.app.ctx.database.row("api_status")
    return answer({"status": "ok", **_times(found)})


@v1.get("/numbers", name="numbers")
async def numbers(request: Request) -> HTTPResponse:
    """Numbers in their order, by pages: ?city= ?pbx= ?carrier= ?state= ?limit= ?cursor=."""
    asked = Asked(request.query_string, ("city", "pbx", "carrier", "state", "limit", "cursor"))
    limit, state = asked.limit(), asked.one_of("state", STATES)
    filters = [asked.text(name) for name in ("city", "pbx", "carrier")]
    rows = await request.app.ctx.database.rows(
        "api_numbers", limit + 1, asked.number_cursor(), *filters, state
    )
    page = rows[:limit]
    shown = [{**row, "e164": f"+{row['e164']}"} for row in page]
    more = cursor(page[-1]["e164"]) if len(rows) > limit else None
    return answer({"numbers": shown, "next_cursor": more})


@v1.get("/pbxs", name="pbxs")
async def pbxs(request: Request) -> HTTPResponse:
    """Every PBX."""
    Asked(request.query_string, ())
    return answer({"pbxs": await request.app.ctx.database.rows("list_pbxs")})


@v1.get("/carriers", name="carriers")
async def carriers(request: Request) -> HTTPResponse:
    """Every carrier."""
    Asked(request.query_string, ())
    return answer({"carriers": await request.app.ctx.database.rows("list_carriers")})


@v1.get("/calls", name="calls")
async def calls(request: Request) -> HTTPResponse:
    """Call records, newest first, by pages: ?phase= ?direction= ?limit= ?cursor=."""
    asked = Asked(request.query_string, ("phase", "direction", "limit", "cursor"))
    page, more = await _page(request, "list_calls", asked)
    return answer({"calls": page, "next_cursor": more})


@v1.get("/conversations", name="conversations")
async def conversations(request: Request) -> HTTPResponse:
    """One line for all legs of a call through a PBX, newest first: ?phase= ?direction= ?limit=
    ?cursor=.
    """
    asked = Asked(request.query_string, ("phase", "direction", "limit", "cursor"))
    page, more = await _page(request, "list_conversations", asked)
    return answer({"conversations": page, "next_cursor": more})


async def _page(
    request: Request, query: str, asked: Asked
) -> tuple[list[dict[str, Any]], str | None]:
    """One page of calls or of conversations, and the cursor of the next."""
    limit = asked.limit()
    rows = await request.app.ctx.database.rows(
        query,
        limit + 1,
        *asked.call_cursor(),
        asked.one_of("phase", PHASES),
        asked.one_of("direction", DIRECTIONS),
    )
    page = rows[:limit]
    more = cursor(page[-1]["started_at"], page[-1]["id"]) if len(rows) > limit else None
    return [_times(row) for row in page], more


@v1.get("/calls/<id:str>", name="call")
async def call(request: Request, id: str) -> HTTPResponse:
    """One call with its events, and every leg of its conversation."""
    Asked(request.query_string, ())
    if not re.fullmatch(r"[0-9a-f]{32}", id):
        raise no_such("call")
    found = await request.app.ctx.database.row("show_call", id)
    if found is None:
        raise no_such("call")
    events = await request.app.ctx.database.rows("show_call_events", id)
    shown = [
        {"at": _time(event["at"]), "kind": event["kind"], "data": event["data"]} for event in events
    ]
    legs = await request.app.ctx.database.rows("show_legs", id)
    told = [_times(leg) for leg in legs]
    return answer({"call": _times(found), "events": shown, "legs": told})


def _times(row: dict[str, Any] | None) -> dict[str, Any]:
    return {
        key: _time(value) if isinstance(value, datetime) else value
        for key, value in (row or {}).items()
    }


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
