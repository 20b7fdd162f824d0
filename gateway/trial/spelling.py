"""Reads a phone number as people write it, at the edge only; the call path never comes here."""

from __future__ import annotations

import re

import phonenumbers

from number_registry.e164 import E164

COUNTRY = "RU"
# Emergency numbers, short codes, extensions and deals stay as they are: 112, 203, 4711, 203*4711*2
_SHORT = re.compile(r"[0-9]{1,9}|(?:[0-9]{1,8}\*)?[0-9]{3,9}(?:\*[0-9]{1,2})?")


class NotANumberError(ValueError):
    """What was typed is no number; says why."""


def read(typed: str, country: str = COUNTRY) -> E164 | str:
    """The number in E.164, or the digits themselves when they are an extension, a short code or a
    deal.

    Any usual spelling: `+7 495 123-00-01`, `8 (495) 123-00-01`, `tel:+74951230001`. Raises
    NotANumberError.
    """
    text = typed.strip().removeprefix("tel:")
    if text.isascii() and _SHORT.fullmatch(text):
        return text
    if "*" in text:
        raise NotANumberError(f"{typed!r} is not a phone number, nor a deal as dialled: 203*4711")
    try:
        parsed = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        raise NotANumberError(f"{typed!r} is not a phone number: {error}") from error
    if not phonenumbers.is_possible_number(parsed):
        raise NotANumberError(f"{typed!r} has too many or too few digits for a phone number")
    return E164(f"{parsed.country_code}{phonenumbers.national_significant_number(parsed)}")
