"""What is said of gateways is read by people's commands, whatever state the file is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import registered
from gateway.health.said import states
from gateway.health.watch import FILE
from gateway.registrations import said as registrations


def test_each_gateway_has_its_state(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"gateways": {"sip:192.0.2.1": {"state": "down"}}}')
    assert states(tmp_path) == {"sip:192.0.2.1": "down"}


@pytest.mark.parametrize("text", ["", "garbage", "[]", "{}", '{"gateways": {"sip:x": 1}}'])
def test_a_damaged_file_says_nothing_and_stops_no_command(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert states(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "garbage", "[]", "{}"])
def test_damaged_registrations_say_nothing_either(tmp_path: Path, text: str) -> None:
    (tmp_path / registered.FILE).write_text(text)
    (tmp_path / registrations.FILE).write_text(text)
    assert registered.contacts(tmp_path) == {}
    assert registrations.read(tmp_path) == {}
