"""The command line: quick help, suggestions for typos, and a purge that is no accident."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[3]


def portgate(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": os.environ["PATH"], "PORTGATE_HOME": str(home), "PYTHONPATH": str(REPO)}
    command = [sys.executable, "-P", "-m", "gateway.cli", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


def test_help_imports_none_of_the_commands(tmp_path: Path) -> None:
    code = (
        "import sys; from gateway.cli.main import cli; "
        "cli.main(['--help'], standalone_mode=False); "
        "heavy = {'asyncpg', 'redis', 'rich', 'jinja2', 'sanic'} & set(sys.modules); "
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    env = {"PYTHONPATH": str(REPO), "PORTGATE_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in ("up", "down", "status", "doctor", "call", "explain", "bench", "test"):
        assert f"\n  {name} " in done.stdout


def test_a_typo_gets_a_suggestion(tmp_path: Path) -> None:
    done = portgate(tmp_path, "stauts")
    assert done.returncode == 1
    assert "Did you mean `status`?" in done.stderr


@pytest.mark.parametrize("words", [("pbx", "swap", "old", "--plan"), ("waves", "go", "--plna")])
def test_a_wrong_word_is_no_plan_with_changes(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert portgate(tmp_path, *words).returncode == 1, "2 says: there are changes"


def test_a_wrong_setting_ends_up_before_anything_is_made(tmp_path: Path) -> None:
    (tmp_path / "portgate.toml").write_text("[sip]\nprot = 5061\n")
    done = portgate(tmp_path, "up")
    assert done.returncode == 1
    assert f"✗ {tmp_path}/portgate.toml:2: unknown key `prot` in [sip]" in done.stderr
    assert "Did you mean `port`?" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["portgate.toml"]


@pytest.mark.parametrize("arguments", [("down", "--purge", "--yes"), ("down", "--purge")])
def test_a_folder_that_is_no_home_is_never_purged(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "letters").mkdir()
    done = portgate(tmp_path, *arguments)
    assert done.returncode == 1
    assert "does not look like a Portgate home" in done.stderr
    assert (tmp_path / "letters").exists()


def test_status_of_a_stack_that_never_ran_says_stopped(tmp_path: Path) -> None:
    done = portgate(tmp_path, "status")
    assert done.returncode == 1
    assert done.stdout.startswith("stopped")
