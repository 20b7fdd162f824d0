"""What the HTTP API shows, to whom, and how it says no."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from pathlib import Path

import asyncpg
import pytest

from gateway.calls.ingest import Ingest
from tests.integration.api.conftest import TOKEN, Answer, Api
from tests.integration.calls.tools import append, call_id, lines, whole_call

CALLS = 12
PAGES = (
    "/v1/status",
    "/v1/numbers",
    "/v1/pbxs",
    "/v1/carriers",
    "/v1/calls",
    "/v1/conversations",
    f"/v1/calls/{'a' * 32}",
)


@pytest.fixture(scope="session")
def with_calls(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Api:
    """Twelve calls, of which the last two began in the same microsecond and one is still up."""
    folder = tmp_path_factory.mktemp("journal")
    t = time.time_ns() // 1000 - 10**9
    calls = [whole_call(n, t + min(n, CALLS - 2) * 1_000_000) for n in range(CALLS)]
    calls[3] = calls[3][:3]
    append(folder / "1790000000000-4194304.journal", b"".join(lines(call) for call in calls))

    async def store() -> None:
        connection = await asyncpg.connect(api.dsn)
        ingest = Ingest(folder, api.dsn)
        while await ingest.step(connection):
            pass
        await connection.close()

    asyncio.run(store())
    return api


def problem(answer: Answer, status: int, code: str) -> None:
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json["status"] == status
    assert answer.json["code"] == code
    assert answer.json["type"] == f"urn:portgate:problem:{code}"
    assert re.fullmatch("[0-9a-f]{16}", answer.json["request_id"])
    assert answer.headers["x-request-id"] == answer.json["request_id"]
    for secret in ("Traceback", 'File "', "SELECT", "asyncpg", TOKEN):
        assert secret not in answer.text


def test_health_asks_for_nothing(api: Api) -> None:
    answer = api.ask("/v1/health", token=None)

    assert (answer.status, answer.json["status"]) == (200, "ok")
    assert answer.json["parts"] == {"api": "ok", "postgresql": "ok"}


@pytest.mark.parametrize("path", [*PAGES, "/", "/v1", "/v2/calls", "/v1/health/", "/v1/health/x"])
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN[:-1], TOKEN + "x", "x" * 600])
def test_a_stranger_learns_nothing_but_that_a_token_is_needed(
    api: Api, path: str, token: str | None
) -> None:
    answer = api.ask(path, token)

    problem(answer, 401, "not-authorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("authorization", [f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN} x", "Bearer"])
def test_only_a_bearer_token_counts(api: Api, authorization: str) -> None:
    problem(api.ask("/v1/status", None, Authorization=authorization), 401, "not-authorized")


def test_without_a_token_on_the_machine_nobody_may_ask_and_a_new_one_counts_at_once(
    api: Api,
) -> None:
    try:
        api.token_file.write_text("short\n")
        problem(api.ask("/v1/status", "short"), 503, "no-token")
        api.token_file.unlink()
        problem(api.ask("/v1/status"), 503, "no-token")
        api.token_file.write_text("n" * 40)
        assert api.ask("/v1/status", "n" * 40).status == 200
        problem(api.ask("/v1/status"), 401, "not-authorized")
    finally:
        api.token_file.write_text(TOKEN)


def test_status_counts_what_there_is(with_calls: Api) -> None:
    found = with_calls.ask("/v1/status").json

    assert (found["numbers"], found["pbxs"], found["calls_live"]) == (40, 2, 1)
    assert found["last_call_at"].endswith("Z")


def test_numbers_come_by_pages_each_once_in_order(api: Api) -> None:
    seen, path = [], "/v1/numbers?limit=7"
    while path:
        page = api.ask(path).json
        assert len(page["numbers"]) <= 7
        seen += [number["e164"] for number in page["numbers"]]
        after = page["next_cursor"]
        path = f"/v1/numbers?limit=7&cursor={after}" if after else ""

    assert len(seen) == 40
    assert seen == sorted(set(seen))
    assert seen[0].startswith("+7")


def test_numbers_are_filtered(api: Api) -> None:
    everything = api.ask("/v1/numbers?limit=500").json["numbers"]
    one = everything[0]

    for field in ("city", "pbx", "carrier", "state"):
        found = api.ask(f"/v1/numbers?limit=500&{field}={one[field]}").json["numbers"]
        assert found == [number for number in everything if number[field] == one[field]]
    assert api.ask("/v1/numbers?city=Nowhere").json == {"numbers": [], "next_cursor": None}


def test_pbxs_and_carriers_are_listed(api: Api) -> None:
    pbxs = api.ask("/v1/pbxs").json["pbxs"]
    carriers = api.ask("/v1/carriers").json["carriers"]

    assert [pbx["name"] for pbx in pbxs] == ["new", "old"]
    assert all(pbx["addresses"] for pbx in pbxs)
    names = [carrier["name"] for carrier in carriers]
    assert names == sorted(names) and {"northline", "volga_city"} <= set(names)


def test_calls_come_newest_first_by_pages_each_once(with_calls: Api) -> None:
    seen, path = [], "/v1/calls?limit=5"
    while path:
        page = with_calls.ask(path).json
        seen += [(call["started_at"], call["id"]) for call in page["calls"]]
        after = page["next_cursor"]
        path = f"/v1/calls?limit=5&cursor={after}" if after else ""

    assert len(seen) == CALLS
    assert seen == sorted(set(seen), reverse=True)


def test_calls_are_filtered_by_phase_and_direction(with_calls: Api) -> None:
    live = with_calls.ask("/v1/calls?phase=live").json["calls"]

    assert [call["id"] for call in live] == [call_id(3)]
    assert with_calls.ask("/v1/calls?direction=out").json["calls"] == []


def test_one_call_is_shown_with_its_events(with_calls: Api) -> None:
    found = with_calls.ask(f"/v1/calls/{call_id(1)}").json

    assert (found["call"]["phase"], found["call"]["cause"]) == ("ended", "the caller hung up")
    assert [event["kind"] for event in found["events"]] == ["start", "ring", "answer", "end"]
    assert "state" not in found["call"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/calls/" + "a" * 32, 404, "no-such-call"),
        ("/v1/calls/..%2f..%2fetc", 404, "no-such-call"),
        ("/v1/calls/%00", 404, "no-such-call"),
        ("/v1/nothing", 404, "no-such-page"),
        ("/v1/calls?limit=0", 400, "bad-parameter"),
        ("/v1/calls?limit=501", 400, "bad-parameter"),
        ("/v1/calls?limit=-1", 400, "bad-parameter"),
        ("/v1/calls?limit=%D9%A3", 400, "bad-parameter"),
        ("/v1/calls?limit=5&limit=6", 400, "bad-parameter"),
        ("/v1/calls?phase=over", 400, "bad-parameter"),
        ("/v1/calls?fase=live", 400, "unknown-parameter"),
        ("/v1/calls?", 200, ""),
        ("/v1/calls?phase", 400, "bad-parameter"),
        ("/v1/calls?cursor=", 400, "bad-cursor"),
        ("/v1/calls?cursor=!!!", 400, "bad-cursor"),
        ("/v1/calls?cursor=W10", 400, "bad-cursor"),
        ("/v1/calls?cursor=WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiYSJd", 400, "bad-cursor"),
        ("/v1/numbers?cursor=Wy0xXQ", 400, "bad-cursor"),
        ("/v1/numbers?cursor=WzFlOTldCg", 400, "bad-cursor"),
        ("/v1/numbers?city=%00", 400, "bad-parameter"),
        ("/v1/numbers?state=lost", 400, "bad-parameter"),
        ("/v1/numbers?city='%20OR%201=1--", 200, ""),
        ("/v1/status?x=1", 400, "unknown-parameter"),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_a_code(
    with_calls: Api, path: str, status: int, code: str
) -> None:
    answer = with_calls.ask(path)

    if status == 200:
        assert answer.status == 200
    else:
        problem(answer, status, code)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_yet(api: Api, method: str) -> None:
    problem(api.ask("/v1/numbers", method=method), 405, "method-not-allowed")


def test_no_answer_is_kept_by_anybody(api: Api) -> None:
    headers = api.ask("/v1/status").headers

    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")


def test_the_request_id_is_ours(api: Api) -> None:
    answer = api.ask("/v1/status", **{"X-Request-ID": "chosen\tby a stranger"})

    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-request-id"])


def test_without_postgresql_it_says_so_and_recovers(api: Api) -> None:
    api.services.postgresql.stop()
    try:
        assert api.ask("/v1/health").json["status"] == "degraded"
        answer = api.ask("/v1/numbers")
        problem(answer, 503, "registry-away")
        assert answer.headers["retry-after"] == "2"
    finally:
        api.services.postgresql.start()

    assert api.ask("/v1/numbers").status == 200


def test_an_error_of_our_own_shows_the_client_nothing_and_the_log_everything(api: Api) -> None:
    async def rename(old: str, new: str) -> None:
        connection = await asyncpg.connect(api.dsn)
        await connection.execute(f"ALTER TABLE {old} RENAME TO {new}")
        await connection.close()

    asyncio.run(rename("pbxs", "pbxs_away"))
    try:
        answer = api.ask("/v1/pbxs")
    finally:
        asyncio.run(rename("pbxs_away", "pbxs"))

    problem(answer, 500, "internal")
    assert answer.json["request_id"] in api.log
    assert "UndefinedTableError" in api.log


def test_a_wrong_port_is_said_and_nothing_starts(
    unready: subprocess.CompletedProcess[str], tmp_path: Path
) -> None:
    assert unready.returncode == 1
    assert "PORTGATE_API" in unready.stderr
    assert "Traceback" not in unready.stderr
