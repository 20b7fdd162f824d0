"""What is dialled for a deal, and what a directory in memory answers about deals."""

import pytest

from number_registry.deals import Deal, Dialled, dialled, is_id
from number_registry.directory import MemoryDirectory
from number_registry.e164 import E164

CITY, CLIENT, OWNER = E164("74951230000"), E164("79161234567"), E164("79037654321")
SECOND = E164("79160000001")


@pytest.mark.parametrize(
    ("digits", "means"),
    [
        ("4711", Dialled("4711")),
        ("0471", Dialled("0471")),
        ("4711*2", Dialled("4711", "", 2)),
        ("203*4711", Dialled("4711", "203")),
        ("4711*203", Dialled("203", "4711")),
        ("203*4711*2", Dialled("4711", "203", 2)),
        ("203%2A4711%2a12", Dialled("4711", "203", 12)),
    ],
)
def test_a_deal_is_dialled_alone_or_behind_an_extension(digits: str, means: Dialled) -> None:
    assert dialled(digits) == means


@pytest.mark.parametrize(
    "digits",
    ["", "47", "4711*", "*4711", "4711*0", "4711*12*3*4", "203**4711", "+74951230000", "a"],
)
def test_what_cannot_be_a_deal_is_none(digits: str) -> None:
    assert dialled(digits) is None


def test_an_id_has_three_to_nine_digits() -> None:
    assert [text for text in ("47", "471", "000000001", "1234567890", "47a1") if is_id(text)] == [
        "471",
        "000000001",
    ]


def _directory(*deals: Deal, time: int = 0) -> MemoryDirectory:
    return MemoryDirectory(deals={deal.id: deal for deal in deals}, time=time)


def test_of_two_open_deals_between_the_same_two_the_newest_counts() -> None:
    first = Deal("4711", "203", CITY, ((CLIENT, SECOND),))
    second = Deal("4712", "203", CITY, ((OWNER,), (SECOND,)))
    directory = _directory(first, second)
    assert directory.deal_between("203", SECOND) == second
    assert directory.deal_between("203", CLIENT) == first
    assert directory.deal_between("204", CLIENT) is None
    assert _directory(first, second._replace(closed=True)).deal_between("203", SECOND) == first


def test_a_deal_ends_by_the_clock_too() -> None:
    deal = Deal("4711", "203", CITY, ((CLIENT,),), auto_connect=True, expires=1000)
    assert _directory(deal, time=999).deal_of(CLIENT) == deal
    assert _directory(deal, time=1000).deal_of(CLIENT) is None
    assert _directory(deal, time=1000).deal("4711") == deal
    assert [deal.state(999), deal.state(1000)] == ["open", "expired"]
    assert deal._replace(closed=True).state(1000) == "closed"
