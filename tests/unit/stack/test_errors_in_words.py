"""Whatever goes wrong under a command, a person reads what, why and the mend, not our source."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest

from gateway.cli.errors import problems_of
from gateway.cli.main import _explain


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.InterfaceError("connection is closed"),
        ConnectionResetError(104, "Connection reset by peer"),
        TimeoutError(),
    ],
)
def test_a_registry_that_dies_under_a_command_is_said_in_words(error: Exception) -> None:
    (problem,) = problems_of(error)
    assert problem.what == "the registry stopped answering" and problem.why
    assert "entirely or not at all" in problem.mend


def test_a_number_too_long_for_the_registry_is_a_bad_value() -> None:
    (problem,) = problems_of(asyncpg.DataError("value out of int64 range"))
    assert (problem.what, problem.why) == ("BadValueError", "value out of int64 range")


def test_a_file_that_cannot_be_written_is_named() -> None:
    (problem,) = problems_of(FileNotFoundError(2, "No such file or directory", "/nowhere/x"))
    assert (problem.what, problem.why) == ("/nowhere/x", "No such file or directory")


def test_what_nobody_thought_of_goes_to_the_log_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORTGATE_HOME", str(tmp_path))
    (tmp_path / "log").mkdir()
    assert _explain(KeyError("shoe")) == 1
    said = capsys.readouterr().err
    assert "KeyError: 'shoe'" in said and "Traceback" not in said
    assert f"the end of {tmp_path}/log/commands.log" in said
    assert "KeyError: 'shoe'" in (tmp_path / "log" / "commands.log").read_text()
