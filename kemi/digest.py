"""Digest authentication towards carriers: reads a challenge and writes the answer (RFC 7616, RFC
8760; RFC 3261, section 22); pure, it keeps no secret and sends nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

# RFC 8760, section 2.3: whoever challenges lists what it likes best first.
_HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_SESSION = "-SESS"
_PARAMETER = re.compile(r'\s*([A-Za-z-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))\s*(?:,|\Z)')
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
LONGEST = 2000  # characters of one challenge; a nonce is some dozen
PROXY = 407


class Challenge(NamedTuple):
    """What they ask with. ``realm``, ``nonce``, ``opaque``: as they stand between their quotes.

    ``qop``: auth, or empty where they speak RFC 2069. ``stale``: credentials were right, and only
    the nonce was too old.
    """

    realm: str
    nonce: str
    opaque: str | None
    algorithm: str
    given_algorithm: bool
    qop: str
    stale: bool


def read(text: str) -> Challenge | None:
    """One WWW-Authenticate or Proxy-Authenticate; None where it is none that can be answered."""
    scheme, _, rest = text.strip().partition(" ")
    if scheme.lower() != "digest" or len(text) > LONGEST or _CONTROL.search(text):
        return None
    found: dict[str, str] = {}
    at = 0
    while rest[at:].strip():
        one = _PARAMETER.match(rest, at)
        if one is None:
            return None
        name, quoted, token = one[1].lower(), one[2], one[3]
        found.setdefault(name, quoted if quoted is not None else token)
        at = one.end()
    algorithm = found.get("algorithm", "MD5")
    offered = [part.strip().lower() for part in found["qop"].split(",")] if "qop" in found else []
    if "realm" not in found or "nonce" not in found or not _is_known(algorithm):
        return None
    if offered and "auth" not in offered:
        return None  # auth-int covers a body that the media relay has yet to write
    return Challenge(
        found["realm"],
        found["nonce"],
        found.get("opaque"),
        algorithm,
        "algorithm" in found,
        "auth" if offered else "",
        found.get("stale", "").lower() == "true",
    )


def _is_known(algorithm: str) -> bool:
    name = _HASHES.get(algorithm.upper().removesuffix(_SESSION))
    return name is not None and name in hashlib.algorithms_available


def choose(texts: Iterable[str], realm: str) -> Challenge | None:
    """The topmost challenge that we can answer. ``realm``: the only one we have a password for, or
    empty.
    """
    for text in texts:
        challenge = read(text)
        if challenge is not None and realm in ("", challenge.realm):
            return challenge
    return None


def header(
    challenge: Challenge,
    status: int,
    user: str,
    secret: str,
    method: str,
    uri: str,
    cnonce: str,
) -> str:
    """The header line that answers, without its end. ``uri``: the Request-URI as it is sent;
    ``cnonce``: made for this answer alone, so that its count is 1.
    """
    name = "Proxy-Authorization" if status == PROXY else "Authorization"
    nonce, qop, count = challenge.nonce, challenge.qop, "00000001"
    response = _response(challenge, user, secret, method, uri, cnonce, count)
    fields = [
        f'username="{user}"',
        f'realm="{challenge.realm}"',
        f'nonce="{nonce}"',
        f'uri="{uri}"',
        f'response="{response}"',
    ]
    if challenge.given_algorithm:
        fields.append(f"algorithm={challenge.algorithm}")
    if challenge.opaque is not None:
        fields.append(f'opaque="{challenge.opaque}"')
    if qop:
        fields += [f"qop={qop}", f"nc={count}", f'cnonce="{cnonce}"']
    return f"{name}: Digest {', '.join(fields)}"


def _response(
    challenge: Challenge,
    user: str,
    secret: str,
    method: str,
    uri: str,
    cnonce: str,
    count: str,
) -> str:
    """RFC 7616, section 3.4.1."""
    algorithm = challenge.algorithm.upper()
    kind = _HASHES[algorithm.removesuffix(_SESSION)]

    def hashed(*parts: str) -> str:
        digest = hashlib.new(kind, usedforsecurity=False)
        digest.update(":".join(parts).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    a1 = hashed(user, challenge.realm, secret)
    if algorithm.endswith(_SESSION):
        a1 = hashed(a1, challenge.nonce, cnonce)
    a2 = hashed(method, uri)
    if not challenge.qop:
        return hashed(a1, challenge.nonce, a2)
    return hashed(a1, challenge.nonce, count, cnonce, challenge.qop, a2)
