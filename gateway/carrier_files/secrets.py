"""The values of the secrets that carriers' files name: a file for each, outside git, for root
alone; nothing here prints or logs one.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from carrier_adapters.contract import Carrier, Trunk
from number_registry.errors import BadValueError

LONGEST = 128
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")  # as carrier_adapters.kit.trunk holds them to
_OTHERS = 0o077


class Lack(NamedTuple):
    """A trunk that cannot prove who we are: which, why, and how to mend it."""

    trunk: str
    secret: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"trunk {self.trunk}: {self.what}. {self.mend}"


class Wanted(NamedTuple):
    """One secret's name, the trunks that want it (``carrier, trunk name``), and whether a value
    is there that can be used; ``why`` not, where something else is.
    """

    name: str
    trunks: tuple[str, ...]
    present: bool
    why: str = ""


class Secrets:
    """``folder``: HOME/secrets/carriers. A file may as well be put there by others: one line, mode
    0600.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def names(self) -> list[str]:
        """Those that have a value."""
        if not self._folder.is_dir():
            return []
        return sorted(path.name for path in self._folder.iterdir() if _NAME.fullmatch(path.name))

    def value(self, name: str) -> str | None:
        """The value; None where there is none. Raises BadValueError for a file that holds none."""
        try:
            return checked((self._folder / named(name)).read_bytes())
        except FileNotFoundError:
            return None

    def put(self, name: str, value: str) -> None:
        """Whole or not at all, and never readable by others, not for a moment."""
        data = checked(value.encode(errors="surrogateescape")).encode() + b"\n"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        path = self._folder / named(name)
        beside = path.with_name(f".{name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)

    def forget(self, name: str) -> bool:
        """Remove it; False where there was none."""
        try:
            (self._folder / named(name)).unlink()
        except FileNotFoundError:
            return False
        return True

    def lacks(self, carrier: Carrier) -> list[Lack]:
        """What the trunks of a carrier want and have not."""
        found = (self._lack(trunk) for trunk in carrier.trunks)
        return [lack for lack in found if lack is not None]

    def _lack(self, trunk: Trunk) -> Lack | None:
        if trunk.auth.kind == "address":
            return None
        name, path = trunk.auth.secret, self._folder / trunk.auth.secret
        mend = f"Run: ./portgate carriers secret set {name}"
        try:
            if self.value(name) is None:
                return Lack(trunk.name, name, f"its secret {name} is missing", mend)
        except (BadValueError, OSError) as error:
            return Lack(trunk.name, name, f"its secret {name} cannot be used: {error}", mend)
        if path.stat().st_mode & _OTHERS or self._folder.stat().st_mode & _OTHERS:
            what = f"its secret {name} may be read by others"
            return Lack(trunk.name, name, what, f"Run: chmod -R go= {self._folder}")
        return None


def named(name: str) -> str:
    """The name itself. Raises BadValueError for one that no carrier's file may use."""
    if not _NAME.fullmatch(name):
        raise BadValueError("a secret's name is small letters, digits and _, a letter first")
    return name


def checked(data: bytes) -> str:
    """The value out of a file or a pipe: one line, its end left out. The error repeats nothing."""
    try:
        text = data.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise BadValueError("a secret is one line of UTF-8 text") from None
    if not 2 <= len(text) <= LONGEST or not text.isprintable():
        raise BadValueError(f"a secret is one line of 2 to {LONGEST} printable characters")
    return text


def wanted(carriers: Iterable[Mapping[str, Carrier]], secrets: Secrets) -> list[Wanted]:
    """All secrets that carriers name or that have a value, by name. ``carriers``: those at work and
    those that people edit.
    """
    users: dict[str, dict[str, None]] = {name: {} for name in secrets.names()}
    for folder in carriers:
        for carrier in folder.values():
            for trunk in carrier.trunks:
                if trunk.auth.kind != "address":
                    users.setdefault(trunk.auth.secret, {})[f"{carrier.name} {trunk.name}"] = None
    return [Wanted(name, tuple(users[name]), *_usable(secrets, name)) for name in sorted(users)]


def _usable(secrets: Secrets, name: str) -> tuple[bool, str]:
    try:
        return secrets.value(name) is not None, ""
    except BadValueError as error:
        return False, str(error)
    except OSError as error:
        return False, error.strerror or type(error).__name__
