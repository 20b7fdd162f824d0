"""The launcher before there is any Python environment: a POSIX shell and nothing else."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]


def launch(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PORTGATE_HOME": str(home)}
    command = [str(REPO / "portgate"), *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


def test_status_says_stopped_and_installs_nothing(tmp_path: Path) -> None:
    done = launch(tmp_path / "home", "status", "--json")
    assert done.returncode == 1
    states = {service["name"]: service["state"] for service in json.loads(done.stdout)["services"]}
    assert set(states) == {"kamailio", "rtpengine", "redis", "postgresql", "gateway", "admin_api"}
    assert set(states.values()) == {"stopped"}
    assert not (tmp_path / "home").exists()


def test_down_has_nothing_to_do(tmp_path: Path) -> None:
    assert launch(tmp_path / "home", "down").returncode == 0


def test_help_needs_nothing_and_other_commands_say_what_comes_first(tmp_path: Path) -> None:
    assert "./portgate up" in launch(tmp_path / "home", "--help").stdout
    done = launch(tmp_path / "home", "numbers", "list")
    assert done.returncode == 1
    assert "Run ./portgate up first" in done.stderr


def test_the_locks_pin_everything_with_hashes_and_name_no_index() -> None:
    pins = {}
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = (REPO / name).read_text().splitlines()
        assert not [line for line in lines if line.startswith("-") or "://" in line]
        pins[name] = {line.split(" ")[0] for line in lines if line[:1].isalnum()}
        assert all("==" in pin for pin in pins[name])
        assert "--hash=sha256:" in (REPO / name).read_text()
    assert pins["requirements.lock"] < pins["requirements-dev.lock"]


def test_an_environment_older_than_the_files_is_named_and_the_command_still_runs(
    tmp_path: Path,
) -> None:
    python = tmp_path / "home/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho ran\n")
    python.chmod(0o755)
    (tmp_path / "home/venv/portgate.lock").write_text("of an older lock\n")
    done = launch(tmp_path / "home", "numbers", "list")
    assert done.stdout == "ran\n"
    assert "./portgate up" in done.stderr
