"""How test calls in and out went, in words or as JSON; it places none."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Literal, NoReturn

import click
import msgspec

from gateway.cli.common import print_json
from gateway.trial.result import in_words


def report(
    noun: Literal["carrier", "pbx"], name: str, calls: Sequence[tuple[str, Any]], *, as_json: bool
) -> NoReturn:
    """Exit 0 where each call worked and crossed this carrier or PBX. ``calls``: (in or out, its
    result).
    """
    well = [result.worked and getattr(result, noun) == name for _, result in calls]
    if as_json:
        told = [{"way": way, "worked": result.worked, **msgspec.to_builtins(result)}
                for way, result in calls]  # fmt: skip
        print_json({noun: name, "ok": all(well), "calls": told})
    else:
        for (way, result), worked in zip(calls, well, strict=True):
            said = f"{result.dialled}, shown {result.shown_caller}: {in_words(result)}"
            click.echo(f"{'✓' if worked else '✗'} {way}: {said}")
    sys.exit(0 if all(well) else 1)
