"""Numbers as people write them."""

from __future__ import annotations

import pytest

from gateway.trial.spelling import NotANumberError, read


@pytest.mark.parametrize(
    "typed",
    ["+74951230001", "8 (495) 123-00-01", "+7 495 123 00 01", "84951230001", "tel:+74951230001",
     "495 123-00-01", " 8-495-1230001 "],
)  # fmt: skip
def test_usual_spellings_are_one_number(typed: str) -> None:
    assert read(typed) == "74951230001"


@pytest.mark.parametrize(
    "typed", ["112", "101", "203", "4711", "471100112", "4711*2", "203*4711", "203*4711*2"]
)
def test_extensions_short_codes_and_deals_stay_as_they_are(typed: str) -> None:
    assert read(typed) == typed


def test_a_foreign_number_needs_its_country() -> None:
    assert read("+44 20 7946 0018") == "442079460018"


@pytest.mark.parametrize(
    "typed", ["abc", "", "+7", "+7495123000199999", "203**4711", "*4711", "4711*"]
)
def test_what_is_no_number_is_refused_with_what_was_typed(typed: str) -> None:
    with pytest.raises(NotANumberError, match=r"is not a phone number|too many or too few"):
        read(typed)
