"""Tells a person, or a parent process, how the start goes: a line a step; decides nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

import msgspec

from gateway.stack.problems import Problem


class Report(Protocol):
    """Where the start's progress goes."""

    def done(self, what: str, seconds: float) -> None:
        """A step succeeded."""

    def failed(self, problem: Problem) -> None:
        """Something is wrong; a warning does not end the start."""

    def say(self, text: str) -> None:
        """A remark."""

    def finished(self, result: dict[str, Any]) -> None:
        """The start is over: `ready` says how, the rest is what scripts read."""


@contextmanager
def step(report: Report, what: str) -> Iterator[None]:
    """Time a step; silent when it fails, since whoever raised says why."""
    began = time.monotonic()
    yield
    report.done(what, time.monotonic() - began)


class Lines:
    """For people: ✓ or ✗, seconds, mend."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stderr
        self.result: dict[str, Any] = {}
        self.steps: list[dict[str, Any]] = []
        self.problems: list[Problem] = []

    def _paint(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self.out.isatty() else text

    def _write(self, text: str) -> None:
        print(text, file=self.out, flush=True)

    def done(self, what: str, seconds: float) -> None:
        self.steps.append({"step": what, "seconds": round(seconds, 2)})
        self._write(f"{self._paint('✓', 32)} {what}  {seconds:.1f} s")

    def failed(self, problem: Problem) -> None:
        self.problems.append(problem)
        sign = self._paint("!", 33) if problem.warning else self._paint("✗", 31)
        why = f": {problem.why}" if problem.why else ""
        self._write(f"{sign} {problem.what}{why}")
        if problem.mend:
            self._write(f"  {problem.mend}")

    def say(self, text: str) -> None:
        self._write(text)

    def finished(self, result: dict[str, Any]) -> None:
        self.result = result


class Pipe:
    """For a parent process: the same as JSON lines. Silent once nobody listens."""

    def __init__(self, descriptor: int) -> None:
        self._out = open(descriptor, "wb", buffering=0)  # noqa: SIM115  open as long as we live

    def _send(self, kind: str, value: Any) -> None:
        if self._out.closed:
            return
        try:
            self._out.write(msgspec.json.encode([kind, value]) + b"\n")
        except BrokenPipeError:
            self._out.close()

    def done(self, what: str, seconds: float) -> None:
        self._send("done", [what, seconds])

    def failed(self, problem: Problem) -> None:
        self._send("failed", problem)

    def say(self, text: str) -> None:
        self._send("say", text)

    def finished(self, result: dict[str, Any]) -> None:
        self._send("finished", result)
        self._out.close()


def relay(descriptor: int, report: Report) -> None:
    """Hand what a Pipe writes to another report, until it finishes or its process ends."""
    with open(descriptor, "rb") as lines:
        for line in lines:
            kind, value = msgspec.json.decode(line)
            match kind:
                case "done":
                    report.done(*value)
                case "failed":
                    report.failed(msgspec.convert(value, Problem))
                case "say":
                    report.say(value)
                case "finished":
                    report.finished(value)
                    return
