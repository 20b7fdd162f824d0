"""What a carrier's file may hold, told from its text before anything of it runs.

Loading then runs declarations only: no loop, no condition, no call but to the contract's own
values. So a file cannot hang, exit, open or change anything while it is loaded, and needs no watch
over it inside a SIP worker. It is a guard against mistakes, not against malice.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

ALLOWED_IMPORTS = frozenset(
    {
        *("__future__", "carrier_adapters.contract", "number_registry.e164"),
        *("number_registry.dialling", "number_registry.model", "collections", "collections.abc"),
        *("csv", "dataclasses", "datetime", "decimal", "enum", "io", "itertools", "json", "re"),
        *("string", "typing", "xml.etree.ElementTree", "zipfile"),
    }
)
# Pure and quick, whatever they are given.
_BUILDERS = frozenset(
    {
        *("frozenset", "tuple", "set", "dict", "Decimal", "date", "timedelta", "E164"),
        *("Trunk", "Gateway", "ByAddress", "Digest", "Registration", "dataclass", "ClassVar"),
    }
)
_METHODS = frozenset(
    {
        *("re.compile", "str.maketrans", "decimal.Decimal", "datetime.date"),
        *("datetime.timedelta", "dataclasses.dataclass"),
    }
)
_DECORATORS = frozenset({"staticmethod", "classmethod", "property", "dataclass", "override"})
_PLAIN = (
    *(ast.Constant, ast.Name, ast.Attribute, ast.Tuple, ast.List, ast.Set, ast.Dict, ast.Starred),
    *(ast.keyword, ast.UnaryOp, ast.USub, ast.UAdd, ast.Not, ast.Subscript, ast.JoinedStr),
    *(ast.FormattedValue, ast.Load, ast.BinOp, ast.Add, ast.Sub, ast.BitOr, ast.Call, ast.Slice),
)
_REACHING_OUT = frozenset(
    {
        *("open", "exec", "eval", "compile", "__import__", "print", "input", "breakpoint", "exit"),
        *("quit", "globals", "locals", "vars", "setattr", "delattr", "__builtins__"),
    }
)
# Differ between processes or moments: two SIP workers would read the same call differently.
_FICKLE = frozenset({"hash", "id"})
_FICKLE_METHODS = frozenset({"now", "today", "utcnow"})
DECLARE = "A carrier's file only declares: write the value out, or put the code into a hook"
PURE = "A hook is pure: it works on what it is given and on the file's own constants"


class Breach(NamedTuple):
    """A line that a carrier's file may not hold; ``field`` is the class's field or hook around it,
    where there is one.
    """

    line: int
    field: str
    problem: str
    mend: str


def breaches(tree: ast.Module) -> Iterator[Breach]:
    """Everything that stands in the way of loading, in the order of the file."""
    for statement in tree.body:
        yield from _statement(statement, "")


def _statement(statement: ast.stmt, inside: str) -> Iterator[Breach]:
    match statement:
        case ast.Expr(value=ast.Constant()) | ast.Pass():
            return
        case ast.Import(names=names):
            yield from (_import(statement, one.name) for one in names if _foreign(one.name))
        case ast.ImportFrom(module=module, level=level):
            if level or _foreign(module or ""):
                yield _import(statement, "." * level + (module or ""))
        case ast.Assign(value=value):
            yield from _plain(value, _name(statement) or inside)
        case ast.AnnAssign(annotation=annotation, value=value):
            yield from _plain(annotation, _name(statement) or inside)
            if value is not None:
                yield from _plain(value, _name(statement) or inside)
        case ast.FunctionDef(name=name):
            yield from _function(statement, name)
        case ast.ClassDef():
            yield from _class(statement)
        case _:
            kind = type(statement).__name__.lower()
            yield Breach(statement.lineno, inside, f"{kind} runs while the file is loaded", DECLARE)


def _class(node: ast.ClassDef) -> Iterator[Breach]:
    for expression in (*node.bases, *(one.value for one in node.keywords), *node.decorator_list):
        yield from _plain(expression, node.name)
    if node.keywords:
        yield Breach(node.lineno, node.name, "has class keywords", DECLARE)
    for statement in node.body:
        yield from _statement(statement, node.name)


def _function(node: ast.FunctionDef, name: str) -> Iterator[Breach]:
    if name.startswith("__"):
        yield Breach(node.lineno, name, "is not one of the hooks", "Override hooks only")
    for decorator in node.decorator_list:
        if _dotted(decorator) not in _DECORATORS:
            yield Breach(decorator.lineno, name, "has a decorator", "Leave it out")
    arguments = node.args
    for default in (*arguments.defaults, *(one for one in arguments.kw_defaults if one)):
        yield from _plain(default, name)
    yield from _pure(node, name)


def _pure(function: ast.FunctionDef, name: str) -> Iterator[Breach]:
    """What a hook may not do at call time, as far as its text shows."""
    for statement in function.body:
        for node in ast.walk(statement):
            problem = _impure(node)
            if problem:
                yield Breach(getattr(node, "lineno", function.lineno), name, problem, PURE)


def _impure(node: ast.AST) -> str:
    match node:
        case ast.Import() | ast.ImportFrom():
            return "imports when it is called"
        case ast.Global() | ast.Nonlocal():
            return "changes what is outside it"
        case ast.AsyncFunctionDef() | ast.Await() | ast.Yield() | ast.YieldFrom():
            return "waits or gives values one by one"
        case ast.Attribute(ctx=ast.Store() | ast.Del()):
            return f"sets `{node.attr}` of something it was given"
        case ast.Name(id=name) if name in _REACHING_OUT:
            return f"uses `{name}`"
        case ast.Name(id=name) if name in _FICKLE:
            return f"uses `{name}`, which differs from process to process"
        case ast.Call(func=ast.Attribute(attr=attr)) if attr in _FICKLE_METHODS:
            return f"asks for the time (`{attr}`)"
        case _:
            return ""


def _plain(expression: ast.expr, field: str) -> Iterator[Breach]:
    for node in ast.walk(expression):
        line = getattr(node, "lineno", expression.lineno)
        if not isinstance(node, _PLAIN):
            kind = type(node).__name__.lower()
            yield Breach(line, field, f"is computed while the file is loaded ({kind})", DECLARE)
            return
        if isinstance(node, ast.Call):
            called = _dotted(node.func)
            if called not in _BUILDERS and called not in _METHODS:
                yield Breach(line, field, f"calls `{called}` while the file is loaded", DECLARE)
                return


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
        case ast.Call(func=function):
            return _dotted(function)
        case _:
            return "?"


def _name(statement: ast.Assign | ast.AnnAssign) -> str:
    target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
    return target.id if isinstance(target, ast.Name) else ""


def _foreign(module: str) -> bool:
    return module not in ALLOWED_IMPORTS


def _import(statement: ast.stmt, module: str) -> Breach:
    mend = f"known: {', '.join(sorted(ALLOWED_IMPORTS - {'__future__'}))}"
    return Breach(statement.lineno, "import", f"{module!r} is not for carriers", mend)
