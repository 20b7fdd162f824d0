"""Registrations: which are wanted, what to do for them, how they stand."""

from __future__ import annotations

from typing import Any

from carrier_adapters.contract import ByAddress, Carrier, Digest, Registration, Trunk
from gateway.registrations.records import ONGOING, ONLINE, Kept, Record
from gateway.registrations.standing import Said, Standing, standings
from gateway.registrations.steps import Plan, Step, plan
from gateway.registrations.wanted import Account, Ours, accounts
from number_registry.model import Transport
from number_registry.names import NO_NAMES, Answer, Names, Target

PORTS = {Transport.UDP: 5060, Transport.TCP: 5060, Transport.TLS: 0}
OURS = Ours("sip.example.org", "192.0.2.100", PORTS)
SECRETS = {"city": "canary"}
NOW = 1_000_000.0


def carriers(**auths: Registration | Digest | ByAddress) -> dict[str, Carrier]:
    trunks = tuple(Trunk(name, auth=auth) for name, auth in auths.items())
    return {"city": type("City", (Carrier,), {"name": "city", "trunks": trunks})()}


def register(user: str = "ours", registrar: str = "sip:192.0.2.1", **rest: Any) -> Registration:
    return Registration(user, "city", registrar, **rest)


def wanted(names: Names = NO_NAMES, **auths: Any) -> list[Account]:
    return accounts(carriers(**auths), SECRETS.get, names, OURS)


def record(**changes: Any) -> Record:
    (account,) = wanted(north=register())
    assert account.record is not None
    return account.record._replace(**changes)


def kept(flags: int = ONLINE, due: int = int(NOW) + 50, **changes: Any) -> Kept:
    return Kept(record(**changes), flags, due)


def test_only_trunks_that_register_are_registered() -> None:
    found = wanted(north=register(), south=Digest("ours", "city"), west=ByAddress())
    assert [(one.carrier, one.trunk) for one in found] == [("city", "north")]


def test_they_call_the_user_that_we_have_with_them() -> None:
    assert record().contact_user == "ours"
    assert record().contact == "sip.example.org:5060"
    assert record().socket == "udp:192.0.2.100:5060"


def test_two_trunks_of_one_user_are_told_apart() -> None:
    found = wanted(north=register(), south=register(registrar="sip:192.0.2.2"))
    users = [one.record.contact_user for one in found if one.record]
    assert users == ["city-north", "city-south"]


def test_a_registrar_over_tcp_calls_us_over_tcp() -> None:
    (account,) = wanted(north=register(registrar="sip:192.0.2.1;transport=tcp"))
    assert account.record is not None
    assert account.record.contact == "sip.example.org:5060;transport=tcp"
    assert account.record.proxy == "sip:192.0.2.1:5060;transport=tcp"


def test_a_transport_that_we_do_not_speak_is_said() -> None:
    (account,) = wanted(north=register(registrar="sip:192.0.2.1;transport=tls"))
    assert account.record is None and account.why == "we do not speak TLS here"


def test_a_registrar_s_name_waits_for_its_address_and_stays_the_domain() -> None:
    name = register(registrar="sip:sbc.example")
    (account,) = wanted(north=name)
    assert account.record is None and "sbc.example has no address" in account.why
    leads = Answer((Target("sip:192.0.2.9:5080;transport=udp"),))
    (account,) = wanted({"sip:sbc.example;transport=udp": leads}, north=name)
    assert account.record is not None
    assert (account.record.domain, account.record.proxy) == (
        "sbc.example", "sip:192.0.2.9:5080;transport=udp",
    )  # fmt: skip


def test_a_missing_secret_stops_its_own_trunk_only() -> None:
    found = wanted(north=Registration("a", "lost", "sip:192.0.2.1"), south=register("b"))
    assert [one.record is not None for one in found] == [False, True]
    assert found[0].why == "its secret lost is missing"


def test_no_password_shows_where_a_record_is_printed() -> None:
    assert "canary" not in f"{record()!r} {record()} {[kept()]} {wanted(north=register())}"


def test_what_kamailio_forgot_is_added_again() -> None:
    assert plan([record()], [], NOW) == Plan((Step("add", record()),), False)
    assert plan([record()], [kept()], NOW) == Plan((), False)


def test_a_changed_password_says_goodbye_first_and_comes_back_after_the_answer() -> None:
    old = kept(password="before")
    assert plan([record()], [old], NOW) == Plan((Step("unregister", old.record),), True)
    leaving = kept(ONGOING, int(NOW), password="before", expires_s=0)
    assert plan([record()], [leaving], NOW + 1) == Plan((), True)
    gone = leaving._replace(flags=0)
    steps = Step("remove", gone.record), Step("add", record())
    assert plan([record()], [gone], NOW + 1) == Plan(steps, False)


def test_a_registrar_that_says_no_goodbye_is_not_waited_for() -> None:
    leaving = kept(ONGOING, int(NOW), expires_s=0)
    assert plan([], [leaving], NOW + 4).steps == (Step("remove", leaving.record),)


def test_what_never_was_registered_is_removed_at_once() -> None:
    failed = kept(flags=0)
    assert plan([], [failed], NOW).steps == (Step("remove", failed.record),)


def test_a_registrar_may_ask_for_a_longer_time() -> None:
    """RFC 3261, section 10.2.8: 423, and Kamailio then asks for what it was told."""
    assert plan([record()], [kept(expires_s=1800)], NOW) == Plan((), False)


def stands(one: Kept | None, said: Said | None) -> Standing:
    by_user = {"ours": one} if one else {}
    (found,) = standings(wanted(north=register()), by_user, {"ours": said} if said else {})
    return found


def test_how_it_stands_is_told_in_words() -> None:
    registered = stands(kept(), Said(200, "OK", NOW))
    assert (registered.state, registered.until) == ("registered", int(NOW) + 50)
    assert stands(kept(ONGOING), None).why == "no answer from the registrar"
    assert stands(kept(ONGOING), Said(401, "Unauthorized", NOW)).state == "trying"
    refused = stands(kept(0), Said(401, "Unauthorized", NOW))
    assert refused.state == "failed" and "password" in refused.why
    assert stands(kept(0), Said(403, "Forbidden", NOW)).why == "403 Forbidden"
    assert stands(None, None).why == "not asked yet"


def test_a_record_goes_to_kamailio_and_comes_back_the_same() -> None:
    keys = (
        "l_uuid", "l_username", "l_domain", "r_username", "r_domain", "realm", "auth_username",
        "auth_password", "auth_ha1", "auth_proxy", "expires", "flags", "reg_delay", "socket",
        "contact_addr",
    )  # fmt: skip
    told = dict(zip(keys, record().parameters(), strict=True))
    assert Kept.read({**told, "timer_expires": 7}) == Kept(record(), 0, 7)
