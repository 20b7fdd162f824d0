"""The demo company: written once into an empty registry, and listed by the command line."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from gateway import demo
from gateway.cli.carriers import carriers
from gateway.cli.numbers import numbers
from gateway.cli.pbx import pbx
from gateway.home import Home
from gateway.settings import Settings
from gateway.stack.problems import NotRunning
from number_registry.compact_directory import CompactDirectory
from number_registry.store.pool import connect
from number_registry.store.truth import directory, read_all

from .conftest import PORTS


def test_the_company_is_written_once(empty_dsn: str, tmp_path: Path) -> None:
    async def seed_twice() -> tuple[bool, bool, int]:
        both = [await demo.seed(empty_dsn, Home(tmp_path), Settings(), PORTS) for _ in range(2)]
        connection = await connect(empty_dsn, "test")
        count = (await read_all(connection)).count
        await connection.close()
        return both[0], both[1], count

    assert asyncio.run(seed_twice()) == (True, False, 40)


def test_two_that_seed_at_once_write_it_once(empty_dsn: str, tmp_path: Path) -> None:
    async def seed_together() -> list[bool]:
        seeds = (demo.seed(empty_dsn, Home(tmp_path), Settings(), PORTS) for _ in range(3))
        return await asyncio.gather(*seeds)

    assert sorted(asyncio.run(seed_together())) == [False, False, True]


def test_a_registry_that_is_in_use_is_left_alone(empty_dsn: str, tmp_path: Path) -> None:
    async def seed_after_a_first_carrier() -> tuple[bool, int]:
        connection = await connect(empty_dsn, "test")
        await connection.execute("INSERT INTO carriers (name) VALUES ('own_carrier')")
        written = await demo.seed(empty_dsn, Home(tmp_path), Settings(), PORTS)
        count = await connection.fetchval("SELECT count(*) FROM numbers")
        await connection.close()
        return written, count

    assert asyncio.run(seed_after_a_first_carrier()) == (False, 0)


def test_everyone_has_a_number_to_show_and_a_site(dsn: str) -> None:
    async def published() -> dict[str, Any]:
        connection = await connect(dsn, "test")
        found = await directory(connection)
        await connection.close()
        return found

    content = asyncio.run(published())
    CompactDirectory(None, content)  # type: ignore[arg-type]  # asks for no number
    people = content["people"]
    assert people["101"]["shown"] == "74951230001"  # a supervisor shows their own number
    assert people["102"]["shown"] == "74951230000"  # an operator the city's
    assert {person["site"] for person in people.values()} == set(content["sites"])
    assert {person["role"] for person in people.values()} == set(content["roles"])


def test_the_carriers_gateways_are_on_this_homes_own_loopback_net() -> None:
    places = demo.carrier_overrides(PORTS)
    hosts = [
        source
        for trunks in places.values()
        for trunk in trunks.values()
        for source in trunk["sources"]
    ]
    assert len(hosts) == len(set(hosts)) == 9  # disjoint: a source tells the trunk
    assert all(host.startswith("127.9.9.") for host in hosts)


def listed(command: click.Command, dsn: str, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setattr(Home, "postgres_dsn", dsn)
    return CliRunner().invoke(command, ["list", *words], catch_exceptions=False).stdout


def test_numbers_are_listed_for_scripts(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(listed(numbers, dsn, monkeypatch, "--json"))["numbers"]
    assert len(found) == 40
    first = next(number for number in found if number["e164"] == "+74951230000")
    wanted = {"city": "Moscow", "carrier": "northline", "pbx": "old", "state": "in_service"}
    assert {key: first[key] for key in wanted} == wanted
    assert Counter(number["pbx"] for number in found) == {"old": 35, "new": 5}
    assert Counter(number["city"] for number in found) == {"Moscow": 20, "Kazan": 10, "Ufa": 10}


def test_pbxs_are_listed_for_scripts(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = json.loads(listed(pbx, dsn, monkeypatch, "--json"))["pbxs"]
    assert [(entry["name"], entry["state"], entry["addresses"]) for entry in found] == [
        ("new", "in_service", ["sip:127.9.9.31:5060"]),
        ("old", "in_service", ["sip:127.9.9.21:5060", "sip:127.9.9.22:5060"]),
    ]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (numbers, ["NUMBER", "+74951230000", "Moscow", "northline", "in_service"]),
        (pbx, ["PBX", "old", "35", "sip:127.9.9.21:5060, sip:127.9.9.22:5060"]),
        (carriers, ["CARRIER", "volga_city", "Volga City Telephone", "18", "Kazan, Ufa"]),
    ],
)
def test_people_get_a_table(
    dsn: str, monkeypatch: pytest.MonkeyPatch, command: click.Command, words: list[str]
) -> None:
    shown = listed(command, dsn, monkeypatch)
    assert all(word in shown for word in words)
    assert "\x1b" not in shown  # no colour when piped


def test_a_registry_that_does_not_answer_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotRunning) as caught:
        listed(numbers, f"postgresql://portgate@/portgate?host={tmp_path}", monkeypatch)
    assert "portgate up" in caught.value.problems[0].mend
