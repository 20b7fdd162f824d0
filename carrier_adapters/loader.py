"""Finds carriers' files, loads each on its own, and refuses those declared wrong or clashing; one
bad file stops no other.
"""

from __future__ import annotations

import ast
import ipaddress
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import count
from pathlib import Path
from types import ModuleType

from carrier_adapters.contract import Carrier, Trunk
from carrier_adapters.kit import declared, source_rules
from carrier_adapters.kit.trunk import FieldError
from number_registry.errors import AdapterError, BadValueError

NOT_CARRIERS = frozenset({"__init__.py", "contract.py", "loader.py", "conformance.py"})
_generation = count(1)
_seen_well: set[bytes] = set()  # digests of texts that keep the source rules, told once

# carrier -> trunk -> {sources, proxies, receives_on, media_on}; the last two are one text each
Overrides = Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]
InUse = Mapping[str, Carrier | None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The carriers that are usable, by name, and the errors of the files that are not."""

    carriers: Mapping[str, Carrier]
    errors: tuple[AdapterError, ...]


def files(folder: Path) -> list[Path]:
    """The carriers' files of a folder, by name."""
    return [
        path
        for path in sorted(folder.glob("*.py"))
        if path.name not in NOT_CARRIERS and not path.name.startswith("_")
    ]


def load(folder: Path, overrides: Overrides | None = None, in_use: InUse | None = None) -> Loaded:
    """Load every carrier file of a folder. ``overrides``: carrier -> trunk -> {sources, proxies}
    from local settings. ``in_use``: what calls are read by now: one whose file is broken or clashes
    stays as it was (None where that is not at hand), and no newcomer takes a network from it.
    """
    before = in_use or {}
    errors: list[AdapterError] = []
    found: list[tuple[Path, list[Carrier]]] = []  # each with what to fall back on
    for path in files(folder):
        old = before.get(path.stem)
        candidates = [old] if old is not None else []
        try:
            candidates.insert(0, load_file(path, (overrides or {}).get(path.stem, {})))
        except AdapterError as error:
            errors.append(error)
        found.append((path, candidates))
    carriers: dict[str, Carrier] = {}
    for path, candidates in sorted(found, key=lambda one: _claim(one[0], one[1], before)):
        for carrier in candidates:
            try:
                refuse_clash(path, carrier, carriers)
            except AdapterError as error:
                errors.append(error)
            else:
                carriers[carrier.name] = carrier
                break
    return Loaded(carriers, tuple(errors))


def _claim(path: Path, candidates: list[Carrier], before: InUse) -> tuple[int, str]:
    """Who keeps a network that two declare: first those that go on as they were, then those in use
    whose networks changed, then newcomers.
    """
    if path.stem not in before:
        return 2, path.name
    networks = {tuple(trunk.networks for trunk in carrier.trunks) for carrier in candidates}
    return (0 if len(networks) == 1 else 1), path.name


def load_file(
    path: Path, overrides: Mapping[str, Mapping[str, Sequence[str]]] | None = None
) -> Carrier:
    """Load one carrier's file; raises AdapterError that names the file, line, field and mend."""
    tree, module = _import(path)
    kind = _carrier_class(path, module)
    lines = declared.lines(tree, kind.__name__)
    try:
        declared.refuse(kind, path.stem)
        trunks = tuple(
            _overridden(path, trunk, (overrides or {}).get(trunk.name, {})) for trunk in kind.trunks
        )
    except FieldError as error:
        line = lines.get(error.field.partition(":")[0], 0)
        raise AdapterError(path.name, error.field, error.problem, error.mend, line) from error
    carrier: Carrier = type(kind.__name__, (kind,), {"trunks": trunks})()
    return carrier


def _import(path: Path) -> tuple[ast.Module, ModuleType]:
    """Run the file under a name of its own, so that a changed file is really read again and old
    calls keep the old code.
    """
    try:
        text = path.read_bytes()
        tree = ast.parse(text, str(path))
    except SyntaxError as error:
        raise AdapterError(path.name, "", f"{error.msg}", line=error.lineno or 0) from error
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise AdapterError(path.name, "", f"cannot be read: {error}") from error
    _refuse_breaches(path, text, tree)
    name = f"carrier_adapters._loaded_{next(_generation)}_{path.stem}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # a dataclass in it looks itself up
    try:
        exec(compile(tree, str(path), "exec"), module.__dict__)
    except FieldError as error:
        line = _line_in(path, error)
        raise AdapterError(path.name, error.field, error.problem, error.mend, line) from error
    except BadValueError as error:
        raise AdapterError(path.name, "", str(error), line=_line_in(path, error)) from error
    except (Exception, SystemExit) as error:
        line = _line_in(path, error)
        raise AdapterError(path.name, "", f"raised {error!r}", line=line) from error
    finally:
        sys.modules.pop(name, None)
    return tree, module


def _refuse_breaches(path: Path, text: bytes, tree: ast.Module) -> None:
    """Before anything of it runs. A text found well is not looked through again."""
    digest = blake2b(text, digest_size=16).digest()
    if digest in _seen_well:
        return
    for line, field, problem, mend in source_rules.breaches(tree):
        raise AdapterError(path.name, field, problem, mend, line)
    _seen_well.add(digest)


def _line_in(path: Path, error: BaseException) -> int:
    """The line of the carrier's own file where the error passed."""
    line, step = 0, error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(path):
            line = step.tb_lineno
        step = step.tb_next
    return line


def _carrier_class(path: Path, module: ModuleType) -> type[Carrier]:
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Carrier)
        and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        said = f"{len(found)} subclasses of Carrier"
        raise AdapterError(path.name, "class", said, "declare exactly one in each file")
    return found[0]


