"""Makes the folders and secrets of a home, with the rights each needs; holds no secret itself."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
from pathlib import Path

from gateway.home import Home

POSTGRES = "postgres"
# What Portgate makes in a home, and so may remove; whatever else lies there is not ours.
OWN = (
    "ports.toml", ".ports.toml.new", "venv", "venv.new", "venv.old", "venv-dev", "venv-dev.new",
    "venv-dev.old", "etc", "carriers", "secrets", "postgresql", "postgresql.new", "redis",
    "journal", "snapshot", "announcements", "network", "log", "proved.json", "demo",
    ".setup.lock", ".up.lock",
)  # fmt: skip


def make(home: Home) -> None:
    """Create what is missing. PostgreSQL's user must pass through the home to its data."""
    home.path.mkdir(mode=0o711, parents=True, exist_ok=True)
    home.path.chmod(home.path.stat().st_mode & 0o7777 | 0o711)
    for folder, mode in (
        (home.etc, 0o755),
        (home.carriers, 0o755),
        (home.secrets, 0o700),
        (home.carrier_secrets, 0o700),
        (home.pbx_secrets, 0o700),
        (home.redis_data, 0o700),
        (home.journal, 0o700),
        (home.snapshot, 0o755),
        (home.log, 0o755),
        (home.run, 0o711),
    ):
        folder.mkdir(mode=mode, exist_ok=True)
        folder.chmod(mode)
    home.postgresql_socket_dir.mkdir(mode=0o700, exist_ok=True)
    shutil.chown(home.postgresql_socket_dir, POSTGRES, POSTGRES)
    _secret(home.token_key, secrets.token_bytes(32))
    _secret(home.api_token, secrets.token_urlsafe(32).encode() + b"\n")


def _secret(path: Path, value: bytes) -> None:
    """Written once, whole or not at all: a changed key would cut every call in progress."""
    if path.exists():
        return
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)


def blocked_ancestor(path: Path, user: str = POSTGRES) -> Path | None:
    """The first folder above `path` that `user` may not pass through."""
    account = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, account.pw_gid))
    for folder in reversed(path.parents):
        if not folder.exists():
            return None
        status = folder.stat()
        if status.st_uid == account.pw_uid:
            allowed = status.st_mode & 0o100
        elif status.st_gid in groups:
            allowed = status.st_mode & 0o010
        else:
            allowed = status.st_mode & 0o001
        if not allowed:
            return folder
    return None


def is_home(path: Path) -> bool:
    """Whether a folder looks like Portgate's, so that purging it is no accident."""
    return (path / "ports.toml").is_file() and (path / "etc").is_dir()


def purge(home: Home) -> list[str]:
    """Remove what Portgate made, and the folders if nothing else is left; returns what stays."""
    for name in OWN:
        path = home.path / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if home.run.exists():
        shutil.rmtree(home.run)
    stays = sorted(entry.name for entry in home.path.iterdir())
    if not stays:
        home.path.rmdir()
    return stays
