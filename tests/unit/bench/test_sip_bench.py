"""The arithmetic of the bench: percentiles, ratios, the search for the highest clean rate."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.bench import cpu, load, sip
from gateway.bench.load import Load
from gateway.bench.rigs import Rig
from gateway.endpoints.sipp import EndpointError

RIG = Rig("inbound", "127.1.1", "127.1.1.2:5060", (), ())


@pytest.mark.asyncio
@pytest.mark.parametrize("limit", [700, 1234, 3000])
async def test_the_highest_clean_rate_is_found_to_a_twentieth(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: int
) -> None:
    async def loaded(folder: Path, rig: Rig, rate: int, seconds: int) -> Load:
        return Load(rate * seconds, 0, 0 if rate <= limit else 3, seconds, ())

    monkeypatch.setattr(sip, "_load", loaded)
    found = await sip.highest_rate(tmp_path, RIG, 1, lambda line: None)
    assert limit * 0.94 <= found <= limit


@pytest.mark.asyncio
async def test_a_rate_that_sipp_could_not_keep_up_is_not_clean(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def loaded(folder: Path, rig: Rig, rate: int, seconds: int) -> Load:
        return Load(rate * seconds, 0, 0, seconds if rate <= 900 else seconds * 2, ())

    monkeypatch.setattr(sip, "_load", loaded)
    assert await sip.highest_rate(tmp_path, RIG, 4, lambda line: None) <= 900


@pytest.mark.asyncio
async def test_a_rate_at_which_calls_never_end_is_not_clean_and_ends_no_bench(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def loaded(folder: Path, rig: Rig, rate: int, seconds: int) -> Load:
        if rate > 900:
            raise EndpointError("calls did not end")
        return Load(rate * seconds, 0, 0, seconds, ())

    monkeypatch.setattr(sip, "_load", loaded)
    assert 850 <= await sip.highest_rate(tmp_path, RIG, 4, lambda line: None) <= 900


def test_percentiles_come_from_the_calls_themselves() -> None:
    measured = sip.Measured(us=[3.0, 1.0, 2.0], pdd_ms=[float(n) for n in range(1, 101)])
    assert measured.median_us == 2.0
    assert (measured.pdd(50), measured.pdd(99)) == (51.0, 100.0)


def test_post_dial_delay_is_read_from_the_first_sign_of_each_call(tmp_path: Path) -> None:
    rows = [
        ("10.000000", "S", "one", "INVITE sip:x SIP/2.0"),
        ("10.001000", "R", "one", "SIP/2.0 100 Trying"),
        ("10.004000", "R", "one", "SIP/2.0 180 Ringing"),
        ("10.009000", "R", "one", "SIP/2.0 200 OK"),
        ("10.010000", "S", "two", "INVITE sip:x SIP/2.0"),
        ("10.012000", "R", "two", "SIP/2.0 200 OK"),
        ("10.020000", "R", "two", "SIP/2.0 200 OK"),
    ]
    lines = [f"day\ttime\t{at}\t{way}\t{call}\tCSeq:1\t{first}" for at, way, call, first in rows]
    path = tmp_path / "messages.csv"
    path.write_text("\n".join(lines) + "\nday\tcut off", "utf-8")
    assert [round(one, 3) for one in load._delays(path)] == [4.0, 2.0]


def test_cpu_of_a_process_grows_as_it_works() -> None:
    before = cpu.spent_us(os.getpid())
    sum(n * n for n in range(300_000))
    assert cpu.spent_us(os.getpid()) > before


def test_children_are_found() -> None:
    assert os.getpid() in cpu.descendants(os.getppid())
