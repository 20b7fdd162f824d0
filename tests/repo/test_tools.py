"""ruff and mypy, as pyproject.toml sets them up, find nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.repo.tree import ROOT

TYPED = ("number_registry", "carrier_adapters", "kemi")


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_ruff_finds_nothing() -> None:
    run = _run("ruff", "check", "--no-cache", "--output-format", "concise", ".")

    assert run.returncode == 0, run.stdout + run.stderr


def test_mypy_strict_finds_nothing(tmp_path: Path) -> None:
    run = _run("mypy", "--cache-dir", tmp_path, "--no-error-summary")

    assert run.returncode == 0, run.stdout + run.stderr


def test_ruff_notices_a_fault(tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.py"
    faulty.write_text('"""Imports what it does not use."""\nimport os\n', encoding="utf-8")

    run = _run("ruff", "check", "--no-cache", "--config", ROOT / "pyproject.toml", faulty)

    assert run.returncode == 1
    assert "F401" in run.stdout


def test_mypy_notices_a_fault_and_knows_ksr(tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.py"
    faulty.write_text("import KSR\n\nKSR.pv.get(5)\nreveal_type(KSR.kx.get_srcport())\n", "utf-8")

    run = _run("mypy", "--cache-dir", tmp_path / "cache", faulty)

    assert run.returncode == 1
    assert 'Revealed type is "int"' in run.stdout or 'Revealed type is "builtins.int"' in run.stdout
    assert "No overload variant" in run.stdout


def test_the_rooms_that_must_be_typed_are_typed_strictly() -> None:
    import tomllib

    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]

    assert settings["strict"] is True
    assert set(TYPED) <= set(settings["files"])
