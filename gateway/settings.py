"""Reads portgate.toml and the environment into one frozen object; it never guesses and never
writes.

An unknown key, a wrong type or a value out of range is a SettingsError that names file, line, key
and mend. PORTGATE_<SECTION>_<KEY> overrides the file.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.network.declared import Clash, HandOff, legs
from gateway.settings_lines import line_of
from gateway.settings_sections import (
    Api,
    Calls,
    Carriers,
    Dns,
    Health,
    Masking,
    Media,
    Network,
    Settings,
    Sip,
    TrunkOverride,
)

__all__ = ["Settings", "SettingsError", "Sip", "TrunkOverride", "load"]

FILE = "portgate.toml"
PREFIX = "PORTGATE_"


class SettingsError(Exception):
    """A setting that cannot be used. `where` is "file:line" or the variable's name."""

    def __init__(self, where: str, what: str, mend: str) -> None:
        super().__init__(f"{where}: {what}. {mend}")
        self.where, self.what, self.mend = where, what, mend


_SECTIONS: dict[str, type[msgspec.Struct]] = {
    "sip": Sip, "media": Media, "api": Api, "calls": Calls, "carriers": Carriers,
    "masking": Masking,
    "health": Health, "dns": Dns,
    "network": Network,
}  # fmt: skip
# Sections whose tables are named by people, [section.carrier.trunk]: where these go, what each
# holds, and how one is written.
_BY_TRUNK: dict[str, tuple[str, type[msgspec.Struct], str]] = {
    "carriers": (
        "overrides",
        TrunkOverride,
        'Write `sources = ["192.0.2.0/29"]` or `proxies = ["sip:192.0.2.1:5060"]`',
    ),
    "network": (
        "hand_offs",
        HandOff,
        'Write for instance `interface = "eth1"`, `address = "10.20.0.2/30"`, '
        '`gateway = "10.20.0.1"`, `sip = ["10.0.0.0/8"]`',
    ),
}


def load(home: Path, env: Mapping[str, str]) -> Settings:
    """Settings of one home: defaults, then HOME/portgate.toml, then the environment.

    Raises SettingsError for the first thing that cannot be used.
    """
    path = home / FILE
    text = _read(path)
    raw = _parse(path, text)
    _refuse_unknown(path, text, raw)
    values, named = _with_environment(raw, env)
    try:
        settings = msgspec.convert(_nested(path, text, values), Settings)
        legs(settings.network.hand_offs)
        settings = _handed_off(settings)
    except msgspec.ValidationError as error:
        raise _wrong_value(path, text, named, str(error)) from error
    except Clash as error:
        at = f"{path}:{line_of(text, ('network', *error.at))}"
        raise SettingsError(at, f"network.{'.'.join(error.at)}: {error}", error.mend) from error
    return settings


def _handed_off(settings: Settings) -> Settings:
    """A trunk that is handed off has the addresses of its hand-off, unless it is placed by hand."""
    places = {carrier: dict(trunks) for carrier, trunks in settings.carriers.overrides.items()}
    for carrier, hand_offs in settings.network.hand_offs.items():
        for trunk, hand_off in hand_offs.items():
            placed = places.setdefault(carrier, {}).get(trunk, TrunkOverride())
            places[carrier][trunk] = msgspec.structs.replace(
                placed,
                receives_on=placed.receives_on or hand_off.ours,
                media_on=placed.media_on or hand_off.ours_for_media,
            )
    carriers = msgspec.structs.replace(settings.carriers, overrides=places)
    return msgspec.structs.replace(settings, carriers=carriers)


def _read(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsError(
            str(path), f"cannot be read: {error}", "Mend the file's rights"
        ) from error
    try:
        return raw.decode("utf-8-sig")  # some editors begin a file with a byte order mark
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise SettingsError(f"{path}:{line}", what, "Save the file as UTF-8") from error


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+)", str(error))
        line = found[1] if found else str(text.count("\n") + 1)
        raise SettingsError(
            f"{path}:{line}",
            f"is not TOML: {error}",
            'Write lines such as `port = 5060` or `address = "127.0.0.1"`',
        ) from error


