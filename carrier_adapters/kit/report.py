"""What a conformance check found, as values that print as JSON; it checks nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong. ``where``: file, hook, trunk or capture; ``line`` 0 where not known."""

    check: str
    where: str
    what: str
    mend: str = ""
    line: int = 0


@dataclass(slots=True)
class Check:
    """One check of one carrier. ``slowest_us``: the slowest call of a hook, in microseconds."""

    check: str
    cases: int = 0
    slowest_us: int = 0
    findings: list[Finding] = field(default_factory=list)
    hung: bool = False  # a call did not end: what follows would only take long

    @property
    def enough(self) -> bool:
        return len(self.findings) >= MOST_FINDINGS

    def wrong(self, where: str, what: str, mend: str = "", line: int = 0) -> None:
        """Note something wrong; of many the first few say enough."""
        if not self.enough:
            self.findings.append(Finding(self.check, where, what, mend, line))

    def took(self, seconds: float) -> None:
        self.slowest_us = max(self.slowest_us, round(seconds * 1e6))


MOST_FINDINGS = 5


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one carrier's file."""

    name: str
    file: str
    checks: tuple[Check, ...]

    @property
    def findings(self) -> list[Finding]:
        return [finding for check in self.checks for finding in check.findings]

    @property
    def ok(self) -> bool:
        return not self.findings

    def plain(self) -> dict[str, Any]:
        """As scripts read it."""
        checks = [
            {"check": one.check, "ok": not one.findings, "cases": one.cases,
             "slowest_us": one.slowest_us}
            for one in self.checks
        ]  # fmt: skip
        return {
            "name": self.name,
            "file": self.file,
            "ok": self.ok,
            "checks": checks,
            "findings": [asdict(finding) for finding in self.findings],
        }
