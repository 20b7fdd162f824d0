"""`portgate pbx add|set|show|undo|password`: how a PBX speaks is data that is planned, changed and
taken back like everything else; over a real PostgreSQL.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from number_registry.errors import PortgateError
from number_registry.model import Account
from number_registry.pbx_profile import Trust
from number_registry.store.pool import Connection
from number_registry.store.truth import directory

from .commands import Portgate, on_database


@pytest.fixture
def portgate(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Portgate:
    return on_database(dsn, tmp_path, monkeypatch)


def test_a_profile_comes_from_preset_file_and_flags_in_that_order(
    portgate: Portgate, tmp_path: Path
) -> None:
    file = tmp_path / "office.toml"
    file.write_text(
        'preset = "freepbx"\naddresses = ["sip:192.0.2.9"]\ncodecs = ["PCMU"]\ndtmf = "inband"\n'
    )
    portgate("pbx", "add", "office", "--profile", file, "--dtmf", "rfc4733")
    found = portgate.json("pbx", "show", "office")
    profile = found["profile"]
    assert found["addresses"] == ["sip:192.0.2.9"] and found["sources"] == ["192.0.2.9/32"]
    assert (profile["did_format"], profile["codecs"]) == ("digits", ["PCMU"])
    assert profile["dtmf"] == "rfc4733"


def test_a_slip_in_a_profile_file_names_file_and_field(portgate: Portgate, tmp_path: Path) -> None:
    file = tmp_path / "office.toml"
    file.write_text('codec = "PCMA"\n')
    with pytest.raises(PortgateError, match=r"office\.toml: profile: 'codec' is unknown"):
        portgate("pbx", "add", "office", "sip:192.0.2.9", "--profile", file)
    file.write_text('preset = "asterix"\n')
    with pytest.raises(PortgateError, match="Did you mean 'asterisk'"):
        portgate("pbx", "add", "office", "sip:192.0.2.9", "--profile", file)


def test_a_change_is_planned_done_and_taken_back(portgate: Portgate) -> None:
    words = ("pbx", "set", "new", "--did-format", "national", "--codecs", "PCMA,PCMU")
    planned = portgate.json(*words, "--plan", status=2)
    assert [(one["field"], one["before"], one["after"]) for one in planned["fields"]] == [
        ("did_format", "plus", "national"),
        ("codecs", "", "PCMA, PCMU"),
    ]
    assert portgate.json("pbx", "show", "new")["profile"]["codecs"] == []
    done = portgate.json(*words)
    assert portgate.json("pbx", "show", "new")["profile"]["did_format"] == "national"
    assert portgate.json(*words)["changes"] == 0

    assert portgate("pbx", "undo", done["undo"]).exit_code == 0

    assert portgate.json("pbx", "show", "new")["profile"]["did_format"] == "plus"
    with pytest.raises(PortgateError, match="taken back already"):
        portgate("pbx", "undo", done["undo"])


def test_an_undo_refuses_to_overwrite_what_came_later(portgate: Portgate) -> None:
    done = portgate.json("pbx", "set", "new", "--dtmf", "inband")
    portgate("pbx", "set", "new", "--dtmf", "rfc4733")
    with pytest.raises(PortgateError, match="PBX new has changed meanwhile: dtmf is 'rfc4733'"):
        portgate("pbx", "undo", done["undo"])


def test_adding_is_taken_back_while_nothing_depends_on_it(portgate: Portgate) -> None:
    done = portgate.json("pbx", "add", "cloud", "sip:192.0.2.10")
    assert portgate("pbx", "undo", done["undo"]).exit_code == 0
    assert "cloud" not in [row["name"] for row in portgate.json("pbx", "list")["pbxs"]]
    done = portgate.json("pbx", "add", "cloud", "sip:192.0.2.10")
    portgate("pbx", "swap", "old", "cloud", "--city", "Ufa")
    with pytest.raises(PortgateError, match="PBX cloud is used by now"):
        portgate("pbx", "undo", done["undo"])


def test_a_swap_that_was_taken_back_or_only_prepared_does_not_keep_a_pbx(
    portgate: Portgate,
) -> None:
    done = portgate.json("pbx", "add", "cloud", "sip:192.0.2.10")
    swapped = portgate.json("pbx", "swap", "old", "cloud", "--city", "Ufa")
    portgate("pbx", "swap", "old", "cloud", "--city", "Kazan", "--prepare")
    with pytest.raises(PortgateError, match="numbers are attached to it"):
        portgate("pbx", "undo", done["undo"])
    portgate("pbx", "undo", swapped["undo"])
    assert portgate("pbx", "undo", done["undo"]).exit_code == 0
    assert "cloud" not in [row["name"] for row in portgate.json("pbx", "list")["pbxs"]]
    assert portgate("pbx", "swap", "old", "new", "--city", "Kazan").exit_code == 0


def test_what_keeps_a_pbx_is_named(portgate: Portgate) -> None:
    done = portgate.json("pbx", "add", "cloud", "sip:192.0.2.10")
    portgate("waves", "plan", "old", "cloud", "--pilot", "Ufa")
    with pytest.raises(PortgateError, match=r"used by now \(a migration by waves"):
        portgate("pbx", "undo", done["undo"])


def test_suspending_is_taken_back(portgate: Portgate) -> None:
    done = portgate.json("pbx", "suspend", "new")
    assert done["warnings"] == ["callers of its 5 numbers will reach nobody"]
    portgate("pbx", "undo", done["undo"])
    assert portgate.json("pbx", "show", "new")["state"] == "in_service"


def test_addresses_change_and_their_networks_with_them(portgate: Portgate) -> None:
    portgate("pbx", "add", "cloud", "sip:192.0.2.10", "sip:192.0.2.11")
    portgate("pbx", "set", "cloud", "--address", "sip:192.0.2.11", "--address", "sip:192.0.2.12")
    found = portgate.json("pbx", "show", "cloud")
    assert found["addresses"] == ["sip:192.0.2.11", "sip:192.0.2.12"]
    assert found["sources"] == ["192.0.2.11/32", "192.0.2.12/32"]


@pytest.mark.asyncio
async def test_a_password_is_made_shown_once_and_kept_as_digests_only(
    portgate: Portgate, sql: Connection
) -> None:
    done = await _aside(portgate.json, "pbx", "add", "shop", "--trust", "register")
    login = done["login"]
    user, password = login["user"], login["password"]
    assert user.startswith("shop-") and len(user) > 20 and len(password) == 24

    published = (await directory(sql))["pbxs"][-1]
    text = f"{user}:{login['realm']}:{password}".encode()
    assert Account(**published["account"]) == Account(
        user, "portgate", hashlib.md5(text).hexdigest(), hashlib.sha256(text).hexdigest()
    )
    stored = [str(dict(row)) for row in await sql.fetch("SELECT * FROM pbx_accounts")]
    stored += [str(dict(row)) for row in await sql.fetch("SELECT * FROM operations")]
    stored += [str(dict(row)) for row in await sql.fetch("SELECT * FROM operation_pbxs")]
    assert password not in "".join(stored)
    shown = await _aside(portgate.json, "pbx", "show", "shop")
    assert shown["account"] == user and password not in str(shown)


@pytest.mark.asyncio
async def test_a_new_password_ends_the_old_one_and_keeps_the_name(
    portgate: Portgate, sql: Connection
) -> None:
    first = (await _aside(portgate.json, "pbx", "add", "shop", "--trust", "register"))["login"]
    second = (await _aside(portgate.json, "pbx", "password", "shop"))["login"]
    assert second["user"] == first["user"] and second["password"] != first["password"]
    with pytest.raises(PortgateError, match="PBX old has no account"):
        await _aside(portgate, "pbx", "password", "old")


@pytest.mark.asyncio
async def test_the_account_of_a_pbx_known_by_its_address_is_not_published(
    portgate: Portgate, sql: Connection
) -> None:
    done = await _aside(portgate.json, "pbx", "set", "new", "--trust", "digest")
    entries = (await directory(sql))["pbxs"]
    assert [one["name"] for one in entries if one and "account" in one] == ["new"]
    shown = await _aside(portgate.json, "pbx", "show", "new")
    assert shown["sources"] == [] and shown["profile"]["trust"] == Trust.DIGEST
    await _aside(portgate, "pbx", "undo", done["undo"])
    entries = (await directory(sql))["pbxs"]
    assert [one["name"] for one in entries if one and "account" in one] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("shop",), "needs an address"),
        (("shop", "sip:192.0.2.1", "--trust", "register"), "has no addresses"),
        (("shop", "sip:192.0.2.1", "--trust", "digest", "--source", "192.0.2.1"), "no sources"),
        (("shop", "sip:192.0.2.1", "sip:192.0.2.1"), "twice"),
        (("Shop!", "sip:192.0.2.1"), "is no name"),
    ],
)
def test_what_does_not_go_together_is_refused(
    portgate: Portgate, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(PortgateError, match=said):
        portgate("pbx", "add", *words)


def test_numbers_move_to_a_pbx_that_registers(portgate: Portgate) -> None:
    portgate("pbx", "add", "shop", "--trust", "register")
    assert portgate("pbx", "swap", "old", "shop", "--city", "Ufa").exit_code == 0


async def _aside(call: object, *words: str) -> object:
    """Commands run an event loop of their own."""
    import asyncio

    return await asyncio.to_thread(call, *words)  # type: ignore[arg-type]
