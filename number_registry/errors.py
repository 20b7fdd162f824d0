"""The tree of errors, grouped by what the catcher does; it holds no logic.

PortgateError
├── RefuseError          the input is wrong: say so and go on with what was there before
│   ├── BadNumberError       not an E.164 number
│   ├── BadValueError        a value of the model that cannot be built
│   ├── StateMoveError       a number may not go from this state to that one
│   └── AdapterError         a carrier's file is declared wrong (holds file and field)
├── MissError            treat as not found, count it, try the next source
│   └── CacheCorruptError    bytes in Redis or the snapshot that we did not write
├── RetryError           passing fault outside: try again by a named policy
└── AbortError           nothing sensible can follow: stop this piece of work and say why
"""

from __future__ import annotations


class PortgateError(Exception):
    """Root of every error that Portgate raises on purpose."""


class RefuseError(PortgateError):
    """The input is wrong; what was there before stays in force."""


class BadNumberError(RefuseError, ValueError):
    """Digits that cannot be an E.164 number (ITU-T E.164: at most 15 digits)."""


class BadValueError(RefuseError, ValueError):
    """A value of the model that cannot be built."""


class StateMoveError(RefuseError):
    """A move between states of a number that domain rules do not know."""


class AdapterError(RefuseError):
    """A carrier's file is declared wrong; names the file, the field and, where known, the line, so
    that a person can mend it.
    """

    def __init__(self, file: str, field: str, problem: str, mend: str = "", line: int = 0) -> None:
        self.file, self.field, self.problem, self.mend = file, field, problem, mend
        self.line = line  # 0: not known
        where = f"{file}: line {line}" if line else file
        said = f"{where}: {field}: {problem}" if field else f"{where}: {problem}"
        super().__init__(said + (f" ({mend})" if mend else ""))


class MissError(PortgateError):
    """Not usable as an answer; the next source is asked."""


class CacheCorruptError(MissError):
    """Bytes in Redis or in the snapshot that Portgate did not write."""


class RetryError(PortgateError):
    """A passing fault of something outside."""


class AbortError(PortgateError):
    """Nothing sensible can follow; the message says why."""
