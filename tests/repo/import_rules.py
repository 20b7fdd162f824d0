"""Who may import whom, as in ARCHITECTURE.md; each rule gives the lines that break it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator

from tests.repo.tree import ROOT, Source

ROOMS = ("number_registry", "carrier_adapters", "kemi", "gateway", "admin_api")
# Core of the registry: values and decisions. What does input or output stays out.
IO_MODULES = {
    *("asyncio", "concurrent", "http", "io", "mmap", "multiprocessing", "os", "pathlib"),
    *("selectors", "shutil", "signal", "socket", "sqlite3", "ssl", "subprocess", "tempfile"),
    *("threading", "urllib"),
}
CONCURRENCY = {"_thread", "asyncio", "concurrent", "multiprocessing", "threading"}
# No SQL and no HTTP while a call is being set up.
NOT_ON_THE_CALL_PATH = {"http", "sqlite3", "subprocess", "urllib", "xmlrpc", "ftplib", "smtplib"}
STORE_LIBRARIES = {"asyncpg", "redis", "hiredis"}
ADAPTER_INTERFACE = {
    "carrier_adapters.contract",
    "carrier_adapters.loader",
    "carrier_adapters.conformance",
}
# Where the name of the library and the name of its package differ.
_PACKAGES = {"pyyaml": "yaml", "dnspython": "dns"}


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported; `from a import b` gives a.b when that exists."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(source, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if _exists(inner) else base


def _absolute(source: Source, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    package = source.module.split(".")
    up = node.level - (1 if source.path.endswith("/__init__.py") else 0)
    return ".".join([*package[: len(package) - up], *(node.module or "").split(".")]).rstrip(".")


def _exists(module: str) -> bool:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def part_of(module: str) -> str:
    """The part of a room that a module belongs to: what the rules speak of."""
    words = module.split(".")
    if words[0] == "number_registry":
        inner = words[1] if len(words) > 1 else ""
        if inner in ("store", "publish", "operations"):
            return f"number_registry/{inner}"
        return "number_registry core"
    if words[:2] == ["kemi", "stubs"]:
        return "kemi/stubs"
    if words[0] == "carrier_adapters":
        if module in ADAPTER_INTERFACE or words[1:2] in ([], ["kit"]):
            return "carrier_adapters interface"
        return "a carrier"
    return words[0]


_CORE = {"number_registry core"}
_REGISTRY = _CORE | {f"number_registry/{part}" for part in ("store", "publish", "operations")}
_INTERFACE = {"carrier_adapters interface"}
MAY_IMPORT = {
    "number_registry core": _CORE,
    "number_registry/store": _CORE | {"number_registry/store"},
    "number_registry/publish": _CORE | {"number_registry/store", "number_registry/publish"},
    "number_registry/operations": _REGISTRY,
    "carrier_adapters interface": _CORE | _INTERFACE,
    "a carrier": _CORE | _INTERFACE,
    "kemi": _CORE | _INTERFACE | {"kemi"},
    "kemi/stubs": {"kemi/stubs"},
    "gateway": _REGISTRY | _INTERFACE | {"gateway"},
    "admin_api": _REGISTRY | _INTERFACE | {"admin_api"},
}


def rooms_keep_apart(source: Source) -> Iterator[str]:
    """Only the imports of MAY_IMPORT between our own rooms."""
    if source.room not in ROOMS:
        return
    mine = part_of(source.module)
    for line, module in imports(source):
        if module.split(".")[0] in (*ROOMS, "tests") and part_of(module) not in MAY_IMPORT[mine]:
            yield f"{source.path}:{line}: {mine} must not import {module}"


def core_does_no_io(source: Source) -> Iterator[str]:
    """The registry's core: standard library only, and none of it that does input or output."""
    if source.room != "number_registry" or part_of(source.module) != "number_registry core":
        return
    for line, module in imports(source):
        top = module.split(".")[0]
        if top in IO_MODULES or not _is_standard_or_ours(top):
            yield f"{source.path}:{line}: the core of the registry must not import {module}"


def libraries_stay_in_their_rooms(source: Source) -> Iterator[str]:
    """Store and publish know asyncpg and redis; adapters and kemi the standard library only."""
    allowed: set[str] = set()
    if source.room == "number_registry" and part_of(source.module) != "number_registry core":
        allowed = STORE_LIBRARIES
    elif source.room == "kemi":
        allowed = {"KSR"}
    elif source.room not in ("number_registry", "carrier_adapters"):
        return
    for line, module in imports(source):
        top = module.split(".")[0]
        if not _is_standard_or_ours(top) and top not in allowed:
            yield f"{source.path}:{line}: {source.room} must not import {module}"


def libraries_are_declared(source: Source) -> Iterator[str]:
    """What gateway and admin_api import from outside stands in pyproject.toml."""
    if source.room not in ("gateway", "admin_api"):
        return
    declared = declared_libraries()
    for line, module in imports(source):
        top = module.split(".")[0]
        if not _is_standard_or_ours(top) and top not in declared:
            yield f"{source.path}:{line}: {top} is not a dependency in pyproject.toml"


def declared_libraries() -> set[str]:
    """Import names of the dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[^A-Za-z0-9_-]", name)[0].lower() for name in project["dependencies"]]
    return {_PACKAGES.get(name, name.replace("-", "_")) for name in names}


def kemi_has_no_threads(source: Source) -> Iterator[str]:
    """No thread and no asyncio inside Kamailio: its workers are processes."""
    if source.room == "kemi":
        for line, module in imports(source):
            if module.split(".")[0] in CONCURRENCY:
                yield f"{source.path}:{line}: kemi must not import {module}"


def kemi_asks_no_database(source: Source) -> Iterator[str]:
    """No SQL, no HTTP, no child process while a call is being set up."""
    if source.room == "kemi" and part_of(source.module) == "kemi":
        for line, module in imports(source):
            if module.split(".")[0] in NOT_ON_THE_CALL_PATH:
                yield f"{source.path}:{line}: kemi must not import {module}"


def _is_standard_or_ours(top: str) -> bool:
    return top in sys.stdlib_module_names or top in ROOMS
