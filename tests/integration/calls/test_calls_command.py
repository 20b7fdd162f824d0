"""`portgate calls` over a real PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from click.testing import CliRunner, Result

from gateway.calls.ingest import Ingest
from gateway.cli import calls
from gateway.home import Home
from gateway.stack.problems import NotRunning
from tests.integration.calls.test_ingest import worker_file
from tests.integration.calls.tools import append, call_id, lines, whole_call

RULES = (("number", "+74951230000 is in service"),)


class There(Home):
    """A home whose database is the test's."""

    dsn: str = ""

    @property
    def postgres_dsn(self) -> str:
        return There.dsn


@pytest.fixture
def portgate(tmp_path: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    folder = tmp_path / "journal"
    told = [whole_call(1, rules=RULES), whole_call(2)[:3]]
    append(worker_file(folder), b"".join(lines(call) for call in told))

    async def store() -> None:
        connection = await asyncpg.connect(dsn)
        await Ingest(folder, dsn).step(connection)
        await connection.close()

    asyncio.run(store())
    monkeypatch.setattr(There, "dsn", dsn)
    monkeypatch.setattr(calls, "this_home", lambda: There(tmp_path))
    yield lambda *words: CliRunner().invoke(calls.calls, words)


def test_calls_are_listed_for_people_and_for_scripts(portgate: Any) -> None:
    listed: Result = portgate("list")
    found = json.loads(portgate("list", "--json").output)["calls"]

    assert "the caller hung up" in listed.output
    assert [call["id"] for call in found] == [call_id(2), call_id(1)]
    assert (found[1]["talk_ms"], found[1]["phase"]) == (1000, "ended")
    assert found[1]["started_at"].endswith("Z")
    live = json.loads(portgate("list", "--json", "--phase", "live").output)["calls"]
    assert [call["id"] for call in live] == [call_id(2)]


def test_one_call_is_shown_with_rules_and_events(portgate: Any) -> None:
    told = portgate("show", call_id(1)).output
    found = json.loads(portgate("show", call_id(1), "--json").output)

    assert "number: +74951230000 is in service" in told
    assert [event["kind"] for event in found["events"]] == ["start", "ring", "answer", "end"]
    assert found["call"]["rules"] == [list(rule) for rule in RULES]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("show", "12"), "32 digits"),
        (("show", "f" * 32), "no call"),
        (("list", "--phase", "over"), "over"),
        (("list", "--limit", "0"), "limit"),
    ],
)
def test_a_wrong_question_is_answered_with_what_is_wrong(
    portgate: Any, words: tuple[str, ...], complaint: str
) -> None:
    answer = portgate(*words)

    assert answer.exit_code != 0
    assert complaint in answer.output
    assert "Traceback" not in answer.output


def test_without_a_running_stack_it_says_so(portgate: Any, tmp_path: Path) -> None:
    There.dsn = f"postgresql://portgate@/portgate?host={tmp_path}"

    assert isinstance(portgate("list").exception, NotRunning)
