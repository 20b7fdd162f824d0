"""The published directory answers as the one in memory does."""

from __future__ import annotations

from typing import Any

import pytest

from number_registry.cache_layout import GroupCell, NumberCell, pack_group, pack_number
from number_registry.compact_directory import CompactDirectory
from number_registry.directory import NumberRoute
from number_registry.e164 import E164
from number_registry.errors import CacheCorruptError
from number_registry.model import Address, Pbx, PbxState, Person, Scenario, Site, State
from number_registry.pbx_profile import Profile

CONTENT: dict[str, Any] = {
    "version": 1,
    "carriers": [None, "northline", "volga_city"],
    "pbxs": [
        None,
        {
            "name": "old",
            "state": "in_service",
            "addresses": [
                {"uri": "sip:192.0.2.21:5060", "priority": 0},
                {"uri": "sip:192.0.2.22;transport=tcp", "priority": 1},
            ],
            "profile": {"sources": ["192.0.2.21/32"], "did_format": "digits"},
        },
        None,  # a PBX that is gone; its index is never given again
        {"name": "new", "state": "suspended", "addresses": [], "profile": {}},
    ],
    "people": {
        "101": {"person": "Vera", "role": "supervisor", "shown": "74951230001", "site": "office",
                "pbx": "old"},
        "102": {"person": "Oleg", "role": "operator", "shown": "", "site": "office", "pbx": ""},
        "203": {"person": "Marat", "role": "agent", "shown": "", "site": "office", "pbx": "",
                "mobile": "79360001203", "mobile_carrier": "steppe_mobile"},
        "204": {"person": "Lena", "role": "gone", "shown": "", "site": "office", "pbx": ""},
    },
    "roles": {
        "supervisor": {"dials_outside": "allowed", "shows": "own", "rung_by": ["anyone"]},
        "operator": {"dials_outside": "allowed", "shows": "own", "rung_by": ["anyone"]},
        "agent": {"dials_outside": "deals_only", "shows": "city", "rung_by": ["operator"]},
    },
    "sites": {
        "office": {"city": "Moscow", "carrier": "northline", "callback": "74951230000"},
        "annex": {"city": "Kazan", "carrier": "volga_city", "callback": "78432220000"},
    },
    "emergency": ["101", "112"],
}  # fmt: skip
NUMBER = E164("74951230001")


class Cells:
    """Packed values as a snapshot would give them."""

    def __init__(self, cell: NumberCell | None = None, **groups: GroupCell) -> None:
        self.cell = cell
        self.groups = {int(name[1:]): cell for name, cell in groups.items()}

    def number(self, e164: int) -> int:
        return pack_number(e164, self.cell) if self.cell and e164 == int(NUMBER) else 0

    def group(self, index: int) -> int:
        return pack_group(index, self.groups[index]) if index in self.groups else 0


def directory(cell: NumberCell | None = None, **groups: GroupCell) -> CompactDirectory:
    return CompactDirectory(Cells(cell, **groups), CONTENT)


def test_a_number_is_named_by_carrier_state_and_pbx() -> None:
    found = directory(NumberCell(7, 1, State.IN_SERVICE, scenario=1), g7=GroupCell(1)).number(
        NUMBER
    )
    assert found == NumberRoute((("northline", State.IN_SERVICE),), "old", Scenario.DIRECT)


def test_a_number_that_moves_has_both_tenancies_in_order() -> None:
    cell = NumberCell(7, 1, State.PORTING_OUT, 2, State.PORTING_IN)
    found = directory(cell, g7=GroupCell(1)).number(NUMBER)
    assert found is not None
    assert found.tenancies == (
        ("northline", State.PORTING_OUT),
        ("volga_city", State.PORTING_IN),
    )


def test_an_unknown_number_is_none() -> None:
    assert directory().number(NUMBER) is None


