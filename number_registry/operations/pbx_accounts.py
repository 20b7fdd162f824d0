"""Makes the name and password by which a PBX proves who it is; keeps their digests only."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field

import asyncpg

from number_registry.errors import BadValueError, RefuseError
from number_registry.operations import ledger
from number_registry.store.pool import Connection
from number_registry.store.queries import SQL

# Part of every digest, so it never changes: not even with our address.
REALM = "portgate"
_LETTERS = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that look alike
PASSWORD_LENGTH = 24  # of 56 letters: 139 bits
NAME_BYTES = 8
_USER = re.compile(r"[A-Za-z0-9_.-]{6,64}")


@dataclass(frozen=True, slots=True)
class Login:
    """What is told to whoever sets the PBX up, once."""

    user: str
    password: str = field(repr=False)
    realm: str = REALM

    def digests(self) -> tuple[str, str]:
        """By MD5 and by SHA-256, as RFC 7616, section 3.4.2 defines A1."""
        text = f"{self.user}:{self.realm}:{self.password}".encode()
        return hashlib.md5(text, usedforsecurity=False).hexdigest(), hashlib.sha256(
            text
        ).hexdigest()


def checked(user: str) -> str:
    """The same. Raises BadValueError for a name that would not do."""
    if user and not _USER.fullmatch(user):
        raise BadValueError(f"{user!r} is no account name: 6 to 64 of A-Z a-z 0-9 _ . -")
    return user


def new_login(pbx: str, user: str = "") -> Login:
    """A password nobody can guess, for a name nobody can guess: strangers who do not know the name
    hear nothing.
    """
    password = "".join(secrets.choice(_LETTERS) for _ in range(PASSWORD_LENGTH))
    return Login(user or f"{pbx[:24]}-{secrets.token_hex(NAME_BYTES)}", password)


async def make(connection: Connection, pbx: str, user: str = "") -> Login:
    """A new login in place of the one there was; needs a transaction. Raises RefuseError."""
    login = new_login(pbx, user)
    values = login.user, login.realm, *login.digests()
    try:
        await connection.execute(SQL["put_pbx_account"], pbx, *values)
    except asyncpg.UniqueViolationError as error:
        raise RefuseError(f"{user!r} is the account of another PBX") from error
    return login


async def renew(connection: Connection, actor: str, pbx: str, user: str) -> Login:
    """A new password under the same name; the old one is worth nothing from now on. There is no
    way back. Raises RefuseError where the PBX has no account.
    """
    if not user:
        raise RefuseError(f"PBX {pbx} has no account: it is trusted by its addresses")
    async with connection.transaction():
        await ledger.begin(connection, actor)
        login = await make(connection, pbx, user)
        await ledger.record(connection, actor, "pbx password", f"PBX {pbx} has a new password")
    return login
