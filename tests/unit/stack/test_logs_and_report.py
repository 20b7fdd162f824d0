"""Logs are told to people by service; the start is told line by line, here or through a pipe."""

from __future__ import annotations

import io
import os
from pathlib import Path

from gateway.stack import logs
from gateway.stack.logs import Follower, keep_small, last_lines
from gateway.stack.problems import Problem
from gateway.stack.report import Lines, Pipe, relay


def test_the_lines_that_speak_of_errors_are_the_telling_ones(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("ERROR: old\n")
    size = log.stat().st_size
    with log.open("a") as file:
        file.write("starting\nCRITICAL: no such module\nbye\n")
    assert last_lines(log, size) == ["CRITICAL: no such module"]


def test_without_errors_the_last_lines_are_told(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {n}\n" for n in range(20)))
    assert last_lines(log, count=2) == ["line 18", "line 19"]
    assert last_lines(tmp_path / "absent.log") == []


def test_new_whole_lines_are_copied_with_their_services_name(tmp_path: Path) -> None:
    log = tmp_path / "redis.log"
    log.write_text("before\n")
    out = io.StringIO()
    follower = Follower(tmp_path, ["redis", "kamailio"], out)
    with log.open("a") as file:
        file.write("ready\nhalf a li")
    follower.copy("redis")
    follower.copy("kamailio")
    assert out.getvalue() == "redis    │ ready\n"
    with log.open("a") as file:
        file.write("ne\n")
    follower.copy("redis")
    assert out.getvalue().endswith("redis    │ half a line\n")


def test_a_log_that_was_cut_is_followed_from_its_new_beginning(tmp_path: Path) -> None:
    log = tmp_path / "redis.log"
    log.write_text("a long line from before\n")
    out = io.StringIO()
    follower = Follower(tmp_path, ["redis"], out)
    log.write_text("new\n")
    follower.copy("redis")
    assert out.getvalue() == "redis │ new\n"


def test_a_large_log_is_put_aside_and_goes_on_in_the_same_file(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(logs, "LARGEST", 10)
    log = tmp_path / "redis.log"
    with log.open("a") as service:
        service.write("more than ten bytes\n")
        service.flush()
        keep_small(log)
        service.write("after\n")
    assert log.read_text() == "after\n"
    assert (tmp_path / "redis.log.1").read_text() == "more than ten bytes\n"


def test_what_a_child_reports_through_a_pipe_reaches_the_person() -> None:
    reading, writing = os.pipe()
    pipe = Pipe(writing)
    pipe.done("redis", 0.25)
    pipe.say("a remark")
    pipe.failed(Problem("port in use", "asterisk has it", "stop it"))
    pipe.finished({"ready": False})
    out = io.StringIO()
    lines = Lines(out)
    relay(reading, lines)
    assert out.getvalue() == "✓ redis  0.2 s\na remark\n✗ port in use: asterisk has it\n  stop it\n"
    assert lines.result == {"ready": False}
    assert lines.steps == [{"step": "redis", "seconds": 0.25}]


def test_a_reporter_whose_listener_has_gone_goes_on_in_silence() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    pipe = Pipe(writing)
    pipe.done("redis", 0.1)
    pipe.say("nobody hears")
    pipe.finished({"ready": True})


def test_a_child_that_dies_in_silence_leaves_no_result() -> None:
    reading, writing = os.pipe()
    os.close(writing)
    lines = Lines(io.StringIO())
    relay(reading, lines)
    assert lines.result == {}
