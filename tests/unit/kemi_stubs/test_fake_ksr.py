"""The fake KSR is strict: what would fail in Kamailio, or hide a mistake in a test, fails here."""

from __future__ import annotations

import inspect

import pytest

from kemi.stubs.fake_ksr import (
    ROOMS,
    FakeKSR,
    FakeMisuse,
    KsrArgumentError,
    NotConfigured,
    TooManyNames,
    WentOnAfterStop,
    load_api,
)
from kemi.stubs.fake_module import installed
from kemi.stubs.fake_world import MOST_PV_NAMES
from tests.unit.kemi_stubs.samples import BYE, INVITE

HTABLE = {
    "htable": {
        "sht_get": ["xval", "str", "str"],
        "sht_gete": ["xval", "str", "str"],
        "sht_inc": ["int", "str", "str"],
        "sht_is_null": ["int", "str", "str"],
        "sht_rm": ["int", "str", "str"],
        "sht_seti": ["int", "str", "str", "int"],
        "sht_sets": ["int", "str", "str", "str"],
    }
}


# -- names, arity, types -----------------------------------------------------------------------


def test_every_function_of_kamailio_is_there_and_nothing_else() -> None:
    fake = FakeKSR(INVITE)
    ksr = fake.ksr

    for module, names in load_api().items():
        for name in names:
            assert callable(getattr(getattr(ksr, module) if module else ksr, name))
    with pytest.raises(AttributeError, match=r"KSR\.tm.*t_relay_cancel"):
        ksr.tm.t_relay_cancel()
    with pytest.raises(AttributeError, match="nosuch"):
        ksr.nosuch()


def test_every_modelled_function_exists_with_the_number_of_parameters_modelled() -> None:
    api = {**load_api(), **HTABLE}

    for room in ROOMS:
        for name, method in inspect.getmembers(room, inspect.isfunction):
            if name.startswith("_"):
                continue
            known = api[room.module]
            if room.module == "htable" and name not in known:
                continue  # htable is not loaded by our configuration yet
            assert name in known, f"{room.module}.{name} is not a function of Kamailio"
            first = list(inspect.signature(method).parameters.values())[1:]
            needed = [each for each in first if each.default is inspect.Parameter.empty]
            assert len(needed) == len(known[name]) - 1, f"{room.module}.{name}"


@pytest.mark.parametrize(
    ("module", "function", "arguments"),
    [
        ("pv", "get", ()),
        ("pv", "get", ("$fu", "$tu")),
        ("pv", "get", (b"$fu",)),
        ("pv", "get", (None,)),
        ("pv", "sets", ("$fu", 5)),
        ("pv", "seti", ("$var(a)", "5")),
        ("pv", "seti", ("$var(a)", True)),
        ("pv", "seti", ("$var(a)", 1 << 31)),
        ("tm", "t_relay", (1,)),
        ("hdr", "append", ("X: a\0b\r\n",)),
        ("hdr", "append", ("\udcff",)),
    ],
)
def test_a_wrong_argument_is_an_error_of_both_kinds(
    module: str, function: str, arguments: tuple[object, ...]
) -> None:
    called = getattr(getattr(FakeKSR(INVITE).ksr, module), function)

    with pytest.raises(KsrArgumentError) as raised:
        called(*arguments)
    assert isinstance(raised.value, SystemError)  # what Kamailio raises
    assert isinstance(raised.value, TypeError)  # what it is


def test_a_function_that_is_not_modelled_is_refused_until_a_test_says_its_result() -> None:
    fake = FakeKSR(INVITE)

    with pytest.raises(NotConfigured, match=r"tmx\.t_suspend"):
        fake.ksr.tmx.t_suspend()
    fake.results["tmx.t_suspend"] = 1
    assert fake.ksr.tmx.t_suspend() == 1
    assert [effect.name for effect in fake.effects] == ["tmx.t_suspend"]


def test_a_mistake_in_a_test_passes_a_callbacks_last_resort() -> None:
    def callback() -> None:
        try:
            FakeKSR(INVITE).ksr.tmx.t_suspend()
        except Exception:
            raise AssertionError("the last resort of a callback hid it") from None

    with pytest.raises(FakeMisuse):
        callback()


