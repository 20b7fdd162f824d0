"""The repository keeps its own rules, and each rule notices what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.repo import code_rules, import_rules, text_rules
from tests.repo.tree import Source, all_files, python_files

Rule = Callable[[Source], Iterator[str]]

CODE_RULES: tuple[Rule, ...] = (
    import_rules.rooms_keep_apart,
    import_rules.core_does_no_io,
    import_rules.libraries_stay_in_their_rooms,
    import_rules.libraries_are_declared,
    import_rules.kemi_has_no_threads,
    import_rules.kemi_asks_no_database,
    code_rules.opens_with_a_docstring,
    code_rules.is_short,
    code_rules.swallows_no_error,
    code_rules.leaves_nothing_undone,
    code_rules.speaks_to_kamailio_in_few_modules,
    code_rules.lets_no_exception_out_of_a_callback,
    code_rules.names_no_sip_header,
    code_rules.sleeps_nowhere,
)
TEXT_RULES: tuple[Rule, ...] = (
    text_rules.tells_no_machine_paths,
    text_rules.names_no_registry,
    text_rules.holds_no_secret,
    text_rules.names_no_carrier,
)
SIBLING = min(text_rules.carrier_names())
_KEY = "-----BEGIN RSA PRIVATE" + " KEY-----"

# rule, path, text that breaks it
BROKEN: list[tuple[Rule, str, str]] = [
    (import_rules.rooms_keep_apart, "kemi/a.py", "from gateway.home import Home"),
    (import_rules.rooms_keep_apart, "kemi/a.py", "from kemi.stubs import fake_ksr"),
    (import_rules.rooms_keep_apart, "kemi/a.py", "import number_registry.store.pool"),
    (import_rules.rooms_keep_apart, "gateway/a.py", "def f():\n    import admin_api"),
    (import_rules.rooms_keep_apart, "admin_api/a.py", "from kemi import journal"),
    (import_rules.rooms_keep_apart, "gateway/a.py", "from tests.repo import tree"),
    (import_rules.rooms_keep_apart, "number_registry/a.py", "from number_registry import store"),
    (import_rules.rooms_keep_apart, "number_registry/a.py", "from .store import pool"),
    (import_rules.rooms_keep_apart, "number_registry/a.py", "import carrier_adapters.contract"),
    (import_rules.rooms_keep_apart, "number_registry/store/a.py", "from ..publish import outbox"),
    (import_rules.rooms_keep_apart, "carrier_adapters/a.py", "from . import " + SIBLING),
    (import_rules.rooms_keep_apart, "carrier_adapters/a.py", "import carrier_adapters.b_c"),
    (import_rules.core_does_no_io, "number_registry/a.py", "import socket"),
    (import_rules.core_does_no_io, "number_registry/a.py", "from urllib import request"),
    (import_rules.core_does_no_io, "number_registry/a.py", "import asyncpg"),
    (import_rules.libraries_stay_in_their_rooms, "number_registry/store/a.py", "import sanic"),
    (import_rules.libraries_stay_in_their_rooms, "carrier_adapters/a.py", "import phonenumbers"),
    (import_rules.libraries_stay_in_their_rooms, "kemi/a.py", "import redis"),
    (import_rules.libraries_are_declared, "gateway/a.py", "import requests"),
    (import_rules.kemi_has_no_threads, "kemi/a.py", "from concurrent.futures import Executor"),
    (import_rules.kemi_has_no_threads, "kemi/a.py", "import asyncio"),
    (import_rules.kemi_asks_no_database, "kemi/a.py", "import http.client"),
    (code_rules.opens_with_a_docstring, "gateway/a.py", "import os"),
    (code_rules.opens_with_a_docstring, "gateway/a.py", '"""Things"""'),
    (code_rules.is_short, "gateway/a.py", "a = 1\n" * (code_rules.MOST_LINES + 1)),
    (code_rules.swallows_no_error, "gateway/a.py", "try:\n    f()\nexcept OSError:\n    pass"),
    (code_rules.swallows_no_error, "gateway/a.py", "try:\n    f()\nexcept OSError:\n    ..."),
    (code_rules.swallows_no_error, "gateway/a.py", "try:\n    f()\nexcept:\n    raise"),
    (code_rules.swallows_no_error, "gateway/a.py", "with contextlib.suppress(Exception):\n    f()"),
    (code_rules.leaves_nothing_undone, "gateway/a.py", "f()  # TO" + "DO later"),
    (code_rules.leaves_nothing_undone, "gateway/a.py", "raise NotImplementedError('f')"),
    (code_rules.speaks_to_kamailio_in_few_modules, "gateway/a.py", "import KSR"),
    (code_rules.speaks_to_kamailio_in_few_modules, "kemi/router.py", "KSR.tm.t_relay()"),
    (
        code_rules.lets_no_exception_out_of_a_callback,
        "kemi/a.py",
        "def ksr_request_route(m):\n    f()\n    return 1",
    ),
    (
        code_rules.lets_no_exception_out_of_a_callback,
        "kemi/a.py",
        "def ksr_request_route(m):\n    try:\n        f()\n    except OSError:\n        g()",
    ),
    (code_rules.names_no_sip_header, "number_registry/a.py", "a = 'P-Asserted-Identity'"),
    (code_rules.names_no_sip_header, "number_registry/store/a.py", "a = {'Call-ID: ': 1}"),
    (code_rules.sleeps_nowhere, "tests/unit/a.py", "time.sleep(1)"),
    (code_rules.sleeps_nowhere, "tests/unit/a.py", "while not f():\n    time.sleep(0.1)"),
    (code_rules.sleeps_nowhere, "tests/unit/a.py", "def f():\n    monotonic()\n    sleep(1)"),
    (code_rules.sleeps_nowhere, "tests/unit/a.py", "def f():\n    for _ in x:\n        sleep(1)"),
    (text_rules.tells_no_machine_paths, "README.md", "cd /ho" + "me/anna/portgate"),
    (text_rules.tells_no_machine_paths, "ansible/a.yml", "see .." + "/shared/a.md"),
    (
        text_rules.names_no_registry,
        "requirements.lock",
        "--index" + "-url https://packages.example",
    ),
    (text_rules.names_no_registry, "README.md", "fetched from files.python" + "hosted.org"),
    (text_rules.holds_no_secret, "ansible/a.yml", _KEY),
]
# rule, path, text that only looks as if it broke it
KEPT: list[tuple[Rule, str, str]] = [
    (import_rules.rooms_keep_apart, "kemi/a.py", "from carrier_adapters.loader import load"),
    (import_rules.rooms_keep_apart, "kemi/stubs/a.py", "from kemi.stubs import generate"),
    (import_rules.rooms_keep_apart, "gateway/a.py", "from number_registry.store import pool"),
    (import_rules.rooms_keep_apart, "tests/a.py", "import kemi, gateway, admin_api"),
    (import_rules.core_does_no_io, "number_registry/a.py", "import hashlib, number_registry.e164"),
    (import_rules.libraries_stay_in_their_rooms, "number_registry/store/a.py", "import asyncpg"),
    (import_rules.libraries_are_declared, "gateway/a.py", "import yaml, prometheus_client, json"),
    (import_rules.kemi_asks_no_database, "kemi/stubs/a.py", "import subprocess"),
    (
        code_rules.swallows_no_error,
        "gateway/a.py",
        "with contextlib.suppress(FileNotFoundError):\n    f()",
    ),
    (code_rules.swallows_no_error, "gateway/a.py", "try:\n    f()\nexcept OSError:\n    return"),
    (
        code_rules.swallows_no_error,
        "gateway/a.py",
        "def f():\n    try:\n        return seen[1]\n    except KeyError:\n        pass\n    g()",
    ),
    (code_rules.speaks_to_kamailio_in_few_modules, "kemi/ksr_message.py", "import KSR"),
    (
        code_rules.lets_no_exception_out_of_a_callback,
        "kemi/a.py",
        'def ksr_a(m):\n    """Why."""\n    try:\n        f()\n    except Exception:\n        g()\n'
        "    return 1",
    ),
    (code_rules.names_no_sip_header, "number_registry/a.py", '"""From"""\na = "From here"'),
    (code_rules.sleeps_nowhere, "gateway/a.py", "time.sleep(1)"),
    (code_rules.sleeps_nowhere, "tests/a.py", "async def f():\n    await asyncio.sleep(0)"),
    (
        code_rules.sleeps_nowhere,
        "tests/a.py",
        "def f():\n    while time.monotonic() < end:\n        time.sleep(0.01)",
    ),
    (
        code_rules.sleeps_nowhere,
        "tests/a.py",
        "def f():\n    for _ in range(9):\n        if g():\n            return\n        sleep(1)\n"
        "    raise AssertionError",
    ),
    (text_rules.names_no_registry, "requirements.lock", "# pip-compile --no-emit-index" + "-url"),
]


def _id(value: object) -> str:
    return getattr(value, "__name__", "")


@pytest.mark.parametrize("rule", CODE_RULES, ids=_id)
def test_every_python_file_keeps_the_rule(rule: Rule) -> None:
    broken = [line for source in python_files() for line in rule(source)]

    assert broken == []


@pytest.mark.parametrize("rule", TEXT_RULES, ids=_id)
def test_every_file_keeps_the_rule(rule: Rule) -> None:
    broken = [line for source in all_files() for line in rule(source)]

    assert broken == []


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN, ids=_id)
def test_a_rule_notices_what_breaks_it(rule: Rule, path: str, text: str) -> None:
    assert len(list(rule(Source(path, text)))) >= 1


@pytest.mark.parametrize(("rule", "path", "text"), KEPT, ids=_id)
def test_a_rule_leaves_alone_what_keeps_it(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []


def test_every_rule_has_something_that_breaks_it() -> None:
    shown = {rule for rule, _, _ in BROKEN}

    assert {*CODE_RULES, *TEXT_RULES} - shown == {text_rules.names_no_carrier}


@pytest.mark.parametrize("text", ["x = 'far_tel'", "# Far Tel is slow", "FARTEL = 1", "far-tel:"])
def test_a_carriers_name_outside_its_own_file_is_noticed(text: str) -> None:
    carriers = frozenset({"far_tel"})

    def broken(path: str) -> list[str]:
        return list(text_rules.names_no_carrier(Source(path, text), carriers))

    assert broken("gateway/costs.py") == ["gateway/costs.py:1: the carrier far_tel"]
    assert broken("carrier_adapters/other.py") != []
    for fine in ("carrier_adapters/far_tel.py", "tests/unit/a.py", "README.md", "sql/demo.sql"):
        assert broken(fine) == []


def test_the_rules_see_the_whole_repository() -> None:
    """A rule that reads no file keeps nothing: the rooms and the carriers must be found."""
    seen = {source.room for source in python_files()}

    assert {"number_registry", "carrier_adapters", "kemi", "gateway", "tests"} <= seen
    assert len(text_rules.carrier_names()) >= 2
    assert len(all_files()) > len(python_files()) > 50
