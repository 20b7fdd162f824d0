"""Runs the conformance suite over one carrier's file in a process of its own, so that a hook that
never ends, or ends everything, is a finding and not a hang.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.stack.render import REPO

DEADLINE_S = 20.0

Overrides = Mapping[str, Any]
Report = dict[str, Any]


def report(folder: Path, name: str, overrides: Overrides, working: Collection[str] = ()) -> Report:
    """The report of `carrier_adapters.conformance` on folder/NAME.py, as plain values.

    `working`: carriers at work that stay when one of them clashes with it.
    """
    asked = {"folder": str(folder), "name": name, "overrides": overrides, "working": [*working]}
    command = [
        sys.executable, "-P", "-m", "carrier_adapters.conformance",
        msgspec.json.encode(asked).decode(),
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(REPO), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=DEADLINE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return _died(name, f"the check did not come to an end within {DEADLINE_S:g} s")
    try:
        (found,) = msgspec.json.decode(done.stdout)
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
        return _died(name, f"ended the check with status {done.returncode}: {' '.join(last)}")
    return dict(found)


def _died(name: str, what: str) -> Report:
    finding = {"check": "loads", "where": "", "what": what, "mend": "", "line": 0}
    checks = [{"check": "loads", "ok": False, "cases": 1, "slowest_us": 0}]
    return {
        "name": name,
        "file": f"{name}.py",
        "ok": False,
        "checks": checks,
        "findings": [finding],
    }


def said(finding: Mapping[str, Any], file: str) -> tuple[str, str]:
    """A finding for a person: what is wrong, with file and line, and the mend."""
    where = f"{file}:{finding['line']}" if finding["line"] else file
    return ": ".join(filter(None, (where, finding["where"], finding["what"]))), finding["mend"]
