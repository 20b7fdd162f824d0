"""When a challenge is answered, when it is not, and that a refusal is said once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from carrier_adapters.contract import ByAddress, Carrier, Digest, Trunk
from kemi.pace import MOST_TRIES

FRESH = 'Digest realm="city", nonce="n1", qop="auth"'
STALE = 'Digest realm="city", nonce="n2", qop="auth", stale=true'


class City(Carrier):
    name = "city"
    trunks = (
        Trunk("north", auth=Digest("ours", "city_north", realm="city")),
        Trunk("west", auth=ByAddress()),
    )


@pytest.fixture
def worker() -> Any:
    secrets = {"city_north": "canary"}
    return SimpleNamespace(
        carriers={"city": City()}, secret=lambda name: secrets.get(name, ""), said={}, kept=secrets
    )


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from kemi import credentials

    lines: list[str] = []
    monkeypatch.setattr(credentials.do, "log_error", lines.append)
    return lines


def answer(worker: Any, challenge: str, asked: int = 0, trunk: str = "north") -> str:
    from kemi import credentials

    return credentials.answer(
        worker, "city", trunk, 407, "INVITE", "sip:1@192.0.2.1", asked, challenges=[challenge]
    )


def test_a_challenge_is_answered_and_the_secret_is_not_in_it(worker: Any) -> None:
    header = answer(worker, FRESH)
    assert header.startswith('Proxy-Authorization: Digest username="ours", realm="city"')
    assert "canary" not in header
    assert answer(worker, FRESH) != header  # another cnonce


def test_a_second_challenge_is_a_refusal_unless_the_nonce_was_too_old(
    worker: Any, said: list[str]
) -> None:
    assert answer(worker, FRESH, asked=1) == ""
    assert answer(worker, STALE, asked=1) != ""
    assert answer(worker, STALE, asked=MOST_TRIES) == ""
    assert len(said) == 1 and "refuses our user or the secret city_north" in said[0]


def test_another_realm_than_ours_is_not_answered(worker: Any, said: list[str]) -> None:
    assert answer(worker, FRESH.replace("city", "elsewhere")) == ""
    assert "realm" in said[0]


def test_a_missing_secret_is_said_once_with_its_mend(worker: Any, said: list[str]) -> None:
    worker.kept.clear()
    assert [answer(worker, FRESH), answer(worker, FRESH)] == ["", ""]
    assert len(said) == 1 and "carriers secret set city_north" in said[0]


def test_who_is_trusted_by_address_has_nothing_to_answer(worker: Any, said: list[str]) -> None:
    assert answer(worker, FRESH, trunk="west") == ""
    assert answer(worker, FRESH, trunk="gone") == ""
    assert said == []
