"""Names as values: what is asked, the order in which places are tried, and the file."""

from __future__ import annotations

from collections import Counter

import pytest

from number_registry.errors import CacheCorruptError
from number_registry.names import (
    Answer,
    Target,
    addresses,
    asked,
    file_bytes,
    read_file,
    same_places,
)

SRV = Answer(
    (
        Target("sip:192.0.2.1:5060;transport=udp", 10, 3),
        Target("sip:192.0.2.2:5060;transport=udp", 10, 1),
        Target("sip:192.0.2.3:5060;transport=udp", 10, 0),
        Target("sip:192.0.2.4:5060;transport=udp", 20, 9),
    ),
    at=100.0,
    expires=160.0,
    past=(("192.0.2.9", 500.0),),
)
NAMES = {"sip:carrier.test;transport=udp": SRV}


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("sip:Carrier.Test.", "sip:carrier.test;transport=udp"),
        ("sip:gw.test:5060", "sip:gw.test:5060;transport=udp"),
        ("sip:gw.test;transport=tls", "sip:gw.test;transport=tls"),
    ],
)
def test_what_is_asked_does_not_hang_on_spelling(uri: str, key: str) -> None:
    question = asked(uri)
    assert question is not None
    assert question.key == key
    again = asked(key)
    assert again == question, "a key is an address too"


def test_an_address_is_not_asked_for_and_leads_to_itself() -> None:
    assert asked("sip:192.0.2.1") is None
    assert [one.uri for one in addresses({}, "sip:192.0.2.1;transport=tls")] == [
        "sip:192.0.2.1:5061;transport=tls"
    ]


def test_places_of_one_priority_share_by_weight_and_0_is_seldom() -> None:
    first = Counter(
        addresses(NAMES, "sip:carrier.test", f"call {number}")[0].host for number in range(4000)
    )
    assert 2800 < first["192.0.2.1"] < 3200
    assert first["192.0.2.3"] < 20
    assert first["192.0.2.4"] == 0


def test_a_name_without_an_answer_leads_nowhere() -> None:
    assert addresses(NAMES, "sip:other.test") == ()


def test_the_file_is_read_as_it_was_written() -> None:
    assert read_file(file_bytes(NAMES)) == NAMES
    assert same_places(NAMES, {"sip:carrier.test;transport=udp": Answer(SRV.targets, 7.0)})


@pytest.mark.parametrize("blob", [b"", b"[]", b'{"version": 2, "names": {}}', b"\xff"])
def test_a_foreign_file_is_refused(blob: bytes) -> None:
    with pytest.raises(CacheCorruptError):
        read_file(blob)


def test_a_target_that_is_a_name_itself_is_refused() -> None:
    broken = file_bytes(NAMES).replace(b"sip:192.0.2.1:", b"sip:other.test:")
    with pytest.raises(CacheCorruptError, match="is no address"):
        read_file(broken)
