"""Reads digits as people and PBXs dial them into E.164 by a country's plan; it knows no carrier and
raises nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from number_registry.e164 import E164

# RFC 3966, section 5.1.1 visual separators, and a space and slash
_SEPARATORS = str.maketrans("", "", " -.()/")
_ESCAPE = re.compile("%([0-7][0-9A-Fa-f])")
# Characters of a URI's user that can hold a number with every prefix, separator and escape; what is
# longer is not read at all, so that nobody can make a reading slow.
LONGEST = 96


class DialPlan(NamedTuple):
    """How numbers are dialled in one place. Russia: country 7, trunk prefix 8, international 810,
    ten national digits.
    """

    country_code: str = "7"
    trunk_prefix: str = "8"
    international_prefix: str = "810"
    national_length: int = 10
    area_code: str = ""  # completes shorter, local numbers


def plain(dialled: str) -> str:
    """Without visual separators, ``tel:``, parameters and percent-escapes (``%2B`` is a plus, RFC
    3261, 19.1.4): ``+7 (495) 123-00-01`` gives ``+74951230001``.
    """
    dialled = dialled.partition(";")[0]
    if "%" in dialled:
        dialled = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), dialled)
    digits = dialled.translate(_SEPARATORS)
    return digits[4:] if digits[:4].lower() == "tel:" else digits


def read(dialled: str, plan: DialPlan) -> E164 | None:
    """The E.164 number that these digits mean under this plan, or None for extensions, short codes
    and nonsense.
    """
    if dialled[:1] == "+" and dialled[1:].isdecimal():
        return E164.maybe(dialled[1:])  # by far the most common spelling, and on the call path
    if len(dialled) > LONGEST:
        return None
    digits = plain(dialled)
    if digits.startswith("+"):
        return E164.maybe(digits[1:])
    if not (digits.isascii() and digits.isdigit()):
        return None
    national = plan.national_length
    if (
        plan.international_prefix
        and digits.startswith(plan.international_prefix)
        and len(digits) > national
    ):
        return E164.maybe(digits[len(plan.international_prefix) :])
    if (
        plan.trunk_prefix
        and len(digits) == national + len(plan.trunk_prefix)
        and digits.startswith(plan.trunk_prefix)
    ):
        return E164.maybe(plan.country_code + digits[len(plan.trunk_prefix) :])
    if len(digits) == national + len(plan.country_code) and digits.startswith(plan.country_code):
        return E164.maybe(digits)
    if len(digits) == national:
        return E164.maybe(plan.country_code + digits)
    if plan.area_code and len(digits) == national - len(plan.area_code):
        return E164.maybe(plan.country_code + plan.area_code + digits)
    return None


def read_international(dialled: str, plan: DialPlan) -> E164 | None:
    """The number where digits without a plus are international too: ``4930123456`` is in Berlin.
    Only short local numbers are completed; None as for ``read``.
    """
    if len(dialled) > LONGEST:
        return None
    digits = plain(dialled)
    if digits.startswith("+"):
        return E164.maybe(digits[1:])
    if not (digits.isascii() and digits.isdigit()):
        return None
    if plan.area_code and len(digits) == plan.national_length - len(plan.area_code):
        return E164.maybe(plan.country_code + plan.area_code + digits)
    return E164.maybe(digits)


def national(number: E164, plan: DialPlan) -> str:
    """The number as dialled inside the country (8 495 123-00-01 without separators), or abroad with
    the prefix.
    """
    if (
        number.startswith(plan.country_code)
        and len(number) == len(plan.country_code) + plan.national_length
    ):
        return plan.trunk_prefix + number[len(plan.country_code) :]
    return plan.international_prefix + number
