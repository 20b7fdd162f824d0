"""E.164 numbers as values that cannot be built wrong; no formatting for people, no parsing of
national spellings.
"""

from __future__ import annotations

from typing import Self

from number_registry.errors import BadNumberError

# shortest subscriber number with its country code seen in service (ITU-T E.164 sets no minimum)
MIN_DIGITS = 7
MAX_DIGITS = 15  # ITU-T E.164, section 6


class E164(str):
    """International digits without the plus sign, for instance ``74951230001``; a ``str``, so it is
    cheap and hashable.

    Raises BadNumberError for anything that is not 7 to 15 ASCII digits beginning with a country
    code (never 0).
    """

    __slots__ = ()

    def __new__(cls, digits: str) -> Self:
        if not (MIN_DIGITS <= len(digits) <= MAX_DIGITS and digits.isascii() and digits.isdigit()):
            raise BadNumberError(
                f"{digits[:40]!r} is not an E.164 number: 7 to 15 digits are expected"
            )
        if digits[0] == "0":
            raise BadNumberError(
                f"{digits[:40]!r} is not an E.164 number: no country code begins with 0"
            )
        return super().__new__(cls, digits)

    @classmethod
    def maybe(cls, digits: str) -> E164 | None:
        """The number, or None where the digits are not one; for reading what others sent."""
        if MIN_DIGITS <= len(digits) <= MAX_DIGITS and digits.isascii() and digits.isdigit():
            return str.__new__(cls, digits) if digits[0] != "0" else None
        return None

    @property
    def plus(self) -> str:
        """As written in SIP and shown to people: ``+74951230001``."""
        return "+" + self