def test_a_result_given_by_a_test_takes_the_place_of_the_fakes_own() -> None:
    fake = FakeKSR(INVITE)
    fake.results["rtpengine.rtpengine_offer"] = lambda flags: -1 if "call-id=x" in flags else 1

    assert fake.ksr.rtpengine.rtpengine_offer("call-id=x") == -1
    assert fake.ksr.rtpengine.rtpengine_offer("call-id=y") == 1
    assert [effect.result for effect in fake.did("rtpengine.rtpengine_offer")] == [-1, 1]


def test_names_of_variables_made_at_run_time_are_noticed() -> None:
    ksr = FakeKSR(INVITE).ksr

    for number in range(MOST_PV_NAMES):
        ksr.pv.get(f"$avp(call{number})")
    with pytest.raises(TooManyNames):
        ksr.pv.get("$avp(one more)")


def test_the_same_constant_names_may_be_used_for_ever() -> None:
    fake = FakeKSR(INVITE)

    for _ in range(MOST_PV_NAMES * 3):
        fake.ksr.pv.get("$fu")
    assert fake.world.pv_names == {"$fu"}


# -- 0 means stop ------------------------------------------------------------------------------


def test_nothing_may_be_done_after_a_zero() -> None:
    fake = FakeKSR(INVITE)
    fake.results["tm.t_check_trans"] = 0  # a retransmission

    assert fake.ksr.tm.t_check_trans() == 0
    assert fake.ksr.pv.get("$rm") == "INVITE"  # looking is harmless
    with pytest.raises(WentOnAfterStop, match=r"tm\.t_relay after tm\.t_check_trans"):
        fake.ksr.tm.t_relay()


def test_the_next_message_starts_afresh_after_a_zero() -> None:
    fake = FakeKSR(INVITE)
    fake.results["tm.t_check_trans"] = 0
    fake.ksr.tm.t_check_trans()

    fake.receive(BYE)

    assert fake.ksr.tm.t_relay() == 1


def test_a_zero_that_is_a_value_stops_nothing() -> None:
    fake = FakeKSR(INVITE)

    assert fake.ksr.err("text\n") == 0
    assert fake.ksr.pv.get("$var(never)") == 0
    assert fake.ksr.tm.t_relay() == 1
    assert fake.log == [("ERR", "text\n")]


# -- tables ------------------------------------------------------------------------------------


def test_tables_hold_text_and_numbers() -> None:
    fake = FakeKSR(INVITE, api=HTABLE)
    fake.world.tables["t"] = {}
    table = fake.ksr.htable

    assert table.sht_get("t", "k") is None
    assert table.sht_sets("t", "k", "v") == 1
    assert table.sht_get("t", "k") == "v"
    assert table.sht_seti("t", "n", 4) == 1
    assert table.sht_inc("t", "n") == 5
    assert table.sht_inc("t", "k") == -255
    assert table.sht_rm("t", "k") == 1
    assert table.sht_is_null("t", "k") == 1
    assert table.sht_gete("t", "k") == ""


def test_a_table_that_was_not_declared_does_not_appear_by_writing() -> None:
    fake = FakeKSR(INVITE, api=HTABLE)
    table = fake.ksr.htable

    assert table.sht_sets("none", "k", "v") == -1
    assert table.sht_get("none", "k") is None
    assert len(fake.log) == 2


# -- import KSR --------------------------------------------------------------------------------


def test_modules_that_import_ksr_meet_the_fake_of_the_moment() -> None:
    with installed(FakeKSR(INVITE)):
        import KSR

        assert KSR.pv.get("$rm") == "INVITE"
        with installed(FakeKSR(BYE)):
            assert KSR.pv.get("$rm") == "BYE"
        assert KSR.pv.get("$rm") == "INVITE"
        with pytest.raises(AttributeError):
            KSR.effects  # noqa: B018 - what only tests know is not part of KSR
    with pytest.raises(AttributeError):
        KSR.pv.get("$rm")
