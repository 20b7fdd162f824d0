"""Values that cannot be built wrong: numbers, states, addresses, dialled digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from number_registry import dialling
from number_registry.dialling import DialPlan
from number_registry.e164 import E164
from number_registry.errors import BadNumberError, BadValueError, StateMoveError
from number_registry.model import ALLOWED_MOVES, Address, State, Transport, move

numbers = st.integers(10**6, 10**15 - 1).map(str).map(E164)
KAZAN = DialPlan(area_code="843")


@given(numbers)
def test_a_number_comes_back_from_every_way_of_writing_it(number: E164) -> None:
    assert E164(str(number)) == number
    assert dialling.read(number.plus, KAZAN) == number
    assert dialling.read(f"tel:{number.plus};phone-context=x", KAZAN) == number


@given(st.integers(2 * 10**9, 10**10 - 1).map(str))
def test_a_russian_number_survives_national_spelling(national: str) -> None:
    number = E164("7" + national)
    assert dialling.read(dialling.national(number, KAZAN), KAZAN) == number


@given(numbers.filter(lambda number: not number.startswith("7") and len(number) > 8))
def test_a_foreign_number_survives_the_international_prefix(number: E164) -> None:
    assert dialling.read(dialling.national(number, KAZAN), KAZAN) == number


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("84951230001", "74951230001"),
        ("4951230001", "74951230001"),
        ("+7 (495) 123-00-01", "74951230001"),
        ("1230001", "78431230001"),
        ("81049301234567", "49301234567"),
        ("112", None),
        ("4711", None),
        ("", None),
        ("+", None),
        ("+0123456789", None),
        ("٧٤٩٥١٢٣٠٠٠١", None),
        ("anonymous", None),
    ],
)
def test_dialled_digits_are_read_by_the_plan_of_the_place(dialled: str, number: str | None) -> None:
    assert dialling.read(dialled, KAZAN) == number


@given(st.text(max_size=60))
def test_reading_never_raises(dialled: str) -> None:
    number = dialling.read(dialled, KAZAN)
    assert number is None or E164(number) == number


@pytest.mark.parametrize(
    "digits",
    [
        "",
        "123456",
        "1234567890123456",
        "0495123000",
        "7495123000a",
        "+74951230001",
        "７４９５１２３",
    ],
)
def test_what_is_no_number_is_refused(digits: str) -> None:
    assert E164.maybe(digits) is None
    with pytest.raises(BadNumberError):
        E164(digits)


@given(st.sampled_from(State), st.sampled_from(State))
def test_states_move_along_the_known_edges_only(old: State, new: State) -> None:
    if new in ALLOWED_MOVES[old]:
        assert move(old, new) is new
    else:
        with pytest.raises(StateMoveError, match=old.label):
            move(old, new)


def test_every_state_can_be_left_and_reached_again() -> None:
    for start in State:
        seen, todo = set(), [start]
        while todo:
            for state in ALLOWED_MOVES[todo.pop()] - seen:
                seen.add(state)
                todo.append(state)
        assert seen == set(State), start


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("sip:192.0.2.18", Address("192.0.2.18")),
        ("sip:192.0.2.18:5070", Address("192.0.2.18", 5070)),
        ("SIP:pbx.example.com:5060;transport=TCP", Address("pbx.example.com", 5060, Transport.TCP)),
        ("sip:[2001:db8::1]:5080;transport=udp", Address("[2001:db8::1]", 5080)),
    ],
)
def test_addresses_are_read(uri: str, address: Address) -> None:
    assert Address.parse(uri) == address
    assert Address.parse(address.uri) == address


@pytest.mark.parametrize(
    "uri",
    [
        "", "192.0.2.1", "http://a", "sip:", "sip:user@host", "sip:a:0", "sip:a:65536", "sip:a:x",
        "sip:a;lr", "sip:a;transport=sctp", "sip:a b", "sip:a\r\nX: y", "sip:a:99999999",
    ],
)  # fmt: skip
def test_wrong_addresses_are_refused_with_the_part_that_is_wrong(uri: str) -> None:
    with pytest.raises(BadValueError):
        Address.parse(uri)
