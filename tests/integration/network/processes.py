"""Processes in namespaces: far ends that call or answer there, and Portgate's own commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.network.namespaces import Namespace
from tests.repo.tree import ROOT

UP_S, CALL_S = 120, 60


class FarEnd:
    """A process of far_end.py in a namespace."""

    def __init__(self, where: Namespace, **wanted: Any) -> None:
        self._process = subprocess.Popen(
            inside(where, "tests.integration.network.far_end", json.dumps(wanted)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=env(),
        )  # fmt: skip
        if "to" not in wanted:
            assert self._process.stdout is not None
            if self._process.stdout.readline() != "ready\n":
                raise AssertionError(self._process.communicate()[1])

    def told(self) -> dict[str, Any]:
        out, err = self._process.communicate(timeout=CALL_S)
        assert self._process.returncode == 0, err
        return dict(json.loads(out))

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def inside(where: Namespace, *module: str) -> list[str]:
    net = f"--net=/proc/{os.getpid()}/fd/{where.fd}"
    return ["nsenter", net, sys.executable, "-P", "-m", *module]


def env(home: Path | None = None) -> dict[str, str]:
    place = {"PORTGATE_HOME": str(home)} if home else {}
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **place}


def command(where: Namespace, home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`./portgate WORDS` in the namespace; its exit status is not judged."""
    return subprocess.run(
        inside(where, "gateway.cli", *words), env=env(home),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=UP_S, check=False,
    )  # fmt: skip
