"""What an error means to a person: what, why, the mend; it decides nothing and prints nothing."""

from __future__ import annotations

import traceback
from collections.abc import Iterable

from gateway.stack.problems import Problem, StackError

_AGAIN = (
    "A change is made entirely or not at all: look at ./portgate doctor, then run the command again"
)


def problems_of(error: Exception) -> Iterable[Problem]:
    """At least one problem for any error; where nobody has thought of it, its place in the log."""
    from gateway.settings import SettingsError
    from number_registry.errors import PortgateError

    if isinstance(error, StackError):
        return error.problems
    if isinstance(error, SettingsError):
        return (Problem(error.where, error.what, error.mend),)
    if isinstance(error, PortgateError):
        return (Problem(type(error).__name__, str(error), ""),)
    return (_of_registry(error) or _of_machine(error) or _unexpected(error),)


def _of_registry(error: Exception) -> Problem | None:
    import asyncpg

    from gateway.retry import postgres_gone

    if isinstance(error, asyncpg.DataError):
        return Problem("BadValueError", str(error), "")
    machine = isinstance(error, OSError) and not isinstance(error, ConnectionError | TimeoutError)
    if machine or not postgres_gone(error):
        return None
    why = str(error) or "it did not answer in time"
    if isinstance(error, asyncpg.InterfaceError):
        why = "the connection to PostgreSQL broke"  # the driver names its own innards
    return Problem("the registry stopped answering", why, _AGAIN)


def _of_machine(error: Exception) -> Problem | None:
    if not isinstance(error, OSError) or error.strerror is None:
        return None
    return Problem(str(error.filename or "this machine"), error.strerror, "")


def _unexpected(error: Exception) -> Problem:
    """Nobody wants to read where it came from but those who mend it: that goes to a file."""
    from gateway.home import Home

    what, why = "this should not happen", f"{type(error).__name__}: {error}"
    lines = "".join(traceback.format_exception(error))
    path = Home.from_env().log / "commands.log"
    try:
        with path.open("a", encoding="utf-8") as file:
            path.chmod(0o600)
            file.write(lines)
    except OSError:
        return Problem(what, why, f"Please report it, with this:\n{lines}")
    return Problem(what, why, f"Please report it, with the end of {path}")
