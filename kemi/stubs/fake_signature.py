"""Checks the arguments of a KEMI call as Kamailio does; knows nothing of what the call does."""

from __future__ import annotations

from typing import Any

_INT_MOST = 2**31 - 1


class KsrArgumentError(SystemError, TypeError):
    """Wrong arguments: Kamailio raises SystemError with the TypeError as its cause."""


def check_arguments(full: str, kinds: list[str], arguments: tuple[Any, ...]) -> None:
    """As PyArg_ParseTuple does, and stricter: Kamailio takes a bool for an int, and lets
    functions without parameters have any arguments."""
    if len(arguments) != len(kinds):
        raise KsrArgumentError(f"{full} takes {len(kinds)} arguments ({len(arguments)} given)")
    for place, (kind, argument) in enumerate(zip(kinds, arguments, strict=True), 1):
        expected = {"str": str, "int": int}[kind]
        if type(argument) is not expected:
            given = type(argument).__name__
            raise KsrArgumentError(f"{full} argument {place} must be {kind}, not {given}")
        if isinstance(argument, int) and not -_INT_MOST - 1 <= argument <= _INT_MOST:
            raise KsrArgumentError(f"{full} argument {place} is more than 32 bits hold")
        if isinstance(argument, str) and ("\0" in argument or not _is_utf8(argument)):
            raise KsrArgumentError(f"{full} argument {place} has a NUL or a lone surrogate")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
