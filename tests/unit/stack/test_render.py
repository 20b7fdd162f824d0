"""Configuration: every template renders, values arrive, unchanged files stay untouched."""

from __future__ import annotations

import json
from pathlib import Path

import jinja2
import pytest

from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.settings import Carriers, Media, Settings, Sip, TrunkOverride
from gateway.stack.render import FILES, render, text_of, variables

PORTS = InternalPorts(8712, 10000, 11999, "127.5.6")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.etc.mkdir(parents=True)
    return home


def values(home: Home, settings: Settings | None = None) -> dict[str, object]:
    return variables(home, settings or Settings(), PORTS)


def test_every_file_is_written_and_a_second_time_nothing_changes(home: Home) -> None:
    assert render(home, Settings(), PORTS) == [name for _, name, _ in FILES]
    written = {path: path.stat().st_mtime_ns for path in home.etc.iterdir()}
    assert render(home, Settings(), PORTS) == []
    assert {path: path.stat().st_mtime_ns for path in home.etc.iterdir()} == written


def test_a_changed_setting_rewrites_only_what_names_it(home: Home) -> None:
    render(home, Settings(), PORTS)
    assert render(home, Settings(media=Media(timeout_s=30)), PORTS) == ["rtpengine.conf"]


def test_a_file_whose_rights_were_loosened_gets_them_back(home: Home) -> None:
    render(home, Settings(), PORTS)
    home.kemi_json.chmod(0o666)
    assert render(home, Settings(), PORTS) == ["kemi.json"]
    assert home.kemi_json.stat().st_mode & 0o777 == 0o600


def test_nothing_listens_on_a_network_but_sip_and_audio(home: Home) -> None:
    assert "port 0\n" in text_of("redis", "redis.conf", values(home))
    assert "listen_addresses = ''" in text_of("postgresql", "postgresql.conf", values(home))
    assert "listen-ng = 127.0.0.1:8712" in text_of("rtpengine", "rtpengine.conf", values(home))


def test_advertised_addresses_reach_both_sip_and_audio(home: Home) -> None:
    settings = Settings(
        sip=Sip(advertised_address="gate.example"), media=Media(advertised_address="192.0.2.9")
    )
    assert "advertise gate.example:5060" in text_of(
        "kamailio", "kamailio.cfg", values(home, settings)
    )
    text = text_of("rtpengine", "rtpengine.conf", values(home, settings))
    assert "interface = 127.0.0.1!192.0.2.9\n" in text


def test_a_carriers_placing_reaches_kamailio_without_the_half_that_was_not_set(home: Home) -> None:
    override = {"some": {"town": TrunkOverride(sources=("192.0.2.0/29",))}}
    settings = Settings(carriers=Carriers(overrides=override))
    config = json.loads(text_of("kamailio", "kemi.json", values(home, settings)))
    assert config["carrier_overrides"] == {"some": {"town": {"sources": ["192.0.2.0/29"]}}}


def test_a_variable_that_nobody_gives_is_an_error(home: Home) -> None:
    given = values(home)
    del given["etc"]
    with pytest.raises(jinja2.UndefinedError):
        text_of("kamailio", "kamailio.cfg", given)
