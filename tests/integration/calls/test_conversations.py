"""The legs of one call through a PBX are one conversation: joined by what came back, or by what
PostgreSQL knows of that PBX at that time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.calls.events import Event
from gateway.calls.ingest import Ingest
from gateway.cli import calls
from tests.integration.calls.test_calls_command import There
from tests.integration.calls.test_ingest import worker_file
from tests.integration.calls.tools import append, call_id, database, lines, whole_call

CLIENT, OURS, MOBILE = "+79160000001", "+74951230001", "+79160000002"
T0 = 1_790_000_000_000_000
S = 1_000_000
Stored = Callable[..., dict[int, tuple[int, str]]]


def comes_in(number: int, t: int = T0, **changed: Any) -> list[Event]:
    """A client's call to PBX `old`, live: nobody has hung up yet."""
    facts = {"caller": CLIENT, "called": OURS, **changed}
    return whole_call(number, t, **facts)[:3]


def goes_out(number: int, t: int = T0 + 5 * S, **changed: Any) -> list[Event]:
    """A leg that PBX `old` sends to a mobile."""
    facts = {"dir": "out", "src": "old", "kind": "carrier", "to": "northline", "caller": "101",
             "called": MOBILE}  # fmt: skip
    return whole_call(number, t, **{**facts, **changed})


@pytest.fixture
def stored(tmp_path: Path, dsn: str) -> Stored:
    """Stores calls batch by batch; gives {leg: (its conversation, by what)} by their numbers."""

    def store(*batches: list[Event]) -> dict[int, tuple[int, str]]:
        return asyncio.run(_store(tmp_path / "journal", dsn, batches))

    return store


async def _store(
    folder: Path, dsn: str, batches: tuple[list[Event], ...]
) -> dict[int, tuple[int, str]]:
    ingest = Ingest(folder, dsn)
    async with database(dsn) as connection:
        for batch in batches:
            append(worker_file(folder), lines(batch))
            await ingest.step(connection)
        rows = await connection.fetch("SELECT id, conversation, joined_by FROM calls")
    return {int(row["id"], 16): (int(row["conversation"], 16), row["joined_by"]) for row in rows}


def test_a_leg_that_came_back_with_our_correlation_belongs_to_the_first(stored: Stored) -> None:
    found = stored(comes_in(1) + goes_out(2, conv=call_id(1), client=CLIENT, did=OURS[1:]))
    assert found == {1: (1, ""), 2: (1, "correlation")}


def test_without_it_the_client_in_from_tells_which_call_it_was(stored: Stored) -> None:
    other = comes_in(3, caller="+79160000003")
    found = stored(comes_in(1) + other + goes_out(2, client=CLIENT))
    assert (found[2], found[3]) == ((1, "caller"), (3, ""))


def test_or_the_number_that_diverted_it_where_one_call_to_it_is_live(stored: Stored) -> None:
    history = f"{MOBILE[1:]},{OURS[1:]}"
    assert stored(comes_in(1) + goes_out(2, did=history))[2] == (1, "diversion")


@pytest.mark.parametrize("leg", [{"client": CLIENT}, {"did": OURS[1:]}])
def test_of_two_candidates_neither_is_taken(stored: Stored, leg: dict[str, str]) -> None:
    assert stored(comes_in(1) + comes_in(3) + goes_out(2, **leg))[2] == (2, "")


@pytest.mark.parametrize(
    ("before", "leg"),
    [
        (comes_in(1, to="new"), {"client": CLIENT}),  # at another PBX
        (comes_in(1, kind="reject", to=""), {"client": CLIENT}),
        (comes_in(1, T0 + 60 * S), {"client": CLIENT}),  # began after the leg
        (whole_call(1, T0, caller=CLIENT, called=OURS), {"client": CLIENT}),  # was over by then
        (comes_in(1), {"client": "+79160000009"}),
        (comes_in(1), {"client": CLIENT, "did": "74951230009"}),
        (comes_in(1), {}),
    ],
)
def test_what_does_not_fit_is_not_joined(
    stored: Stored, before: list[Event], leg: dict[str, str]
) -> None:
    assert stored(before + goes_out(2, **leg))[2] == (2, "")


def test_a_leg_told_of_before_its_first_is_joined_when_more_is_heard_of_it(stored: Stored) -> None:
    """Two workers' files may be read in any order, and an event may come twice."""
    leg = goes_out(2, client=CLIENT)
    found = stored(leg[:1], comes_in(1), leg[1:], leg[1:])
    assert found[2] == (1, "caller")


def test_what_follows_a_leg_that_is_joined_later_goes_with_it(stored: Stored) -> None:
    """PBX `old` keeps the client's number, PBX `new` behind it returns our correlation."""
    inside = goes_out(2, kind="pbx", to="new", client=CLIENT)
    last = goes_out(3, T0 + 9 * S, src="new", conv=call_id(2), client=CLIENT)
    assert stored(inside[:1] + last, comes_in(1), inside[1:]) == {
        1: (1, ""),
        2: (1, "caller"),
        3: (1, "correlation"),
    }


def test_statistics_count_a_conversation_once(
    stored: Stored, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(comes_in(1) + goes_out(2, conv=call_id(1)) + whole_call(5, T0 - 60 * S))
    monkeypatch.setattr(There, "dsn", dsn)
    monkeypatch.setattr(calls, "this_home", lambda: There(tmp_path))

    def said(*words: str) -> Any:
        return CliRunner().invoke(calls.calls, words).output

    told = json.loads(said("list", "--conversations", "--json"))["conversations"]
    assert [(one["id"], one["legs"], one["phase"]) for one in told] == [
        (call_id(1), 2, "live"),
        (call_id(5), 1, "ended"),
    ]
    assert (told[0]["caller"], told[0]["called"], told[0]["ended_at"]) == (CLIENT, OURS, None)
    assert "LEGS" in said("list", "--conversations")
    for leg in (1, 2):
        shown = json.loads(said("show", call_id(leg), "--json"))
        assert shown["call"]["conversation"] == call_id(1)
        assert [one["id"] for one in shown["legs"]] == [call_id(1), call_id(2)]
    plain = said("show", call_id(2))
    assert f"{call_id(2)} old -> northline" in plain and "joined by correlation" in plain
    assert "leg  " not in said("show", call_id(5))


def test_a_conversation_is_over_with_its_last_leg(stored: Stored, dsn: str) -> None:
    """The client has hung up, and the PBX has not noticed on the other leg."""
    leg = goes_out(2, T0 + S, conv=call_id(1))[:3]
    stored(whole_call(1, T0, caller=CLIENT) + leg)

    async def seen() -> tuple[str, Any]:
        async with database(dsn) as connection:
            row = await connection.fetchrow("SELECT phase, ended_at FROM conversations")
            return row["phase"], row["ended_at"]

    assert asyncio.run(seen()) == ("live", None)
