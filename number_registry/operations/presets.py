"""Profiles of PBXs that are common, and profiles from files: data, read and checked here; no
vendor's name decides anything.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from number_registry.errors import BadValueError
from number_registry.operations.selection import nearest
from number_registry.pbx_profile import Profile

FOLDER = Path(__file__).parent / "pbx_presets"
PRESETS = tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


class Written(NamedTuple):
    """A profile file: where the PBX is, where its calls come from, how it speaks. Each is empty
    where the file does not say.
    """

    addresses: tuple[str, ...]
    sources: tuple[str, ...]
    profile: dict[str, Any]


def preset(name: str) -> dict[str, Any]:
    """The fields that a preset sets. Raises BadValueError with the nearest name."""
    if name not in PRESETS:
        raise BadValueError(f"there is no preset {name!r}. {nearest(name, PRESETS)}")
    values = _toml(FOLDER / f"{name}.toml")
    del values["title"]
    return values


def title(name: str) -> str:
    """What it is for, in one line."""
    return str(_toml(FOLDER / f"{name}.toml")["title"])


def from_file(path: Path) -> Written:
    """A TOML file with fields of a profile, and perhaps ``preset``, ``addresses``, ``sources``.

    Raises BadValueError that names the file, and the field that is unknown or wrong.
    """
    values = _toml(path)
    try:
        name = values.pop("preset", None)
        based = {} if name is None else preset(str(name))
        addresses = _texts("addresses", values.pop("addresses", ()))
        sources = _texts("sources", values.pop("sources", ()))
        profile = {**based, **values}
        Profile.of(profile)
    except BadValueError as error:
        raise BadValueError(f"{path}: {error}") from error
    return Written(addresses, sources, profile)


def changed(now: Profile, changes: Mapping[str, Any]) -> Profile:
    """The profile with these fields in place of its own. Raises BadValueError."""
    return Profile.of({**now.all(), **changes})


def _texts(key: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise BadValueError(f"{key}: a list of texts is expected")
    return tuple(value)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadValueError(f"{path}: {error}") from error
