"""Who would send a call, how they would write it, and what is decided."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from carrier_adapters import loader
from gateway.trial.known import Inside, Known
from gateway.trial.plan import NoOriginError, plan
from number_registry.call import Reject, Side, ToCarrier, ToPbx
from number_registry.directory import MemoryDirectory, NumberRoute
from number_registry.e164 import E164
from number_registry.model import Address, Pbx, Person, Site, State
from tests.unit.core.deal_company import CITY, MARAT, company

CARRIERS = Path(__file__).resolve().parents[3] / "carrier_adapters"
MOSCOW, KAZAN, CLIENT = E164("74951230000"), E164("78432220000"), E164("79161234567")


@pytest.fixture
def known() -> Known:
    old = Pbx("old", (Address("192.0.2.50"), Address("192.0.2.51", priority=1)))
    directory = _Directory(
        numbers={
            MOSCOW: NumberRoute((("northline", State.IN_SERVICE),), "old"),
            KAZAN: NumberRoute((("volga_city", State.IN_SERVICE),), "old"),
        },
        pbxs={"old": old},
        people={"104": Person("104", "Timur", "operator", KAZAN, "kazan", "old")},
        sites={"kazan": Site("kazan", "volga_city", KAZAN)},
    )
    inside = Inside("192.0.2.100", "192.0.2.100", 5060, {}, "", {})
    return Known(directory, dict(loader.load(CARRIERS).carriers), inside)  # type: ignore[arg-type]


class _Directory:
    """MemoryDirectory with the list of PBXs that the published directory has."""

    def __init__(self, **values: object) -> None:
        self._memory = MemoryDirectory(**values)  # type: ignore[arg-type]

    @classmethod
    def of(cls, memory: MemoryDirectory) -> _Directory:
        found = cls()
        found._memory = memory
        return found

    def __getattr__(self, name: str) -> object:
        return getattr(self._memory, name)

    def pbxs(self) -> list[Pbx]:
        return list(self._memory.pbxs.values())


def test_an_outside_caller_comes_by_the_carrier_that_rents_the_number(known: Known) -> None:
    found = plan(known, MOSCOW, CLIENT)
    assert (found.peer.side, found.peer.name, found.peer.trunk) == (
        Side.CARRIER,
        "northline",
        "moscow",
    )
    assert isinstance(found.verdict, ToPbx)
    assert found.invite.request_user == "+74951230000"


def test_a_carrier_that_sends_seven_digits_is_imitated(known: Known) -> None:
    found = plan(known, KAZAN, CLIENT)
    assert found.invite.request_user == "2220000"
    assert found.invite.headers["P-Asserted-Identity"] == "89161234567"
    assert (found.read.called, found.read.caller) == (KAZAN, CLIENT.plus)


def test_an_extension_calls_from_its_pbx_and_the_call_is_written_for_the_carrier(
    known: Known,
) -> None:
    found = plan(known, CLIENT, "104")
    assert isinstance(found.verdict, ToCarrier)
    assert found.source.host == "192.0.2.50"
    assert found.written is not None
    assert found.written.request_user == "89161234567"
    assert ("P-Asserted-Identity", "<sip:88432220000@{us}>") in found.written.headers
    # the gateways of Kazan, then that of the carrier's other trunk
    assert [address.host for address in found.far] == ["192.0.2.18", "192.0.2.19", "192.0.2.26"]


def test_a_number_of_ours_as_the_caller_means_its_pbx(known: Known) -> None:
    assert plan(known, CLIENT, MOSCOW).peer.side is Side.PBX


def test_a_number_that_is_not_ours_is_refused_as_a_carrier_would_see_it(known: Known) -> None:
    found = plan(known, E164("74959999999"), CLIENT)
    assert isinstance(found.verdict, Reject)
    assert found.written is None
    assert found.far == ()


def test_an_extension_nobody_has_cannot_call(known: Known) -> None:
    with pytest.raises(NoOriginError, match="neither an extension"):
        plan(known, CLIENT, "999")


# -- SIMs of ours and deals --------------------------------------------------------------------


@pytest.fixture
def agency() -> Known:
    inside = Inside("192.0.2.100", "192.0.2.100", 5060, {}, "", {})
    directory, carriers = company(), dict(loader.load(CARRIERS).carriers)
    return Known(directory, carriers, inside)  # type: ignore[arg-type]


@pytest.mark.parametrize("sender", ["203", MARAT])
def test_an_agent_dials_a_deal_from_the_sim(agency: Known, sender: str) -> None:
    found = plan(agency, "4711", sender)
    assert (found.peer.name, found.peer.trunk, found.read.from_sim) == (
        "steppe_mobile",
        "sims",
        True,
    )
    assert found.invite.headers["P-Asserted-Identity"] == MARAT.plus
    assert (found.carrier, found.read.called) == ("northline", "4711")
    assert found.written is not None and found.written.from_user == CITY.plus


def test_a_client_is_put_through_from_a_pbx_to_the_sim(agency: Known) -> None:
    agency = replace(agency, directory=_Directory.of(company()))  # type: ignore[arg-type]
    found = plan(agency, "203*4711", "121")
    assert (found.peer.side, found.carrier, found.pbx) == (Side.PBX, "steppe_mobile", "old")
    assert found.written is not None
    assert (found.written.request_user, found.written.from_user) == (MARAT.plus, "4711")
    assert [address.host for address in found.far] == ["198.51.100.162"]


def test_a_call_to_a_sim_from_outside_comes_by_its_operator_and_reaches_operators(
    agency: Known,
) -> None:
    found = plan(agency, MARAT, CLIENT)
    assert (found.peer.name, found.peer.trunk) == ("steppe_mobile", "sims")
    assert isinstance(found.verdict, ToPbx) and found.pbx == "old"


def test_an_extension_behind_a_pbx_is_dialled_as_such(agency: Known) -> None:
    found = plan(agency, "121", MARAT)
    assert found.written is not None
    assert (found.written.request_user, found.written.from_user) == ("121", "203")
