"""What the rooms of the fake share: a class for each KEMI module, a method for each function.

A method named as the KEMI function is all it takes; `@effect` marks those that change something.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from kemi.stubs.fake_pv import Variables, to_python
from kemi.stubs.fake_pv_table import Value
from kemi.stubs.fake_world import World

Function = TypeVar("Function", bound=Callable[..., Any])


def effect(function: Function) -> Function:
    """The function changes something: its calls are recorded, and none may follow a 0."""
    function.is_effect = True  # type: ignore[attr-defined]
    return function


class Room:
    """One KEMI module; `module` is its name, "" for functions of KSR itself."""

    module = ""

    def __init__(self, world: World) -> None:
        self.world = world
        self.variables = Variables(world)


def plain(value: Value) -> str | int | None:
    return to_python(value)


def or_empty(value: Value) -> str | int:
    """The gete_ kind: "" for what is missing."""
    found = to_python(value)
    return "" if found is None else found


def or_null_text(value: Value) -> str | int:
    """The getw_ kind: Kamailio's own text for what is missing."""
    found = to_python(value)
    return "<null>" if found is None else found


def truth(yes: bool) -> int:
    """KEMI's int for yes and no."""
    return 1 if yes else -1
