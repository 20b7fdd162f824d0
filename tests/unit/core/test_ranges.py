"""Ranges of numbers: each way of writing one gives the numbers that a person meant, no others."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from number_registry.errors import BadNumberError
from number_registry.ranges import Range, from_to, merged, pattern

places = st.one_of(
    st.sampled_from("0123456789"),
    st.just("."),
    st.sampled_from(["[0-4]", "[159]", "[3]", "[0-9]", "[7-80]"]),
)


@given(st.lists(places, min_size=8, max_size=12), st.integers(1, 9))
def test_a_pattern_holds_exactly_the_numbers_that_match_it(tail: list[str], first: int) -> None:
    text = str(first) + "".join(tail)
    try:
        found = pattern("+" + text)
    except BadNumberError as error:
        assert "more than" in str(error)  # free digits in so many places are a slip
        return
    meant = re.compile(text.replace(".", "[0-9]"))
    for one in found:
        assert meant.fullmatch(str(one.first)) and meant.fullmatch(str(one.last))
    count = 1
    for place in tail:
        count *= {".": 10, "[0-9]": 10, "[0-4]": 5, "[159]": 3, "[3]": 1, "[7-80]": 3}.get(place, 1)
    assert sum(one.size for one in found) == count
    assert list(found) == sorted(found)


def test_free_digits_at_the_end_are_one_range() -> None:
    assert pattern("+7495123[0-4]..") == (Range(7495123000, 7495123499),)
    assert pattern("+7495123....") == (Range(74951230000, 74951239999),)
    assert pattern("+749512300[02]0") == (
        Range(74951230000, 74951230000),
        Range(74951230020, 74951230020),
    )


def test_from_to() -> None:
    assert from_to("74951230000", "74951230099") == Range(74951230000, 74951230099)
    for first, last in (("74951230001", "74951230000"), ("7495123000", "74951230000")):
        with pytest.raises(BadNumberError):
            from_to(first, last)


@pytest.mark.parametrize(
    "text",
    ["+7495", "0495123000.", "+7495123000x", "+749512300[9-0]", "+.", "[7]" * 16, "+7.........5",
     "+749512300[", "+749512300[]"],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(BadNumberError):
        pattern(text)


@given(st.lists(st.tuples(st.integers(10**6, 10**6 + 60), st.integers(0, 9))))
def test_merging_keeps_every_number_once(pairs: list[tuple[int, int]]) -> None:
    given_ranges = [Range(first, first + more) for first, more in pairs]
    found = merged(given_ranges)
    numbers = [n for one in found for n in range(one.first, one.last + 1)]
    assert numbers == sorted({n for one in given_ranges for n in range(one.first, one.last + 1)})
    assert all(a.last + 1 < b.first for a, b in pairwise(found))
