"""A carrier's invoice as values, whatever file it came in; it reads no file and matches nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Charge(StrEnum):
    """What a line is for, in the three kinds that an addendum prices."""

    ONE_TIME = "one_time"
    MONTHLY = "monthly"
    USAGE = "usage"


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line as the carrier wrote it.

    ``number``: in E.164 where the line is about one number, else empty. ``quantity`` counts
    ``unit`` (``minute``, ``month``, ``piece``). ``amount``: what is asked for, before tax.
    """

    charge: Charge
    text: str
    quantity: Decimal
    unit: str
    price: Decimal
    amount: Decimal
    number: str = ""


@dataclass(frozen=True, slots=True)
class Invoice:
    """A whole invoice. ``first`` and ``last`` day are those it charges for; ``currency`` as in ISO
    4217; ``total`` before tax is theirs, and may differ from the sum of the lines.
    """

    number: str
    issued: date
    first: date
    last: date
    currency: str
    total: Decimal
    lines: tuple[InvoiceLine, ...]
