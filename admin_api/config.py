"""Where this API listens and what it reads, from the environment and portgate.toml; read once.

The supervisor names the state folder (PORTGATE_HOME). Everything else has its place in it, and may
be named outright: PORTGATE_RUN, PORTGATE_POSTGRES_DSN, PORTGATE_API_TOKEN_FILE,
PORTGATE_API_ADDRESS, PORTGATE_API_PORT.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec


class ConfigError(Exception):
    """A value that cannot be used; the message names where it stands."""


class Config(msgspec.Struct, frozen=True):
    """What the server needs to know."""

    postgres_dsn: str
    token_file: str
    address: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 8080


def load(env: Mapping[str, str]) -> Config:
    """Raises ConfigError with the variable or file that is wrong."""
    home = Path(os.path.realpath(env.get("PORTGATE_HOME") or "/var/lib/portgate"))
    short = hashlib.sha256(os.fsencode(home)).hexdigest()[:8]
    run = Path(env.get("PORTGATE_RUN") or f"/run/portgate-{short}")
    values = {
        "postgres_dsn": f"postgresql://portgate@/portgate?host={run / 'postgresql'}",
        "token_file": str(home / "secrets" / "api.token"),
        **_from_file(home / "portgate.toml"),
    }
    names = {
        "postgres_dsn": "PORTGATE_POSTGRES_DSN",
        "token_file": "PORTGATE_API_TOKEN_FILE",
        "address": "PORTGATE_API_ADDRESS",
        "port": "PORTGATE_API_PORT",
    }
    values |= {key: env[name] for key, name in names.items() if env.get(name)}
    try:
        return msgspec.convert(values, Config, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{home / 'portgate.toml'} or PORTGATE_API_*: {error}") from error


def _from_file(path: Path) -> dict[str, object]:
    """The [api] section; the supervisor has checked the whole file before it started us."""
    try:
        section = tomllib.loads(path.read_text("utf-8")).get("api", {})
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return {key: section[key] for key in ("address", "port") if key in section}