def _overridden(path: Path, trunk: Trunk, override: Mapping[str, Sequence[str]]) -> Trunk:
    """The trunk with this installation's addresses: ``sources`` replace all networks that calls
    come from, ``proxies`` all addresses that calls go to.
    """
    unknown = set(override) - {"sources", "proxies", "receives_on", "media_on"}
    if unknown:
        said = f"unknown {sorted(unknown)}"
        raise AdapterError(path.name, f"settings of trunk {trunk.name}", said)
    if not override:
        return trunk
    ours = {name: str(override[name]) for name in ("receives_on", "media_on") if name in override}
    if not {"sources", "proxies"} & override.keys():
        return _placed(path, trunk, ours)
    # What is not replaced is kept as the plainer field: gateways say both at once.
    kept_out = tuple(one for one in trunk.all_gateways() if one.direction != "in")
    kept = () if "proxies" in override else tuple(replace(one, direction="out") for one in kept_out)
    try:
        return replace(
            trunk,
            sources=tuple(override.get("sources", trunk.networks)),
            proxies=tuple(override.get("proxies", ())),
            gateways=kept,
            receives_on=ours.get("receives_on", trunk.receives_on),
            media_on=ours.get("media_on", trunk.media_on),
        )
    except BadValueError as error:
        raise AdapterError(path.name, f"settings of trunk {trunk.name}", str(error)) from error


def _placed(path: Path, trunk: Trunk, ours: dict[str, str]) -> Trunk:
    try:
        return replace(trunk, receives_on=ours.get("receives_on", trunk.receives_on),
                       media_on=ours.get("media_on", trunk.media_on))  # fmt: skip
    except BadValueError as error:
        raise AdapterError(path.name, f"settings of trunk {trunk.name}", str(error)) from error


def refuse_clash(path: Path, carrier: Carrier, others: Mapping[str, Carrier]) -> None:
    """A source, which is the pair of our address and their network, must belong to one trunk of one
    carrier, else nobody can say whose call it is. Raises AdapterError.
    """
    taken = [(f"{one.name}, trunk {trunk.name}", trunk) for one in others.values()
             for trunk in one.trunks]  # fmt: skip
    for ours in carrier.trunks:
        for whose, theirs in taken:
            if ours.receives_on and theirs.receives_on and ours.receives_on != theirs.receives_on:
                continue
            shared = _overlap(ours.networks, theirs.networks)
            if shared:
                raise AdapterError(
                    path.name,
                    f"trunk {ours.name}: sources",
                    f"{shared} of {whose} overlaps",
                    "Name only what this carrier sends from, or our address in receives_on",
                    _line_of_trunk(path, carrier, ours),
                )
        taken.append((f"{carrier.name}, trunk {ours.name}", ours))


def _line_of_trunk(path: Path, carrier: Carrier, trunk: Trunk) -> int:
    lines = declared.lines(ast.parse(path.read_bytes()), type(carrier).__name__)
    return lines.get(f"trunk {trunk.name}", 0)


def _overlap(ours: Sequence[str], theirs: Sequence[str]) -> str:
    for one in map(ipaddress.ip_network, ours):
        for two in map(ipaddress.ip_network, theirs):
            if one.version == two.version and one.overlaps(two):
                return str(two)
    return ""
