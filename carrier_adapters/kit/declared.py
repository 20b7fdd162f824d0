"""Judges the fields of a carrier's class, and the shape of its hooks; it loads no file."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

from carrier_adapters.contract import (
    CALLED_IN,
    CALLER_HEADERS,
    NEVER_ELSEWHERE,
    NUMBER_FORMATS,
    Carrier,
)
from carrier_adapters.kit.trunk import FieldError, Trunk

HOOKS = (
    "number", "parties", "written", "far_side", "to_sim", "trunk_for", "failure", "invoice",
)  # fmt: skip
_NOT_TO_OVERRIDE = ("trunk", "plan", "diverted")
_CHOICES = {
    "caller_header": CALLER_HEADERS,
    "called_in": CALLED_IN,
    "number_format": NUMBER_FORMATS,
}
_DIGITS = {"country_code": 3, "trunk_prefix": 4, "international_prefix": 6}


def refuse(kind: type[Carrier], stem: str) -> None:
    """Raises FieldError for the first thing declared wrong; ``stem`` is the file's name without
    its ending.
    """
    if not re.fullmatch("[a-z][a-z0-9_]{0,62}", stem):
        raise FieldError("name", f"{stem!r} is not small letters, digits and _", "Rename the file")
    if kind.name != stem:
        mend = "give the class a `name` equal to the file's name"
        raise FieldError("name", f"is {kind.name!r}, the file is {stem!r}", mend)
    _refuse_unknown(kind)
    _refuse_trunks(kind)
    _refuse_values(kind)
    for hook in HOOKS:
        _refuse_shape(kind, hook)


def lines(tree: ast.Module, class_name: str) -> dict[str, int]:
    """Where each field and hook of the class stands, and each trunk as ``trunk NAME``."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            for statement in node.body:
                for name in _names(statement):
                    found[name] = statement.lineno
        elif trunk := _trunk_name(node):
            found[f"trunk {trunk}"] = getattr(node, "lineno", 0)
    return found


def _trunk_name(node: ast.AST) -> str:
    match node:
        case ast.Call(func=ast.Name(id="Trunk"), args=[ast.Constant(value=str(name)), *_]):
            return name
        case _:
            return ""


def _names(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.Assign(targets=targets):
            return [target.id for target in targets if isinstance(target, ast.Name)]
        case ast.AnnAssign(target=ast.Name(id=name)) | ast.FunctionDef(name=name):
            return [name]
        case _:
            return []


def _refuse_unknown(kind: type[Carrier]) -> None:
    known = {name for base in kind.__mro__ if base is not kind for name in vars(base)}
    public = ", ".join(sorted(name for name in known if not name.startswith("_")))
    for name in vars(kind):
        if not name.startswith("_") and name not in known:
            raise FieldError(name, "is not part of the contract", f"known: {public}")
        if name in _NOT_TO_OVERRIDE:
            raise FieldError(name, "is not a hook", f"hooks: {', '.join(HOOKS)}")


def _refuse_trunks(kind: type[Carrier]) -> None:
    trunks: Any = kind.trunks
    if (
        not isinstance(trunks, tuple)
        or not trunks
        or not all(isinstance(trunk, Trunk) for trunk in trunks)
    ):
        mend = "trunks = (Trunk(...),)"
        raise FieldError("trunks", "is not a tuple of at least one Trunk", mend)
    names = [trunk.name for trunk in trunks]
    if len(set(names)) != len(names):
        raise FieldError("trunks", f"two trunks have the same name: {names}")


def _refuse_values(kind: type[Carrier]) -> None:
    for field, values in _CHOICES.items():
        if getattr(kind, field) not in values:
            raise FieldError(field, f"{getattr(kind, field)!r} is none of {', '.join(values)}")
    for field, most in _DIGITS.items():
        value: Any = getattr(kind, field)
        if not isinstance(value, str) or not re.fullmatch(f"[0-9]{{0,{most}}}", value):
            raise FieldError(field, f"{value!r} is not a string of digits, {most} at most")
    length: Any = kind.national_length
    if not isinstance(length, int) or not 4 <= length <= 14:
        raise FieldError("national_length", f"{length!r} is not a number from 4 to 14")
    title: Any = kind.title
    if not isinstance(title, str) or not title.isprintable():
        raise FieldError("title", f"{title!r} is not one line of text")
    if not isinstance(kind.diversion, bool):
        raise FieldError("diversion", f"{kind.diversion!r} is neither True nor False")
    _refuse_retries(kind.retry_elsewhere)


def _refuse_retries(statuses: Any) -> None:
    well = isinstance(statuses, frozenset) and all(
        isinstance(status, int) and 400 <= status <= 699 for status in statuses
    )
    if not well:
        mend = "retry_elsewhere = frozenset({408, 480, 503, 504})"
        raise FieldError("retry_elsewhere", "is not a frozenset of statuses 400 to 699", mend)
    if said := sorted(statuses & NEVER_ELSEWHERE):
        raise FieldError(
            "retry_elsewhere", f"{said} are true wherever one asks: trying elsewhere rings twice"
        )


def _refuse_shape(kind: type[Carrier], hook: str) -> None:
    """A hook is called with what the contract says, by position."""
    own = inspect.getattr_static(kind, hook)
    wanted = list(inspect.signature(getattr(Carrier, hook)).parameters)
    if not inspect.isfunction(own):
        raise FieldError(hook, "is not a function", f"def {hook}({', '.join(wanted)})")
    if list(inspect.signature(own).parameters) != wanted:
        takes = ", ".join(inspect.signature(own).parameters)
        raise FieldError(hook, f"takes ({takes})", f"def {hook}({', '.join(wanted)})")
