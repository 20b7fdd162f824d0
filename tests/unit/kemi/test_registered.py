"""What PBXs have registered is noted by one worker and read by all; what is over is not called."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from kemi.registered import FILE, Binding, Registered

NOW, LEFT_S = time.time(), 3600  # an hour: stories may run long after this file was loaded


def binding(contact: str = "sip:pbx@192.0.2.9:5070", **other: object) -> Binding:
    values = {"received": "", "socket": "", "expires": int(NOW) + LEFT_S, "q": 1.0, "agent": ""}
    return Binding(contact, **{**values, **other})  # type: ignore[arg-type]


def test_one_notes_and_the_other_reads(tmp_path: Path) -> None:
    warned: list[str] = []
    one, other = (Registered(tmp_path, warned.append) for _ in range(2))
    one.note("shop", lambda: [binding("sip:b@192.0.2.8", q=0.2), binding(q=0.9)])
    one.note("office", lambda: [binding("sip:x@192.0.2.7")])
    other.refresh()
    assert [found.q for found in other.of("shop", NOW)] == [0.9, 0.2]
    assert other.account_at("192.0.2.9", 5070, NOW) == "shop"
    assert other.account_at("192.0.2.9", 5071, NOW) == ""
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
    one.note("shop", list)
    other.refresh()
    assert other.of("shop", NOW) == () and other.account_at("192.0.2.9", 5070, NOW) == ""
    assert [user for user, _ in other.everything(NOW)] == ["office"]
    assert warned == []


def test_what_is_over_is_called_no_more(tmp_path: Path) -> None:
    known = Registered(tmp_path, print)
    known.note("shop", lambda: [binding()])
    assert known.of("shop", NOW + LEFT_S + 1) == () and not list(known.everything(NOW + LEFT_S + 1))


def test_a_broken_file_is_told_and_registers_nobody(tmp_path: Path) -> None:
    warned: list[str] = []
    (tmp_path / FILE).write_text('{"version": 1, "accounts": {"shop": [{"contact"')
    known = Registered(tmp_path, warned.append)
    known.refresh()
    assert known.of("shop", NOW) == () and "cannot be used" in warned[0]


def test_a_contact_is_called_where_it_is_with_its_own_user_or_the_number() -> None:
    nat = binding(
        "sip:pbx@10.0.0.5:5060;transport=tcp;line=ab",
        received="sip:203.0.113.5:40001;transport=tcp",
    )
    own, number = nat.address(did_in_request=False), nat.address(did_in_request=True)
    assert own is not None and number is not None
    assert own.uri == number.uri == "sip:203.0.113.5:40001;transport=tcp"
    assert own.where == "pbx@10.0.0.5:5060;transport=tcp;line=ab"
    assert number.where == "10.0.0.5:5060;transport=tcp;line=ab"
    assert type(own).of_text(own.text).where == own.where
    assert binding("sip:pbx@pbx.example").address(did_in_request=True) is None


@pytest.mark.parametrize(
    "contact",
    [
        "sip:pbx@192.0.2.9:0",
        "sip:pbx@192.0.2.9:99999",
        "sip:pbx@192.0.2.9:" + "1" * 5000,
        "sip:a@b@192.0.2.9",
        "sip:@192.0.2.9",
        "sip:pbx\0@192.0.2.9",
        "sip:pbx@[2001:db8::9]",
        "sip:pbx@0.0.0.0",
        "sip:pbx@224.0.0.1",
        "sip:pbx@192.0.2.9;transport=sctp",
        "tel:+74951230001",
        "*",
        "",
    ],
)
@pytest.mark.parametrize("did_in_request", [True, False])
def test_a_contact_that_no_call_can_go_to_is_passed_over(
    tmp_path: Path, contact: str, did_in_request: bool
) -> None:
    """Its PBX is the only one that notices: not the next worker that reads, nor the next start."""
    known = Registered(tmp_path, print)
    known.note("shop", lambda: [binding(contact), binding()])
    (bad, good) = known.of("shop", NOW)
    assert bad.address(did_in_request=did_in_request) is None
    assert good.address(did_in_request=did_in_request) is not None
    assert known.account_at("192.0.2.9", 5070, NOW) == "shop"


def test_headers_of_a_contact_do_not_come_into_a_request_uri() -> None:
    address = binding("sip:pbx@192.0.2.9?Route=%3Csip:x%3E").address(did_in_request=False)
    assert address is not None and address.where == "pbx@192.0.2.9"


@pytest.mark.parametrize("contact", ["tel:+74951230001", "sip:pbx@мос.рф", "sip:a@b@192.0.2.9"])
def test_what_cannot_stand_in_a_request_uri_is_not_called_where_it_came_from_either(
    contact: str,
) -> None:
    nat = binding(contact, received="sip:203.0.113.5:40001")
    assert nat.address(did_in_request=True) is None


def test_a_secure_contact_is_called_over_tls() -> None:
    address = binding("sips:pbx@192.0.2.9").address(did_in_request=True)
    assert address is not None and address.uri == "sip:192.0.2.9:5061;transport=tls"
