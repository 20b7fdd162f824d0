"""Reads a phone number as people write it, at the edge only; the call path never comes here."""

from __future__ import annotations

import phonenumbers

from number_registry.e164 import E164

COUNTRY = "RU"
_SHORT = 6  # digits; emergency numbers, short codes and extensions stay as they are


class NotANumberError(ValueError):
    """What was typed is no number; says why."""


def read(typed: str, country: str = COUNTRY) -> E164 | str:
    """The number in E.164, or the digits themselves when they are an extension or a short code.

    Any usual spelling: `+7 495 123-00-01`, `8 (495) 123-00-01`, `tel:+74951230001`. Raises
    NotANumberError.
    """
    text = typed.strip().removeprefix("tel:")
    if text.isascii() and text.isdigit() and len(text) <= _SHORT:
        return text
    try:
        parsed = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise NotANumberError(f"{typed!r} is not a phone number: {error}") from error
    if not phonenumbers.is_possible_number(parsed):
        raise NotANumberError(f"{typed!r} has too many or too few digits for a phone number")
    return E164(f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}")
