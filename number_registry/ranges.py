"""Ranges of numbers as people write them: a pattern with free digits, or from-to; pure, no I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from number_registry.e164 import MAX_DIGITS, MIN_DIGITS
from number_registry.errors import BadNumberError

MOST_RANGES = 10_000  # of one pattern with free digits in the middle; more is a slip
_ALL = "0123456789"
_PLACE = re.compile(r"\[([0-9-]+)\]|([0-9.])")
_SPAN = re.compile(r"([0-9])-([0-9])|([0-9])")


class Range(NamedTuple):
    """Numbers from `first` to `last`, both inside, as integers of E.164 digits."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


def from_to(first: str, last: str) -> Range:
    """The range between two numbers in digits. Raises BadNumberError when it is none."""
    if len(first) != len(last) or int(first) > int(last):
        raise BadNumberError(f"+{first} to +{last} is no range: the second must be the higher one")
    return Range(int(first), int(last))


def is_pattern(text: str) -> bool:
    """Whether this is written with free digits: dots or classes."""
    return "." in text or "[" in text


def pattern(text: str) -> tuple[Range, ...]:
    """Ranges of ``+7495123[0-4]..``: a dot is any digit, ``[0-4]`` and ``[159]`` one of these.

    Ascending and disjoint. Raises BadNumberError for what is no such pattern.
    """
    places = list(_places(text.removeprefix("+")))
    if not MIN_DIGITS <= len(places) <= MAX_DIGITS or "0" in places[0]:
        raise BadNumberError(
            f"{text!r} is no pattern of full numbers: 7 to 15 digits from the country code on"
        )
    free = 0
    while places[-1 - free] == _ALL and free < len(places) - 1:
        free += 1
    heads = [""]
    for choice in places[: len(places) - free]:
        heads = [head + digit for head in heads for digit in choice]
        if len(heads) > MOST_RANGES:
            raise BadNumberError(f"{text!r} stands for more than {MOST_RANGES} ranges")
    size = 10**free
    return merged(Range(int(head) * size, int(head) * size + size - 1) for head in heads)


def merged(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """The same numbers in as few ranges as there can be, ascending."""
    found: list[Range] = []
    for one in sorted(ranges):
        if found and one.first <= found[-1].last + 1:
            found[-1] = Range(found[-1].first, max(found[-1].last, one.last))
        else:
            found.append(one)
    return tuple(found)


def _places(text: str) -> Iterator[str]:
    """The digits that may stand in each place."""
    at = 0
    while at < len(text):
        place = _PLACE.match(text, at)
        if place is None:
            raise BadNumberError(f"{text!r}: {text[at]!r} is neither a digit, a dot nor [0-9]")
        at = place.end()
        if place[2]:
            yield _ALL if place[2] == "." else place[2]
        else:
            yield _choice(place[1], text)


def _choice(inside: str, text: str) -> str:
    digits: set[str] = set()
    at = 0
    while at < len(inside):
        span = _SPAN.match(inside, at)
        if span is None or (span[1] and span[1] > span[2]):
            raise BadNumberError(f"{text!r}: [{inside}] is no choice of digits")
        at = span.end()
        digits.update(_ALL[int(span[1]) : int(span[2]) + 1] if span[1] else span[3])
    return "".join(sorted(digits))
