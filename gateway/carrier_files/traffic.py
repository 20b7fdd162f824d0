"""What calls say of each trunk: channels in use, and the last failure; it asks no database."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateway.calls.causes import refused

NOT_SENT = "it could not be sent there"


def add(
    entries: Iterable[dict[str, Any]],
    used: Iterable[Mapping[str, Any]],
    failed: Iterable[Mapping[str, Any]],
) -> None:
    """Put into each trunk of an overview ``channels_used`` and ``last_failure``. ``used`` and
    ``failed``: rows of the queries trunks_in_use and trunk_failures. A carrier's own last failure
    is the newest of its trunks, where that is newer: the call may have gone on by another.
    """
    in_use = {(row["carrier"], row["trunk"]): row["used"] for row in used}
    failures = {(row["carrier"], row["trunk"]): _failure(row) for row in failed}
    for entry in entries:
        for trunk in entry["trunks"]:
            place = entry["name"], trunk["name"]
            trunk["channels_used"] = in_use.get(place, 0)
            trunk["last_failure"] = failures.get(place)
        every = [entry["last_failure"], *(trunk["last_failure"] for trunk in entry["trunks"])]
        entry["last_failure"] = max(filter(None, every), key=lambda one: one["at"], default=None)


def _failure(row: Mapping[str, Any]) -> dict[str, Any]:
    words = row["cause"] or (refused(row["status"]) if row["status"] else NOT_SENT)
    if row["q850"]:
        words += f" (Q.850 cause {row['q850']})"
    return {"at": row["at"], "status": row["status"], "cause": words, "call": row["call"]}
