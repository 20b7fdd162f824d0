"""Lock-in: what leaving a PBX's vendor would cost, and how far the exit has come; it only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from number_registry.operations.selection import known, names
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

NO_PRICES = "prices of contracts are not recorded yet"
_OVER = ("released", "cooling")


def report(
    pbx: str, tenancies: Sequence[Mapping[str, Any]], contracts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What scripts read, from rows of lockin_tenancies and lockin_contracts.

    ``numbers``: those still rented through the PBX, which leaving it would lose. ``left``: those
    that were, with the date. ``exit_percent``: how much of all that ever was is left behind; 100
    where nothing ever was.
    """
    held = [row for row in tenancies if row["state"] not in _OVER]
    left = sorted(
        (row for row in tenancies if row["state"] in _OVER),
        key=lambda row: (row["left_at"] or row["state_since"], row["e164"]),
    )
    return {
        "pbx": pbx,
        "numbers": [_number(row) for row in held],
        "left": [{"e164": f"+{row['e164']}", "contract": row["contract"],
                  "at": row["left_at"] or row["state_since"]} for row in left],
        "contracts": [dict(row) for row in contracts],
        "monthly_cost": None,
        "monthly_cost_reason": NO_PRICES,
        "exit_percent": round(100 * len(left) / len(tenancies), 1) if tenancies else 100.0,
    }  # fmt: skip


def _number(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "e164": f"+{row['e164']}",
        "city": row["city"],
        "contract": row["contract"],
        "carrier": row["carrier"],
        "addendum": row["addendum"],
        "state": row["state"],
        "since": row["state_since"],
        # a second contract that does not pass this vendor keeps the number
        "instead": row["instead"] or "",
    }


async def read(connection: Connection, pbx: str) -> dict[str, Any]:
    """The report on one PBX. Raises UnknownError."""
    known("PBX", pbx, (await names(connection)).pbxs)
    return report(
        pbx,
        await connection.fetch(SQL["lockin_tenancies"], pbx),
        await connection.fetch(SQL["lockin_contracts"], pbx),
    )
