"""Limits of trunks, as a SIP worker keeps them; several workers are told by the same tables."""

from __future__ import annotations

import pytest

from carrier_adapters.contract import Carrier, Trunk
from kemi import limits
from kemi.limits import Limits
from tests.unit.kemi.conftest import Gateway


class Narrow(Carrier):
    name = "narrow"
    trunks = (
        Trunk("a", proxies=("sip:192.0.2.200",), channels=2),
        Trunk("b", proxies=("sip:192.0.2.201",), channels=1, calls_per_second=2),
        Trunk("wide", proxies=("sip:192.0.2.202",)),
    )


@pytest.fixture
def narrow(gateway: Gateway) -> Limits:
    gateway.ksr.world.tables |= {"trunks": Counted(), "held": {}, "starts": Counted()}
    return Limits({"narrow": Narrow()})


class Counted(dict[str, "str | int"]):
    """A table with initval=0."""

    def get(self, key: str, default: object = None) -> str | int:
        return super().get(key, 0)


def test_a_trunk_without_limits_is_never_counted(narrow: Limits, gateway: Gateway) -> None:
    assert [narrow.take(f"c{n}", "narrow", "wide") for n in range(9)] == [""] * 9
    assert gateway.ksr.world.tables["trunks"] == {}


def test_a_full_trunk_says_why(narrow: Limits) -> None:
    said = [narrow.take(f"c{n}", "narrow", "a") for n in range(3)]
    assert said == ["", "", "all 2 channels are in use"]
    narrow.free("c0")
    assert narrow.take("c3", "narrow", "a") == ""


def test_what_ends_twice_is_counted_once(narrow: Limits, gateway: Gateway) -> None:
    narrow.take("c1", "narrow", "a")
    narrow.free("c1")
    narrow.free("c1")
    assert gateway.ksr.world.tables["trunks"]["narrow/a"] == 0


def test_an_emergency_call_is_counted_and_not_refused(narrow: Limits) -> None:
    assert narrow.take("c1", "narrow", "b") == ""
    assert narrow.take("112", "narrow", "b", urgent=True) == ""
    narrow.free("112")
    assert narrow.take("c2", "narrow", "b") == "its only channel is in use"


def test_what_the_daemon_found_is_added(narrow: Limits, gateway: Gateway) -> None:
    """After a restart Kamailio counts from nothing, and two calls are up."""
    gateway.ksr.world.tables["trunks"]["mend:narrow/a"] = 2
    assert narrow.take("c1", "narrow", "a") == "all 2 channels are in use"
    gateway.ksr.world.tables["trunks"]["mend:narrow/a"] = 1
    assert narrow.take("c1", "narrow", "a") == ""


def test_a_call_that_goes_on_keeps_what_it_came_by(narrow: Limits, gateway: Gateway) -> None:
    narrow.take("c1", "narrow", "a", urgent=True)
    narrow.take("c1", "narrow", "b")
    narrow.leave("c1", "narrow", "b")
    tables = gateway.ksr.world.tables["trunks"]
    assert (tables["narrow/a"], tables["narrow/b"]) == (1, 0)
    narrow.free("c1")
    assert tables["narrow/a"] == 0


def test_no_second_has_more_calls_than_may_start(
    narrow: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[float] = []
    for ms in range(10_000, 14_000, 70):
        monkeypatch.setattr(limits.time, "monotonic_ns", lambda ms=ms: ms * 1_000_000)
        if limits.may_start("narrow/b", 2):
            started.append(ms)
    assert len(started) == 8
    assert all(later - first >= 1000 for first, later in zip(started, started[2:], strict=False))


def test_a_channel_is_free_with_the_last_of_the_answers(narrow: Limits, gateway: Gateway) -> None:
    """A dialog that is none of them (an attempt given up that answered late) frees nothing."""
    used = gateway.ksr.world.tables["trunks"]
    assert narrow.take("c", "narrow", "b") == ""
    for tag in ("one", "two", "one"):
        narrow.answered("c", tag)
    for tag in ("late", "one", "one"):
        narrow.hung_up("c", tag)
        assert used["narrow/b"] == 1
    narrow.hung_up("c", "two")
    assert used["narrow/b"] == 0
    narrow.hung_up("c", "two")
    assert used["narrow/b"] == 0
