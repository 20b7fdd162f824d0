"""Puts call load on an address with two SIPps and says what came back; measures no CPU."""

from __future__ import annotations

import asyncio
import csv
import signal
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from gateway.endpoints.sipp import EndpointError, is_bound

HERE = Path(__file__).parent
BUFFER = 4_194_304  # bytes; SIPp's default loses bursts that Kamailio never saw
_UP_WITHIN_S = 5.0
_TAIL_S = 20.0  # after the last call should have ended


@dataclass(frozen=True, slots=True)
class Load:
    """What one run gave. `pdd_ms`: per call, from the INVITE to its first 18x or 200."""

    calls: int
    failed: int
    retransmitted: int
    seconds: float
    pdd_ms: tuple[float, ...]

    @property
    def clean(self) -> bool:
        """No message was lost or sent twice."""
        return self.failed == 0 and self.retransmitted == 0


async def put_load(
    folder: Path, net: str, target: str, numbers: Iterable[str], *, rate: int, calls: int
) -> Load:
    """Calls to `target` ("ip:port") from net.1, answered at net.3. Raises EndpointError."""
    (folder / "numbers.csv").write_text("SEQUENTIAL\n" + "".join(f"{n};\n" for n in numbers))
    for old in folder.glob("*.csv*"):
        if old.name != "numbers.csv":
            old.unlink()
    callee = await _start(folder, f"{net}.3", "callee", ["-sf", str(HERE / "uas_load.xml")])
    try:
        await _until_bound(callee, f"{net}.3")
        caller = await _start(
            folder,
            f"{net}.1",
            "caller",
            [
                *(target, "-sf", str(HERE / "uac_load.xml"), "-inf", "numbers.csv"),
                *("-r", str(rate), "-m", str(calls)),
                *("-trace_shortmsg", "-shortmessage_file", "messages.csv"),
            ],
        )
        try:
            async with asyncio.timeout(calls / rate + _TAIL_S):
                await caller.wait()
        except TimeoutError:
            raise EndpointError(f"{calls} calls at {rate}/s to {target} did not end") from None
        finally:
            await _end(caller, signal.SIGKILL)
    finally:
        # Told twice, SIPp does not wait for calls that will never end; it still writes its counts.
        await _end(callee, signal.SIGUSR1)
    sent, seen = _last_row(folder / "caller.csv"), _last_row(folder / "callee.csv")
    return Load(
        calls=int(sent["SuccessfulCall(C)"]),
        failed=calls - int(sent["SuccessfulCall(C)"]) + int(seen["FailedCall(C)"]),
        retransmitted=int(sent["Retransmissions(C)"]) + int(seen["Retransmissions(C)"]),
        seconds=_seconds(sent["ElapsedTime(C)"]),
        pdd_ms=tuple(_delays(folder / "messages.csv")),
    )


async def _start(
    folder: Path, address: str, name: str, arguments: list[str]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "sipp",
        *arguments,
        *("-i", address, "-p", "5060", "-mi", address, "-ci", address, "-nostdin"),
        *("-buff_size", str(BUFFER), "-trace_stat", "-stf", f"{name}.csv", "-fd", "3600"),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def _until_bound(process: asyncio.subprocess.Process, address: str) -> None:
    async with asyncio.timeout(_UP_WITHIN_S):
        while not is_bound(address, 5060, "udp"):
            if process.returncode is not None:
                raise EndpointError(f"SIPp on {address} ended with {process.returncode}")
            await asyncio.sleep(0.01)


async def _end(process: asyncio.subprocess.Process, how: signal.Signals) -> None:
    for signal_ in (how, how, signal.SIGKILL):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(signal_)
        with suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                await process.wait()


def _last_row(path: Path) -> dict[str, str]:
    with path.open(encoding="ascii") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    return rows[-1]


def _seconds(text: str) -> float:
    hours, minutes, seconds = text.split(":")[:3]
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def _delays(path: Path) -> Iterable[float]:
    """Times in SIPp's statistics are whole milliseconds; its short log has microseconds."""
    began: dict[str, float] = {}
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            columns = line.rstrip("\n").split("\t")
            if len(columns) != 7:
                continue  # a line that was cut off by the end
            _, _, at, way, call, _, first = columns
            if way == "S" and first.startswith("INVITE"):
                began.setdefault(call, float(at))
            elif call in began and first.startswith(("SIP/2.0 18", "SIP/2.0 200")):
                yield (float(at) - began.pop(call)) * 1000
