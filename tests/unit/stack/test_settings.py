"""Settings: defaults, file, environment, and errors that a person can act on."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import FILE, SettingsError, load
from gateway.settings_lines import line_of


def wrote(home: Path, text: str) -> Path:
    (home / FILE).write_text(text, "utf-8")
    return home


def test_without_a_file_everything_has_its_default(tmp_path: Path) -> None:
    settings = load(tmp_path, {})
    assert (settings.sip.address, settings.sip.port) == ("127.0.0.1", 5060)
    assert settings.api.port == 8080
    assert settings.media.relay


def test_the_environment_beats_the_file(tmp_path: Path) -> None:
    home = wrote(tmp_path, "[sip]\nport = 5070\nworkers = 3\n")
    env = {"PORTGATE_SIP_PORT": "5080", "PORTGATE_MEDIA_RELAY": "false", "HOME": "/root"}
    settings = load(home, env)
    assert (settings.sip.port, settings.sip.workers) == (5080, 3)
    assert not settings.media.relay


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[sip]\n\nprot = 1\n", 3, "unknown key `prot` in [sip]. Did you mean `port`?"),
        ("# mine\n[spi]\nport = 1\n", 2, "unknown section `spi`. Did you mean `sip`?"),
        ("[media]\nrelay = true\n[sip]\nport = 'x'\n", 4, "`sip.port`: Expected a whole number"),
        ("[sip]\nport = 70000\n", 2, "<= 65535"),
        ("[sip]\ntls_port = 5060\n", 2, "`tls_port` and port are the same"),
        ("[sip]\ntls_key = '/k.pem'\n", 1, "`tls_certificate` is needed beside its other half"),
        ("[sip]\ntls_authorities = 'ca.pem'\n", 2, "must be the full path of a file"),
        ("[sip]\naddress = 'here'\n", 2, "must be an IP address, not `here`"),
        ("[media]\naddress = '::1'\n", 2, "must be an IPv4 address, not `::1`"),
        ("sip = 3\n", 1, "`sip` must be a section"),
        ("[sip]\nport = = 3\n", 2, "is not TOML"),
        ("[carriers]\nfoldr = 'x'\n", 2, "Did you mean `folder`?"),
        ("[carriers.some.trunk]\nsources = ['192.0.2.1/24']\n", 2, "has host bits set"),
        ("[carriers.some.trunk]\nproxies = []\nsource = []\n", 3, "unknown field `source`"),
        ("[carriers.some]\ntrunk = 5\n", 2, "carriers.some.trunk"),
        ("[carriers.some.trunk]\nproxies = ['nonsense']\n", 2, "'nonsense' is not a SIP address"),
    ],
)
def test_a_wrong_line_is_named_with_its_mend(
    tmp_path: Path, text: str, line: int, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(wrote(tmp_path, text), {})
    assert caught.value.where == f"{tmp_path / FILE}:{line}"
    assert says in str(caught.value)
    assert caught.value.mend


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("PORTGATE_SIP_PROT", "1", "Did you mean `PORTGATE_SIP_PORT`?"),
        ("PORTGATE_SIP_PORT", "many", "whole number"),
        ("PORTGATE_SIP_PORT", "99999", "<= 65535"),
        ("PORTGATE_API_ADDRESS", "nowhere", "must be an IP address"),
    ],
)
def test_a_wrong_variable_is_named_with_its_mend(
    tmp_path: Path, variable: str, value: str, says: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, {variable: value})
    assert caught.value.where == variable
    assert says in str(caught.value)


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"[sip]\n\xff\xfe")
    with pytest.raises(SettingsError, match=f"{FILE}:2: byte 0xff is not UTF-8"):
        load(tmp_path, {})


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xef\xbb\xbf[sip]\nport = 5070\n")
    assert load(tmp_path, {}).sip.port == 5070


def test_a_carriers_trunk_can_be_placed_here(tmp_path: Path) -> None:
    text = '[carriers.some.town]\nsources = ["192.0.2.0/29"]\nproxies = ["sip:192.0.2.2:5060"]\n'
    override = load(wrote(tmp_path, text), {}).carriers.overrides["some"]["town"]
    assert override.sources == ("192.0.2.0/29",)
    assert override.proxies == ("sip:192.0.2.2:5060",)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("sip", "port"), 2),
        (("a", "b", "c"), 4),
        (("x", "y"), 5),
        (("nowhere", "at all"), 1),
        (("sip", "absent"), 1),
    ],
)
def test_a_key_is_found_however_it_is_written(path: tuple[str, ...], line: int) -> None:
    text = '[sip]\nport = 1\n[a."b"]\nc = 2\n[x]  # not y\n'
    assert line_of(text, path) == line
