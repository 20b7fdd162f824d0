"""How the stack says what is wrong: what, why, how to mend. Nothing here looks at the machine."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong. A warning lets the stack start; the rest do not."""

    what: str
    why: str
    mend: str
    warning: bool = False


class StackError(Exception):
    """The stack cannot start or go on.

    StackError
    ├── NotRunning     no supervisor answers for this home
    └── ServiceFailed  a service did not become ready or would not stay up
    """

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(f"{problem.what}: {problem.why}" for problem in problems))
        self.problems: Sequence[Problem] = problems


class NotRunning(StackError):
    """No supervisor answers for this home."""


class ServiceFailed(StackError):
    """A service did not become ready or would not stay up."""
