"""Reads through KSR which attempt of a call an answer belongs to, and the dialog that it makes; it
decides nothing.
"""

from __future__ import annotations

import KSR

from kemi.ksr_message import record_routes


def from_tag() -> str:
    return KSR.pv.gete("$ft")


def from_uri() -> str:
    return KSR.kx.get_furi() or ""


def to_uri() -> str:
    return KSR.kx.get_turi() or ""


def branch() -> int:
    """In a reply callback: which attempt is answered, from 0, as tm counts them."""
    return int(KSR.pv.gete("$T_branch_idx") or 0)


def via_branch() -> int:
    """The same, before tm has seen the answer: the end of what it wrote into our Via."""
    number = str(KSR.pv.gete("$sel(via[1].branch)")).rpartition(".")[2]
    # tm writes its digits the other way round
    return int(number[::-1], 16) if number.isalnum() and number.isascii() else 0


def next_branch() -> int:
    """In a failure callback: that of the attempt which `ksr_effects.relay` would make."""
    return int(KSR.pv.gete("$T_branch_idx") or 0)


def far_routes() -> list[str]:
    """Record-Routes between us and the called side, topmost first: those above our own (RFC 3261,
    section 16.6 step 4).
    """
    routes: list[str] = []
    try:
        found = record_routes()
    except UnicodeDecodeError:
        return routes
    for route in found:
        if ";pg=" in route or ";pm=" in route:
            break
        routes.append(route)
    return routes


def record_route_token() -> str:
    """The token in our own Record-Route, in an answer; empty where there is none."""
    return next((part for part in map(_token, record_routes()) if part), "")


def masked_record_route_token() -> str:
    """The same of a masked call: all its parts, put together."""
    return "".join(
        route.partition(";pm=")[2].partition(";")[0].rstrip(">") for route in record_routes()
    )


def _token(route: str) -> str:
    return route.partition(";pg=")[2].partition(";")[0].rstrip(">")
