"""Finds carriers' files, loads each on its own, and refuses those declared wrong or clashing; one
bad file stops no other.
"""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any

from carrier_adapters.contract import CALLER_HEADERS, Carrier, Trunk
from number_registry.e164 import MAX_DIGITS
from number_registry.errors import AdapterError, BadValueError

NOT_CARRIERS = frozenset({"__init__.py", "contract.py", "loader.py", "conformance.py"})
_MEND_NAME = "give the class a `name` equal to the file's name"
_generation = count(1)

Overrides = Mapping[str, Mapping[str, Mapping[str, Sequence[str]]]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The carriers that are usable, by name, and the errors of the files that are not."""

    carriers: Mapping[str, Carrier]
    errors: tuple[AdapterError, ...]


def load(
    folder: Path, overrides: Overrides | None = None, in_use: Mapping[str, Carrier] | None = None
) -> Loaded:
    """Load every carrier file of a folder. ``overrides``: carrier -> trunk -> {sources, proxies}
    from local settings. ``in_use``: what calls are read by now: one whose file is broken stays as
    it was, and no newcomer takes a network from it.
    """
    before = in_use or {}
    found: list[tuple[Path, Carrier]] = []
    errors: list[AdapterError] = []
    for path in sorted(folder.glob("*.py")):
        if path.name in NOT_CARRIERS or path.name.startswith("_"):
            continue
        try:
            found.append((path, load_file(path, (overrides or {}).get(path.stem, {}))))
        except AdapterError as error:
            errors.append(error)
            if path.stem in before:
                found.append((path, before[path.stem]))
    found.sort(key=lambda pair: _claim(pair[1], before))
    carriers: dict[str, Carrier] = {}
    for path, carrier in found:
        chosen = _without_clash(path, carrier, before.get(carrier.name), carriers, errors)
        if chosen is not None:
            carriers[chosen.name] = chosen
    return Loaded(carriers, tuple(errors))


def _claim(carrier: Carrier, before: Mapping[str, Carrier]) -> int:
    """Who comes first where two want a network: who has it, then who has another, then who is
    new.
    """
    known = before.get(carrier.name)
    if known is None:
        return 2
    return 0 if _sources(carrier) == _sources(known) else 1


def _sources(carrier: Carrier) -> set[str]:
    return {source for trunk in carrier.trunks for source in trunk.sources}


def _without_clash(
    path: Path,
    carrier: Carrier,
    known: Carrier | None,
    others: Mapping[str, Carrier],
    errors: list[AdapterError],
) -> Carrier | None:
    """The carrier, else what it was before, else none, as the others' networks allow."""
    try:
        _refuse_clash(path, carrier, others)
    except AdapterError as error:
        errors.append(error)
        if known is None or known is carrier:
            return None
        return _without_clash(path, known, None, others, errors)
    return carrier


def load_file(
    path: Path, overrides: Mapping[str, Mapping[str, Sequence[str]]] | None = None
) -> Carrier:
    """Load one carrier's file; raises AdapterError that names the file, the field and the mend."""
    kind = _carrier_class(path, _import(path))
    if kind.name != path.stem:
        raise AdapterError(
            path.name, "name", f"is {kind.name!r}, the file is {path.stem!r}", _MEND_NAME
        )
    trunks = tuple(
        _overridden(path, trunk, (overrides or {}).get(trunk.name, {}))
        for trunk in _trunks(path, kind)
    )
    _refuse_fields(path, kind)
    try:
        carrier: Carrier = type(kind.__name__, (kind,), {"trunks": trunks})()
        return carrier
    except (Exception, SystemExit) as error:  # a carrier's own __init__ may do anything
        raise AdapterError(path.name, "__init__", f"raised {error!r}") from error


def _import(path: Path) -> ModuleType:
    """Import under a name of its own, so that a changed file is really read again and old calls
    keep the old code.
    """
    name = f"carrier_adapters._loaded_{next(_generation)}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise AdapterError(path.name, "file", "cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        # Compiled by hand: an import would trust a cached .pyc of the same second and size. What
        # it prints must not get between the lines of a command's --json.
        with contextlib.redirect_stdout(sys.stderr):
            exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except SyntaxError as error:
        raise AdapterError(path.name, f"line {error.lineno}", f"{error.msg}") from error
    except BadValueError as error:
        raise AdapterError(path.name, f"line {_line_in(path, error)}", str(error)) from error
    except (Exception, SystemExit) as error:  # sys.exit would end a SIP worker, without a word
        raise AdapterError(
            path.name, f"line {_line_in(path, error)}", f"raised {error!r}"
        ) from error
    finally:
        sys.modules.pop(name, None)
    return module


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
        raise AdapterError(
            path.name,
            "class",
            f"{len(found)} subclasses of Carrier",
            "declare exactly one in each file",
        )
    return found[0]


def _trunks(path: Path, kind: type[Carrier]) -> tuple[Trunk, ...]:
    trunks: Any = kind.trunks
    if (
        not isinstance(trunks, tuple)
        or not trunks
        or not all(isinstance(trunk, Trunk) for trunk in trunks)
    ):
        raise AdapterError(
            path.name, "trunks", "is not a tuple of at least one Trunk", "trunks = (Trunk(...),)"
        )
    names = [trunk.name for trunk in trunks]
    if len(set(names)) != len(names):
        raise AdapterError(path.name, "trunks", f"two trunks have the same name: {names}")
    return trunks


def _overridden(path: Path, trunk: Trunk, override: Mapping[str, Sequence[str]]) -> Trunk:
    unknown = set(override) - {"sources", "proxies"}
    if unknown:
        raise AdapterError(
            path.name, f"settings of trunk {trunk.name}", f"unknown {sorted(unknown)}"
        )
    try:
        return replace(
            trunk,
            sources=tuple(override.get("sources", trunk.sources)),
            proxies=tuple(override.get("proxies", trunk.proxies)),
        )
    except BadValueError as error:
        raise AdapterError(path.name, f"settings of trunk {trunk.name}", str(error)) from error


def _refuse_fields(path: Path, kind: type[Carrier]) -> None:
    allowed = {
        "caller_header": CALLER_HEADERS,
        "called_in": ("request", "to"),
        "number_format": ("plus", "digits", "national"),
    }
    for field, values in allowed.items():
        if getattr(kind, field) not in values:
            raise AdapterError(
                path.name, field, f"{getattr(kind, field)!r} is none of {', '.join(values)}"
            )
    for field in ("country_code", "trunk_prefix", "international_prefix"):
        value: Any = getattr(kind, field)
        if not isinstance(value, str) or not (value == "" or value.isdigit()):
            raise AdapterError(path.name, field, f"{value!r} is not a string of digits")
    length: Any = kind.national_length
    if type(length) is not int or not 1 <= length <= MAX_DIGITS:
        raise AdapterError(path.name, "national_length", f"{length!r} is no number of digits")
    retry: Any = kind.retry_elsewhere
    if not isinstance(retry, (set, frozenset)) or not all(type(one) is int for one in retry):
        mend = "retry_elsewhere = frozenset({408, 503})"
        raise AdapterError(path.name, "retry_elsewhere", f"{retry!r} is no set of statuses", mend)
    known = {name for base in kind.__mro__ if base is not kind for name in vars(base)}
    for field in vars(kind):
        if not field.startswith("_") and field not in known:
            raise AdapterError(
                path.name, field, "is not part of the contract", f"known: {_public(known)}"
            )


def _public(names: set[str]) -> str:
    return ", ".join(sorted(name for name in names if not name.startswith("_")))


def _refuse_clash(path: Path, carrier: Carrier, others: Mapping[str, Carrier]) -> None:
    """A source network must belong to one carrier, else nobody can say whose call it is."""
    for other in others.values():
        for theirs in other.trunks:
            for ours in carrier.trunks:
                shared = _overlap(ours.sources, theirs.sources)
                if shared:
                    raise AdapterError(
                        path.name,
                        f"trunk {ours.name}: sources",
                        f"{shared} of {other.name} overlaps",
                    )


def _overlap(ours: Sequence[str], theirs: Sequence[str]) -> str:
    for one in map(ipaddress.ip_network, ours):
        for two in map(ipaddress.ip_network, theirs):
            if one.version == two.version and one.overlaps(two):
                return str(two)
    return ""
