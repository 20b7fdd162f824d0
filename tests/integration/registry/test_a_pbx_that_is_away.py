"""Numbers that are about to move to a PBX that nobody reaches: the plan says so, and goes on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from gateway import registered
from gateway.health.watch import FILE as HEALTH

from .commands import Portgate, on_database

NOT_REGISTERED = "PBX shop is not registered now: calls to it would fail"
PLACE = "sip:192.0.2.77:5060;transport=udp"


@pytest.fixture
def portgate(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Portgate:
    portgate = on_database(dsn, tmp_path, monkeypatch)
    portgate("pbx", "add", "shop", "--trust", "register", "--account", "shop-account")
    return portgate


def registers(folder: Path, *, answers: bool) -> None:
    """As SIP workers and the daemon note it."""
    snapshot = folder / "snapshot"
    snapshot.mkdir(exist_ok=True)
    binding = {
        "contact": "sip:shop@192.0.2.77:5060", "received": "", "expires": time.time() + 60,
        "agent": "a PBX",
    }  # fmt: skip
    (snapshot / registered.FILE).write_text(json.dumps({"accounts": {"shop-account": [binding]}}))
    state = {"state": "up" if answers else "down"}
    (snapshot / HEALTH).write_text(json.dumps({"gateways": {PLACE: state}}))


def test_a_swap_to_a_pbx_that_has_not_registered_says_so_and_may_be_made(
    portgate: Portgate, tmp_path: Path
) -> None:
    planned = portgate.json("pbx", "swap", "old", "shop", "--city", "Kazan", "--plan", status=2)
    assert [one[: len(NOT_REGISTERED)] for one in planned["warnings"]] == [NOT_REGISTERED]
    shown = portgate("pbx", "share", "--city", "Kazan", "shop", "20", "--plan")
    assert f"! {NOT_REGISTERED}" in shown.stderr and "./portgate pbx check shop" in shown.stderr

    registers(tmp_path, answers=False)
    (warning,) = portgate.json("pbx", "swap", "old", "shop", "--plan", status=2)["warnings"]
    assert warning.startswith(f"PBX shop does not answer at {PLACE} now")

    registers(tmp_path, answers=True)
    assert portgate.json("pbx", "swap", "old", "shop", "--plan", status=2)["warnings"] == []
    (tmp_path / "snapshot" / registered.FILE).unlink()
    made = portgate.json("pbx", "swap", "old", "shop", "--city", "Kazan")
    assert made["applied"] and len(made["warnings"]) == 1
    back = portgate.json("pbx", "swap", "shop", "old", "--plan", status=2)
    assert back["warnings"] == [], "nobody has asked the old one"


def test_a_migration_to_a_pbx_that_has_not_registered_says_so_when_planned_and_at_its_steps(
    portgate: Portgate, tmp_path: Path
) -> None:
    words = ("waves", "plan", "old", "shop", "--pilot", "Kazan")
    (warning,) = portgate.json(*words, "--plan", status=2)["warnings"]
    assert warning.startswith(NOT_REGISTERED)
    assert f"! {NOT_REGISTERED}" in portgate(*words).stderr
    assert f"! {NOT_REGISTERED}" in portgate("waves", "start", "--plan").output

    registers(tmp_path, answers=True)
    assert portgate.json(*words)["warnings"] == []
    assert NOT_REGISTERED not in portgate("waves", "start", "--plan").output


def test_one_gateway_that_does_not_answer_is_no_reason_while_another_may(
    portgate: Portgate, tmp_path: Path
) -> None:
    one, two = "sip:192.0.2.1:5060", "sip:192.0.2.2:5060"
    portgate("pbx", "add", "cloud", one, two)
    (tmp_path / "snapshot").mkdir()
    for states, silent in (({one: "down"}, False), ({one: "down", two: "down"}, True)):
        gateways = {f"{uri};transport=udp": {"state": state} for uri, state in states.items()}
        (tmp_path / "snapshot" / HEALTH).write_text(json.dumps({"gateways": gateways}))
        warnings = portgate.json("pbx", "swap", "old", "cloud", "--plan", status=2)["warnings"]
        assert [f"does not answer at {one}, {two}" in said for said in warnings] == [True] * silent
