"""`portgate carriers apply` in a running gateway: calls go on, a good file works, a bad one is
refused, and the registry learns of a carrier it did not know.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway import ports as internal
from gateway.bench import load as bench
from gateway.endpoints.sipp import is_bound
from gateway.home import Home
from tests.integration.stack.running import REPO, Stack, stack

ADAPTERS = REPO / "carrier_adapters"
RATE, CALLS = 50, 400
TWO_WORKERS_EACH = 4  # UDP and TCP


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Carriers' files that a story may edit."""
    folder = tmp_path_factory.mktemp("edited")
    for path in ADAPTERS.glob("*.py"):
        shutil.copy(path, folder)
    shutil.copytree(ADAPTERS / "captures", folder / "captures")
    return folder


@pytest.fixture(scope="module")
def running(folder: Path) -> Iterator[Stack]:
    with stack("portgate-carriers-") as one:
        (one.home / "portgate.toml").write_text(f'[carriers]\nfolder = "{folder}"\n')
        (one.home / "proved.json").write_text("[]")
        one.up()
        yield one


def told(one: Stack, *words: str, status: int = 0) -> dict[str, Any]:
    done = one.portgate("carriers", *words, "--json")
    assert done.returncode == status, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


def listed(one: Stack) -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in told(one, "list")["carriers"]}


@contextmanager
def calls_under_way(one: Stack, where: Path) -> Iterator[dict[str, Any]]:
    """RATE calls a second through the gateway; after the block, what became of them, and what the
    far ends complain of.
    """
    net = internal.load(Home(one.home)).demo_net
    (where / "numbers.csv").write_text("SEQUENTIAL\n+74951230000;\n+74951230001;\n")
    common = ["-p", "5060", "-nostdin", "-trace_err", "-trace_stat", "-fd", "3600", "-stf"]
    callee = _sipp(where, f"{net}.21", "-sf", str(bench.HERE / "uas_load.xml"), *common, "b.csv")
    try:
        until = time.monotonic() + 5
        while not is_bound(f"{net}.21", 5060, "udp"):
            assert time.monotonic() < until, "no far side"
        caller = _sipp(
            where, f"{net}.11", f"127.0.0.1:{one.env['PORTGATE_SIP_PORT']}",
            *("-sf", str(bench.HERE / "uac_load.xml"), "-inf", "numbers.csv"),
            *("-r", str(RATE), "-m", str(CALLS)), *common, "a.csv",
        )  # fmt: skip
        seen: dict[str, Any] = {}
        yield seen
        caller.wait(CALLS / RATE + 20)
    finally:
        callee.kill()
        callee.wait()
    with (where / "a.csv").open() as file:
        last = list(csv.DictReader(file, delimiter=";"))[-1]
    seen["well"], seen["failed"] = int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])
    seen["complaints"] = [
        line
        for file in where.glob("*_errors.log")
        for line in file.read_text().splitlines()
        if "bort" in line and "OPTIONS sip:" not in line
    ]


def _sipp(where: Path, address: str, *words: str) -> subprocess.Popen[bytes]:
    command = ["sipp", *words, "-i", address, "-mi", address, "-ci", address]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=where, stdin=quiet, stdout=quiet, stderr=quiet)


def edit(path: Path, change: str, to: str) -> None:
    text = path.read_text()
    assert change in text
    path.write_text(text.replace(change, to))


def test_files_put_to_work_under_fifty_calls_a_second_lose_none(
    running: Stack, folder: Path, tmp_path: Path
) -> None:
    applied = []
    with calls_under_way(running, tmp_path) as calls:
        for number in range(1, 4):
            title = "Northline Telecom" if number == 1 else f"Northline {number - 1}"
            edit(folder / "northline.py", f'"{title}"', f'"Northline {number}"')
            applied.append(told(running, "apply"))
    assert calls == {"well": CALLS, "failed": 0, "complaints": []}
    for one in applied:
        assert one["applied"] == [{"change": "~", "name": "northline"}]
        assert [worker["took"] for worker in one["workers"]] == [True] * TWO_WORKERS_EACH
    assert listed(running)["northline"]["title"] == "Northline 3"