@pytest.mark.parametrize(
    "groups", [{}, {"g7": GroupCell(0)}, {"g7": GroupCell(2)}, {"g7": GroupCell(60000)}]
)
def test_a_group_that_points_nowhere_attaches_to_no_pbx(groups: dict[str, GroupCell]) -> None:
    found = directory(NumberCell(7, 1, State.IN_SERVICE), **groups).number(NUMBER)
    assert found is not None and found.pbx == ""


def test_a_number_without_a_group_is_attached_to_none() -> None:
    found = directory(NumberCell(0, 1, State.IN_SERVICE)).number(NUMBER)
    assert found is not None and found.pbx == ""


@pytest.mark.parametrize("carrier", [0, 3, 1000])
def test_a_carrier_that_is_not_in_the_directory_gives_no_tenancy(carrier: int) -> None:
    found = directory(NumberCell(0, carrier, State.IN_SERVICE)).number(NUMBER)
    assert found is not None and found.tenancies == ()


def test_pbxs_come_with_addresses_sources_and_state() -> None:
    compact = directory()
    assert compact.pbx("old") == Pbx(
        "old",
        (Address("192.0.2.21"), Address.parse("sip:192.0.2.22;transport=tcp", 1)),
        ("192.0.2.21/32",),
        PbxState.IN_SERVICE,
        Profile(did_format="digits"),
    )
    new = compact.pbx("new")
    assert new is not None and new.state is PbxState.SUSPENDED
    assert compact.pbx("another") is None
    assert [pbx.name for pbx in compact.pbxs()] == ["old", "new"]


def test_an_extension_is_found_from_its_own_pbx() -> None:
    compact = directory()
    assert compact.person("101", "old") == Person(
        "101", "Vera", "supervisor", E164("74951230001"), "office", "old"
    )
    assert compact.person("101", "new") is None


def test_a_person_is_found_by_their_sim_and_has_what_their_role_may() -> None:
    sim = E164("79360001203")
    marat = directory().sim(sim)
    assert marat == directory().person("203", "old")
    assert marat is not None and (marat.mobile, marat.mobile_carrier) == (sim, "steppe_mobile")
    assert (marat.dials_outside, marat.shows, marat.rung_by) == (
        "deals_only",
        "city",
        ("operator",),
    )
    assert directory().sim(NUMBER) is None


def test_a_role_that_is_not_published_may_nothing() -> None:
    lena = directory().person("204", "old")
    assert lena is not None and (lena.dials_outside, lena.rung_by) == ("deals_only", ())


def test_an_extension_without_a_pbx_is_found_from_any() -> None:
    found = directory().person("102", "new")
    assert found is not None and found.shown is None


def test_the_main_site_is_the_first_by_name() -> None:
    compact = directory()
    assert compact.site("office") == Site("office", "northline", E164("74951230000"))
    main = compact.site("")
    assert main is not None and main.name == "annex"
    assert compact.site("nowhere") is None


def test_emergency_numbers_are_known() -> None:
    assert directory().emergency() == {"101", "112"}


@pytest.mark.parametrize(
    "damage",
    [
        {"carriers": None},
        {"pbxs": [None, {"name": "old"}]},
        {"pbxs": [None, {**CONTENT["pbxs"][1], "state": "on fire"}]},
        {"pbxs": [None, {**CONTENT["pbxs"][1], "addresses": [{"uri": "http://x", "priority": 0}]}]},
        {"people": {"101": {}}},
        {"sites": {"office": {"carrier": "northline", "callback": "12"}}},
        {"emergency": 5},
    ],
)
def test_a_directory_that_is_not_as_we_write_it_is_refused_whole(damage: dict[str, Any]) -> None:
    with pytest.raises(CacheCorruptError):
        CompactDirectory(Cells(), {**CONTENT, **damage})


@pytest.mark.parametrize("part", sorted(CONTENT.keys() - {"version", "roles"}))
def test_a_directory_that_lacks_a_part_is_refused(part: str) -> None:
    with pytest.raises(CacheCorruptError):
        CompactDirectory(Cells(), {key: value for key, value in CONTENT.items() if key != part})
