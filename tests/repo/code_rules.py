"""What is deliberately absent from the code; each rule gives the lines that break it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.repo.import_rules import ROOMS, imports
from tests.repo.tree import Source

MOST_LINES = 350
# The only modules of kemi that speak to Kamailio: three read, three act, one counts.
SPEAK_TO_KAMAILIO = {
    *("kemi/ksr_message.py", "kemi/ksr_effects.py", "kemi/ksr_answers.py", "kemi/ksr_counts.py"),
    "kemi/ksr_mask.py",
    *("kemi/ksr_history.py", "kemi/ksr_accounts.py", "kemi/ksr_branches.py"),
    "kemi/ksr_early.py",
}
# RFC 3261 section 20, RFC 3325, RFC 5806, RFC 7044, RFC 4028, RFC 3327, and what equipment adds.
SIP_HEADERS = {
    *("From", "To", "Via", "Contact", "Call-ID", "CSeq", "Max-Forwards", "Route", "Record-Route"),
    *("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "Privacy"),
    *("History-Info", "User-Agent", "Server", "Reason", "Session-Expires", "Refer-To"),
    *("Referred-By", "Replaces", "Path", "P-Charging-Vector", "P-Called-Party-ID", "Supported"),
}
_FORGOTTEN = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def opens_with_a_docstring(source: Source) -> Iterator[str]:
    """Each module says in its first sentence what it is for."""
    first = (ast.get_docstring(source.tree) or "").strip().split("\n\n")[0]
    if not first:
        yield f"{source.path}:1: the module does not say what it is for"
    elif not first.endswith((".", "?", "!", ":")):
        yield f"{source.path}:1: the module's docstring does not begin with a sentence"


def is_short(source: Source) -> Iterator[str]:
    count = source.text.count("\n")
    if count > MOST_LINES:
        yield f"{source.path}: {count} lines, more than {MOST_LINES}: split it"


def swallows_no_error(source: Source) -> Iterator[str]:
    """No bare except, no handler that does nothing, no suppress(Exception).

    contextlib.suppress with a narrow error says on purpose what a silent handler hides. A try that
    returns, whose handler falls through to the code that makes what was missing, hides nothing.
    """
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Try):
            for handler in node.handlers:
                if handler.type is None:
                    yield f"{source.path}:{handler.lineno}: a bare except"
                elif all(map(_is_nothing, handler.body)) and not _falls_through(node, handler):
                    yield f"{source.path}:{handler.lineno}: an error is swallowed"
        elif isinstance(node, ast.Call) and _called(node) == "suppress":
            for argument in node.args:
                if isinstance(argument, ast.Name) and argument.id in ("Exception", "BaseException"):
                    yield f"{source.path}:{node.lineno}: suppress({argument.id}) hides everything"


def leaves_nothing_undone(source: Source) -> Iterator[str]:
    """No marker of work to come, no function that only says it is not there."""
    for number, line in enumerate(source.text.splitlines(), 1):
        if _FORGOTTEN.search(line.partition("#")[2]):
            yield f"{source.path}:{number}: work left undone"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Raise) and "NotImplementedError" in ast.dump(node):
            yield f"{source.path}:{node.lineno}: not implemented"


def speaks_to_kamailio_in_few_modules(source: Source) -> Iterator[str]:
    """No KSR outside kemi/, and in kemi only in those that read, act and count."""
    if source.room not in ROOMS or source.path in SPEAK_TO_KAMAILIO:
        return
    if source.path.startswith("kemi/stubs/"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Name) and node.id == "KSR":
            yield f"{source.path}:{node.lineno}: KSR is used"
    for line, module in imports(source):
        if module.split(".")[0] == "KSR":
            yield f"{source.path}:{line}: KSR is imported"


def lets_no_exception_out_of_a_callback(source: Source) -> Iterator[str]:
    """A ksr_ callback only returns a constant, or tries everything and catches Exception."""
    if source.room != "kemi" or source.path.startswith("kemi/stubs/"):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("ksr_"):
            body = [statement for statement in node.body if not _is_docstring(statement)]
            if not all(_cannot_raise(statement) for statement in body):
                yield f"{source.path}:{node.lineno}: an exception can leave {node.name}"


def _cannot_raise(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Return):
        return isinstance(statement.value, ast.Constant | ast.Name)
    if not isinstance(statement, ast.Try):
        return False
    caught = [handler.type for handler in statement.handlers]
    return any(isinstance(kind, ast.Name) and kind.id == "Exception" for kind in caught)


def names_no_sip_header(source: Source) -> Iterator[str]:
    """number_registry/ knows numbers and calls, not how SIP writes them."""
    if source.room != "number_registry":
        return
    docstrings = {id(constant) for constant in _docstrings(source.tree)}
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        if id(node) not in docstrings and node.value.rstrip(": ") in SIP_HEADERS:
            yield f"{source.path}:{node.lineno}: the SIP header {node.value!r}"


def sleeps_nowhere(source: Source) -> Iterator[str]:
    """A test waits for what it waits for, not for time to pass.

    Between two looks of a loop with a deadline, and with 0 (let others run), a sleep is no wait.
    """
    if source.room != "tests":
        return
    polls = {id(call) for call in _polls(source.tree)}
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or _called(node) != "sleep" or id(node) in polls:
            continue
        if [ast.dump(argument) for argument in node.args] != ["Constant(value=0)"]:
            yield f"{source.path}:{node.lineno}: a test sleeps"


def _polls(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls in a while loop of a function that looks at the clock, and in a for loop that is left
    when what it waits for has come and whose function raises when it has not.
    """
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        inside = list(ast.walk(function))
        has_clock = any(
            isinstance(node, ast.Call) and _called(node) in ("monotonic", "timeout")
            for node in inside
        )
        raises = any(isinstance(node, ast.Raise) for node in inside)
        for loop in inside:
            within = list(ast.walk(loop))
            left = any(isinstance(node, ast.Return | ast.Break) for node in within)
            counts = isinstance(loop, ast.For) and raises and left
            if counts or (isinstance(loop, ast.While) and has_clock):
                yield from (node for node in within if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _is_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Pass):
        return True
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _falls_through(block: ast.Try, handler: ast.ExceptHandler) -> bool:
    narrow = isinstance(handler.type, ast.Name) and handler.type.id in ("KeyError", "IndexError")
    return narrow and isinstance(block.body[-1], ast.Return)


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
