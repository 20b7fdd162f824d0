"""`call` and `explain` as scripts and people use them, on a running stack."""

from __future__ import annotations

import json

import pytest

from tests.sip.people import World

KEYS = {
    "answered", "final_status", "verdict", "carrier", "pbx", "shown_caller", "dialled", "audio",
    "post_dial_delay_ms", "call_id", "call_record", "trace",
}  # fmt: skip


@pytest.mark.parametrize(
    ("to", "sender", "expected"),
    [
        ("+74951230001", "+79161234567",
         ("pbx", "northline", "old", "+79161234567", "+74951230001")),
        ("8 (843) 222-00-01", "8-916-123-45-67",
         ("pbx", "volga_city", "old", "+79161234567", "+78432220001")),
        ("8 916 123-45-67", "101",
         ("carrier", "northline", "old", "+74951230001", "+79161234567")),
        ("+79161234567", "104",
         ("carrier", "volga_city", "old", "88432220000", "89161234567")),
        ("112", "103",
         ("carrier", "northline", "new", "+74951230000", "112")),
    ],
)  # fmt: skip
def test_a_call_is_placed_and_told_to_a_script(
    world: World, to: str, sender: str, expected: tuple[str, ...]
) -> None:
    done = world.stack.command("call", to, "--from", sender, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert set(told) == KEYS
    assert (told["answered"], told["final_status"]) == (True, 200)
    assert told["audio"] == {"a_to_b": True, "b_to_a": True}
    names = ("verdict", "carrier", "pbx", "shown_caller", "dialled")
    assert tuple(told[name] for name in names) == expected
    assert told["call_record"]["id"] == told["call_id"]
    assert told["call_record"]["talk_ms"] >= 1000
    # SIPp notes the time after it has sent: on a busy machine that is when the answer is there.
    assert told["post_dial_delay_ms"] >= 0


@pytest.mark.parametrize(("answer", "status"), [("busy", 486), ("noanswer", 487)])
def test_a_call_that_is_not_answered_is_an_error_with_its_status(
    world: World, answer: str, status: int
) -> None:
    words = ("call", "+74951230001", "--from", "+79161234567", "--answer", answer, "--json")
    done = world.stack.command(*words)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["answered"], told["final_status"]) == (False, status)
    assert told["call_record"]["final_status"] == status


def test_a_call_survives_a_dead_first_address(world: World) -> None:
    done = world.stack.command(
        "call", "+74951230001", "--from", "+79161234567", "--pbx-first-dead", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["call_record"]["attempts"] == 2


def test_a_person_sees_decision_diff_ladder_result_and_record(world: World) -> None:
    done = world.stack.command("call", "+78432220001", "--from", "+79161234567")
    assert done.returncode == 0, done.stderr
    for part in (
        "is in_service with volga_city",
        "-INVITE sip:2220001@",
        "+INVITE sip:+78432220001@",
        "200 OK +SDP",
        "Both sides heard each other.",
        "the caller hung up",
    ):
        assert part in done.stdout
    assert "\x1b[" not in done.stdout


def test_explain_agrees_with_the_call(world: World) -> None:
    words = ("+79161234567", "--from", "104", "--json")
    explained = json.loads(world.stack.command("explain", *words).stdout)
    placed = json.loads(world.stack.command("call", *words).stdout)
    for name in ("verdict", "carrier", "pbx", "shown_caller", "dialled", "trace"):
        assert explained[name] == placed[name], name


def test_explain_tells_why_a_call_is_refused(world: World) -> None:
    done = world.stack.command("explain", "+74959999999", "--from", "+79161234567", "--json")
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert (told["verdict"], told["status"]) == ("reject", 404)
    assert "not a number of ours" in told["reason"]


def test_nonsense_is_an_error(world: World) -> None:
    done = world.stack.command("explain", "abc", "--from", "101")
    assert done.returncode == 1
    assert "not a phone number" in done.stderr
