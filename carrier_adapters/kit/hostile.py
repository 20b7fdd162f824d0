"""What others may send instead of numbers: hand-made horrors and many made by a seeded dice, the
same in every run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from carrier_adapters.contract import CALLER_HEADERS, Invite

LONG = 10_240
_ROUNDS = 160
_ALPHABETS = (
    "0123456789",
    "+0123456789",
    "0123456789*#",
    "0123456789 -.()/",
    "%0123456789abcdefABCDEF",
    "abcdefghijklmnopqrstuvwxyz0123456789._-;=@:<>\"'",
    "".join(map(chr, range(0, 33))) + "\x7f\x80\xa0\u2028\ufeff\u202e",
    "٠١٢٣٤٥٦٧٨٩०१२३0123456789²³½Ⅷ一",
)
HAND_MADE = (
    *("", " ", "\0", "\r\n", "+", "++", "*", "#", "%", "%%", ";", "@", ":", "<>", "\udc80", "💥"),
    *("0", "+0", "1", "112", "+112", "4711", "4711*2", "203*4711", "anonymous", "unavailable"),
    "+74951230001\r\nVia: SIP/2.0/UDP 203.0.113.66",
    "74951230001\0",
    "+7495%0d%0aRoute:%20<sip:203.0.113.66>",
    "%2B74951230001", "%002B74951230001", "%2", "%zz", "%2B" * (LONG // 3),
    "tel:+74951230001", "tel:" * (LONG // 4), "sip:+74951230001@203.0.113.66",
    "+74951230001;ext=1;phone-context=+7", ";" * LONG, "+7 (495) 123-00-01",
    "٧٤٩٥١٢٣٠٠٠١", "+７４９５１２３０００１", "7495123000²", "+7495123000Ⅷ",
    "1" * LONG, "+" + "7" * LONG, "8" * LONG, "810" * (LONG // 3), "+" * LONG, "*" * LONG,
    "#" * LONG, "0" * 15, "+" + "9" * 16, "9" * 16, "8" + "0" * 10, "+7" + "0" * 10,
    " " * LONG, "1-" * (LONG // 2), "(" * LONG, ")" * LONG, "\t" * LONG, "é" * LONG, "\0" * LONG,
    # what makes a careless regular expression try every way of cutting
    "1" * 27 + "x", "1" * 40 + "!", "a" * 30 + "!", "1 " * 15 + "x", "-1" * 15 + "x",
    "+" + "1" * 30 + "*", "*" * 30 + "x", "1*" * 15 + "#", "((((((((((((((((((((((((((((1",
    "1" * (LONG - 1) + "x", "1-" * (LONG // 2 - 1) + "x", "1*" * (LONG // 2 - 1) + "x",
)  # fmt: skip
INVOICES = (
    b"", b"\0" * 4096, b"\xff\xfe" * 512, b"%PDF-1.4\n", b"PK\x03\x04" + b"\0" * 64, b"<" * 4096,
    b'<?xml version="1.0"?><a><b>', b"number;minutes;amount\n1;x;y\n", b"{" * 500, b"[" * 500,
    "номер;минуты\n".encode("cp1251"), b'"' * 1001, b"1," * 2000,
)  # fmt: skip


def texts() -> Iterator[str]:
    """Some two hundred user parts nobody should send."""
    yield from HAND_MADE
    dice = random.Random(3261)
    for _ in range(_ROUNDS):
        alphabet = dice.choice(_ALPHABETS)
        yield "".join(dice.choices(alphabet, k=dice.choice((1, 3, 7, 10, 11, 12, 15, 16, 40, 200))))


def invites() -> Iterator[Invite]:
    """Each text wherever an INVITE may hold it, beside things that are well and that are absent."""
    for text in texts():
        yield Invite(text, text, dict.fromkeys(CALLER_HEADERS, text))
        yield Invite(text, "", {"From": "+79160000001"}, True)
        yield Invite("+74951230001", text, {"From": text})
