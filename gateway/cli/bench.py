"""`portgate bench`: sets the bench's figures beside their targets; measures nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from gateway.cli.common import json_option, print_json


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: where the figure is in the result, and the most it may be."""

    path: str
    what: str
    unit: str
    most: float | None = None


ROWS = (
    Row("native_us", "a call through a native relay, CPU", "µs"),
    Row("inbound.us", "a call through Portgate without media, CPU", "µs"),
    Row("inbound.ratio", "the same against the native relay", "x", 1.6),
    Row("inbound.max_cps", "highest rate without a lost or repeated message", "calls/s"),
    Row("media.us", "a call through Portgate with media, CPU with rtpengine", "µs"),
    Row("media.ratio", "the same against the native relay", "x", 3.5),
    Row("pdd_ms.p50", "post-dial delay added, half of the calls", "ms"),
    Row("pdd_ms.p99", "post-dial delay added, 99 of 100", "ms"),
    Row("publish_1m_s", "publish 1,000,000 numbers", "s", 12),
    Row("redis_bytes_per_number", "Redis, per number", "bytes", 45),
    Row("snapshot_bytes_per_number", "snapshot, per number", "bytes", 24),
    Row("lookup_us.redis.p50", "look-up in Redis, half", "µs"),
    Row("lookup_us.redis.p99", "look-up in Redis, 99 of 100", "µs"),
    Row("lookup_us.snapshot.p50", "look-up in the snapshot, half", "µs"),
    Row("lookup_us.snapshot.p99", "look-up in the snapshot, 99 of 100", "µs", 6),
    Row("visible_ms.p50", "committed write to the first call that obeys, half", "ms"),
    Row("visible_ms.p99", "committed write to the first call that obeys, 99 of 100", "ms", 25),
    Row("swap_100k_ms", "100,000 numbers to another PBX", "ms", 30),
)


def figure(result: Mapping[str, Any], path: str) -> float:
    """The figure at a dotted path. KeyError when the bench did not give it."""
    value: Any = result
    for key in path.split("."):
        value = value[key]
    return float(value)


def beyond(result: Mapping[str, Any]) -> list[Row]:
    """Rows whose figure is above its target."""
    return [row for row in ROWS if row.most is not None and figure(result, row.path) > row.most]


def table(result: Mapping[str, Any]) -> Table:
    """The figures for people."""
    lines = Table(box=None, pad_edge=False, header_style="bold")
    for heading, side in (("", "left"), ("measured", "right"), ("", "left"), ("target", "right")):
        lines.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    lines.add_column("")
    for row in ROWS:
        value = figure(result, row.path)
        target = "" if row.most is None else f"≤ {row.most:g}"
        mark = "" if row.most is None else "✓" if value <= row.most else "✗"
        lines.add_row(row.what, f"{value:,.6g}", row.unit, target, mark)
    return lines


async def measure(quick: bool) -> dict[str, Any]:
    """Both halves, one after the other: they would disturb each other."""
    from gateway.bench import registry, sip

    def say(line: str) -> None:
        click.echo(line, err=True)

    say("calls: native relay, Portgate without media, Portgate with media, in turns")
    calls = await sip.run(quick, say)
    say("registry: publish, look up, commit to call, swap")
    return {**calls, **await registry.run(quick)}


@click.command()
@click.option("--quick", is_flag=True, help="Shorter rounds; figures scatter more.")
@json_option
def bench(quick: bool, as_json: bool) -> None:
    """Measure what a call costs, against a native relay on the same machine and minute.

    Works on private processes and touches no running stack. Keep the machine quiet meanwhile.

    \b
      ./portgate bench
      ./portgate bench --quick --json
    """
    result = asyncio.run(measure(quick))
    if as_json:
        print_json(result)
        return
    Console(highlight=False).print(table(result))
    faults = sum(result["faults"].values())
    if faults:
        click.echo(f"{faults} messages were lost or repeated: the machine was too busy", err=True)
    if missed := beyond(result):
        click.echo(f"{len(missed)} of the targets were missed", err=True)