def test_a_bad_file_is_refused_and_what_was_at_work_goes_on(running: Stack, folder: Path) -> None:
    good = (folder / "northline.py").read_text()
    try:
        edit(folder / "northline.py", "    number_format", "    nmber_format")
        edit(folder / "volga_city.py", 'title = "Volga City Telephone"', 'title = "Volga City"')
        answer = told(running, "apply", status=1)
        assert answer["applied"] == [{"change": "~", "name": "volga_city"}]
        (refused,) = answer["refused"]
        (finding,) = refused["findings"]
        assert (finding["where"], finding["line"]) == ("nmber_format", 16)
        assert "known:" in finding["mend"]
        entry = listed(running)["northline"]
        assert entry["state"] == "refused"
        assert "goes on with what it had" in entry["why"]
        done = running.portgate("call", "+74951230001", "--from", "+79161234567", "--json")
        assert done.returncode == 0, done.stderr
    finally:
        (folder / "northline.py").write_text(good)


def test_a_carrier_dropped_in_is_at_work_and_known_and_can_be_taken_away(
    running: Stack, folder: Path
) -> None:
    words = ("new", "city_telecom", "--source", "203.0.113.0/29", "--proxy", "sip:203.0.113.2")
    assert running.portgate("carriers", *words).returncode == 0
    assert told(running, "check", "city_telecom")["ok"]
    assert told(running, "apply", "--plan", status=2)["changes"] == [
        {"change": "+", "name": "city_telecom"}
    ]
    answer = told(running, "apply")
    assert answer["registered"] == ["city_telecom"]
    assert listed(running)["city_telecom"]["state"] == "at work"
    (folder / "city_telecom.py").unlink()
    answer = told(running, "apply")
    assert answer["applied"] == [], "never without being named"
    assert answer["gone"] == ["city_telecom"], "which is said"
    assert listed(running)["city_telecom"]["state"] == "gone"
    answer = told(running, "apply", "city_telecom")
    assert answer["applied"] == [{"change": "-", "name": "city_telecom"}]
    assert listed(running)["city_telecom"]["state"] == "no file"


def test_a_broken_file_does_not_take_its_carrier_away_at_the_next_start(
    running: Stack, folder: Path
) -> None:
    good = (folder / "northline.py").read_text()
    try:
        (folder / "northline.py").write_text("class Northline(:\n")
        assert running.portgate("down").returncode == 0
        assert running.up()["ready"]
        done = running.portgate("call", "+74951230001", "--from", "+79161234567", "--json")
        assert done.returncode == 0, done.stderr
    finally:
        (folder / "northline.py").write_text(good)


@pytest.mark.parametrize(
    "carrier", ["northline", "volga_city", "ural_link", "steppe_mobile", "oblako_resale"]
)
def test_a_test_call_goes_in_and_out_by_each_carrier(running: Stack, carrier: str) -> None:
    answer = told(running, "test", carrier)
    assert [(call["way"], call["worked"], call["carrier"]) for call in answer["calls"]] == [
        ("in", True, carrier),
        ("out", True, carrier),
    ]


def test_a_typo_gets_a_suggestion(running: Stack) -> None:
    for command in ("show", "check", "apply", "test"):
        done = running.portgate("carriers", command, "nothline")
        assert done.returncode == 1
        assert "Did you mean `northline`?" in done.stderr


def test_a_secret_is_kept_from_standard_input_and_shown_to_nobody(running: Stack) -> None:
    env = {**running.env, "PYTHONPATH": str(REPO)}
    missing = json.loads(running.portgate("carriers", "secret", "list", "--json").stdout)["secrets"]
    names = {one["name"]: one for one in missing}
    assert not names["ural_343"]["present"]
    assert names["ural_343"]["trunks"] == ["ural_link ekaterinburg"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "gateway.cli", "carriers", "secret", "set", "ural_343"],
        env=env, input="canary-secret\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    kept = running.home / "secrets" / "carriers" / "ural_343"
    assert kept.read_text() == "canary-secret\n" and kept.stat().st_mode & 0o777 == 0o600
    shown = [done, *(running.portgate("carriers", *words) for words in (
        ("secret", "list"), ("list", "--json"), ("show", "ural_link"), ("check", "ural_link"),
    ))]  # fmt: skip
    assert "ural_343" in shown[1].stdout
    assert not [one for one in shown if "canary" in one.stdout + one.stderr]
    logs = [path for path in running.home.rglob("*") if path.is_file() and path != kept]
    assert not [path for path in logs if b"canary-secret" in path.read_bytes()]
    assert running.portgate("carriers", "secret", "remove", "ural_343").returncode == 0
    assert not kept.exists()
