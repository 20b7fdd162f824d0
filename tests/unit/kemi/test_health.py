"""A gateway that does not answer is tried last, and never given up on old hearsay."""

from __future__ import annotations

import json
import os
import time

import pytest

from kemi.health import STALE_S
from tests.unit.kemi.conftest import Gateway, invite

NORTHLINE = ("192.0.2.2", 5060)
FIRST, SECOND = "sip:198.51.100.21:5060;transport=udp", "sip:198.51.100.22:5060;transport=udp"


def say(gateway: Gateway, text: str, age_s: float = 0.0) -> None:
    path = gateway.folder / "snapshot/health.json"
    path.write_text(text)
    at = time.time() - age_s
    os.utime(path, (at, at))
    gateway.router.worker._next_check = gateway.router.worker._next_refresh = 0.0


def down(*uris: str) -> str:
    states = {uri: {"owner": "PBX old", "state": "down", "since": 0} for uri in uris}
    return json.dumps({"version": 1, "gateways": states})


def rung(gateway: Gateway) -> str:
    ksr = gateway.receives(invite("+74951230001", "+79160000001"), NORTHLINE)
    assert len(ksr.sent) == 1
    return str(gateway.events()[-1]["dst"])


def test_the_first_address_is_rung_while_nothing_speaks_against_it(gateway: Gateway) -> None:
    say(gateway, down())
    assert rung(gateway) == FIRST


def test_a_dead_first_address_costs_the_call_no_time(gateway: Gateway) -> None:
    say(gateway, down(FIRST))
    assert rung(gateway) == SECOND


def test_when_all_are_down_they_are_tried_in_their_order(gateway: Gateway) -> None:
    say(gateway, down(FIRST, SECOND))
    assert rung(gateway) == FIRST


@pytest.mark.parametrize("text", ["", "[]", '{"gateways": 7}', '{"gateways": {"a": 1}}', "\0"])
def test_a_broken_file_accuses_nobody_and_is_said(gateway: Gateway, text: str) -> None:
    say(gateway, text)
    assert rung(gateway) == FIRST
    assert any("health.json cannot be used" in said for _, said in gateway.ksr.log)


def test_hearsay_that_nobody_renews_is_forgotten(gateway: Gateway) -> None:
    say(gateway, down(FIRST), age_s=STALE_S + 1)
    assert rung(gateway) == FIRST


def test_without_a_file_all_are_well(gateway: Gateway) -> None:
    say(gateway, down(FIRST))
    assert rung(gateway) == SECOND
    (gateway.folder / "snapshot/health.json").unlink()
    gateway.router.worker._next_check = gateway.router.worker._next_refresh = 0.0
    assert rung(gateway) == FIRST