def _suggest(wrong: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(wrong, names, n=1, cutoff=0.6)
    return f"Did you mean `{close[0]}`?" if close else "Known here: " + ", ".join(names)


def _fields(section: str) -> tuple[str, ...]:
    names = _SECTIONS[section].__struct_fields__
    return tuple(name for name in names if name != _BY_TRUNK.get(section, ("",))[0])


def _refuse_unknown(path: Path, text: str, raw: dict[str, Any]) -> None:
    for section, table in raw.items():
        at = f"{path}:{line_of(text, (section,))}"
        if section not in _SECTIONS:
            raise SettingsError(at, f"unknown section `{section}`", _suggest(section, _SECTIONS))
        if not isinstance(table, dict):
            raise SettingsError(
                at, f"`{section}` must be a section", f"Write `[{section}]` and its keys below it"
            )
        for key, value in table.items():
            # Here a table is a carrier's name: only the loader knows which exist.
            if key in _fields(section) or (section in _BY_TRUNK and isinstance(value, dict)):
                continue
            at = f"{path}:{line_of(text, (section, key))}"
            raise SettingsError(
                at, f"unknown key `{key}` in [{section}]", _suggest(key, _fields(section))
            )


def _with_environment(
    raw: dict[str, Any], env: Mapping[str, str]
) -> tuple[dict[str, Any], dict[tuple[str, str], str]]:
    """The file's tables with the environment's values laid over, and which variable gave which."""
    values = {name: dict(table) for name, table in raw.items()}
    named: dict[tuple[str, str], str] = {}
    for variable in sorted(env):
        if not variable.startswith(PREFIX):
            continue
        section, _, key = variable.removeprefix(PREFIX).lower().partition("_")
        if section not in _SECTIONS or not key:
            continue
        if key not in _fields(section):
            known = (f"{PREFIX}{section}_{name}".upper() for name in _fields(section))
            raise SettingsError(variable, "sets an unknown key", _suggest(variable, known))
        values.setdefault(section, {})[key] = _typed(
            env[variable], _SECTIONS[section], key, variable
        )
        named[section, key] = variable
    return values, named


def _typed(text: str, section: type[msgspec.Struct], key: str, variable: str) -> Any:
    kind = {field.name: field.type for field in msgspec.structs.fields(section)}[key]
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(
            variable, f"is `{text}`: {_plain(str(error))}", "Change or unset it"
        ) from error


def _nested(path: Path, text: str, values: dict[str, Any]) -> dict[str, Any]:
    values = dict(values)
    for section, (field, _, _) in _BY_TRUNK.items():
        tables = values.get(section, {})
        own = {key: value for key, value in tables.items() if key in _fields(section)}
        own[field] = {
            carrier: {
                trunk: _of_trunk(path, text, (section, carrier, trunk), value)
                for trunk, value in trunks.items()
            }
            for carrier, trunks in tables.items()
            if carrier not in own
        }
        values[section] = own
    return values


def _of_trunk(path: Path, text: str, where: tuple[str, str, str], value: Any) -> Any:
    # Converted one by one: msgspec's path does not name the keys of a mapping.
    _, kind, mend = _BY_TRUNK[where[0]]
    if not isinstance(value, dict):
        at = f"{path}:{line_of(text, where)}"
        mend = f"Write `[{'.'.join(where[:2])}.TRUNK]` and its keys below it"
        raise SettingsError(at, f"`{'.'.join(where)}` must be a section", mend)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        found = re.search(r"`\$\.(\w+)", str(error)) or re.search(r"`(\w+)`", str(error))
        key = found[1] if found else ""
        if "unknown field" in str(error):
            mend = _suggest(key, kind.__struct_fields__)
        at = f"{path}:{line_of(text, (*where, key))}"
        raise SettingsError(at, f"{'.'.join(where)}: {_plain(str(error))}", mend) from error


def _plain(message: str) -> str:
    """msgspec's message without its path."""
    text = (
        message.split(" - at ")[0]
        .replace("`int`", "a whole number")
        .replace("`bool`", "true or false")
    )
    return (
        text.replace("`str`", "text in quotes")
        .replace("`array`", "a list")
        .replace("Object contains ", "")
    )


def _wrong_value(
    path: Path, text: str, named: dict[tuple[str, str], str], message: str
) -> SettingsError:
    found = re.search(r" - at `\$\.?([^`]*)`", message)
    parts = [
        part for part in re.split(r"[.\[\]]+", found[1] if found else "") if part and part != "..."
    ]
    quoted = re.match(r"`(\w+)`", message)  # our own checks name the field, msgspec the section
    if quoted and len(parts) == 1:
        parts.append(quoted[1])
    variable = named.get((parts[0], parts[1])) if len(parts) > 1 else None
    where = variable or f"{path}:{line_of(text, tuple(parts))}"
    return SettingsError(where, f"`{'.'.join(parts)}`: {_plain(message)}", "Change or remove it")
