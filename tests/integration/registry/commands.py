"""Runs the command line's nouns on a test's own database, as a script would: no terminal."""

from __future__ import annotations

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.home import Home

_MODULES = (
    "numbers", "numbers_change", "pbx", "pbx_change", "lockin", "waves", "waves_plan",
    "waves_change",
)  # fmt: skip


class There(Home):
    """A home whose database is the test's."""

    dsn: str = ""

    @property
    def postgres_dsn(self) -> str:
        return There.dsn


@dataclass(frozen=True)
class Portgate:
    """`portgate("numbers", "list")`; `json(...)` adds --json and reads what came."""

    def __call__(self, noun: str, *words: object) -> Result:
        command = getattr(importlib.import_module(f"gateway.cli.{noun}"), noun)
        result = CliRunner().invoke(command, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, noun: str, *words: object, status: int = 0) -> Any:
        result = self(noun, *words, "--json")
        assert result.exit_code == status, result.output
        return json.loads(result.stdout)

    def numbers(self, *words: object) -> dict[str, dict[str, Any]]:
        """What `numbers list` says, by number."""
        found = self.json("numbers", "list", *words)["numbers"]
        return {row["e164"]: row for row in found}


def on_database(dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Portgate:
    """The commands, working on this database."""
    monkeypatch.setattr(There, "dsn", dsn)
    monkeypatch.setenv("PORTGATE_ACTOR", "anna")
    for name in _MODULES:
        module = importlib.import_module(f"gateway.cli.{name}")
        monkeypatch.setattr(module, "this_home", lambda: There(folder))
    return Portgate()
