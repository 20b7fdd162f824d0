"""Stubs are written from Kamailio's list of functions, sorted and the same each time."""

from __future__ import annotations

import ast
import json

import pytest

from kemi.stubs import generate

LISTED = {
    "methods": [
        {"func": {"module": "tm", "name": "t_relay", "params": "none", "ret": "int"}},
        {"func": {"module": "pv", "name": "get", "params": "str", "ret": "xval"}},
        {"func": {"module": "pv", "name": "getvn", "params": "str, int", "ret": "xval"}},
        {"func": {"module": "", "name": "err", "params": "str", "ret": "none"}},
        {"func": {"module": "async", "name": "ms_sleep", "params": "int", "ret": "int"}},
        {"func": {"module": "kx", "name": "get_srcport", "params": "none", "ret": "xval"}},
        {"func": {"module": "kx", "name": "gete_ua", "params": "none", "ret": "xval"}},
        {"func": {"module": "x", "name": "import", "params": "none", "ret": "bool"}},
    ]
}


def test_modules_are_read_from_the_loadmodule_lines() -> None:
    template = (
        'loadmodule "tm.so"\n# loadmodule "no.so"\n{% if a %}\n  loadmodule "sl"\n{% endif %}\n'
    )

    assert generate.modules_of(template) == ["tm", "sl"]


def test_functions_are_sorted_by_module_and_name() -> None:
    functions = generate.functions_of(LISTED)

    assert list(functions) == ["", "async", "kx", "pv", "tm", "x"]
    assert functions["pv"] == {"get": ["xval", "str"], "getvn": ["xval", "str", "int"]}
    assert functions["tm"] == {"t_relay": ["int"]}


def test_a_kind_of_parameter_never_seen_is_refused() -> None:
    listed = {"methods": [{"func": {"module": "m", "name": "f", "params": "dict", "ret": "int"}}]}

    with pytest.raises(ValueError, match=r"m\.f.*dict"):
        generate.functions_of(listed)


def test_the_stub_is_python_and_types_every_function() -> None:
    text = generate.stub_text("5.6.3", generate.functions_of(LISTED))

    ast.parse(text)
    assert "def err(p1: str, /) -> int: ..." in text
    assert "def t_relay() -> int: ..." in text
    assert "def getvn(p1: str, p2: int, /) -> str | int | None: ..." in text
    assert "def get_srcport() -> int: ..." in text
    assert "def gete_ua() -> str: ..." in text


def test_names_that_are_python_keywords_say_how_to_reach_them() -> None:
    text = generate.stub_text("5.6.3", generate.functions_of(LISTED))

    assert 'getattr(KSR, "async")' in text
    assert "class async_:" in text
    assert 'getattr(KSR.x, "import")' in text


def test_text_variables_have_an_overload_without_int() -> None:
    text = generate.stub_text("5.6.3", generate.functions_of(LISTED))

    assert "def get(p1: _Text, /) -> str | None: ..." in text
    assert "def get(p1: str, /) -> str | int | None: ..." in text


def test_the_table_holds_the_functions_and_the_version() -> None:
    functions = generate.functions_of(LISTED)

    table = json.loads(generate.api_text("5.6.3", functions))

    assert table == {"kamailio": "5.6.3", "functions": functions}
