"""Credentials as a client makes them (RFC 7616, section 3.4), so that stories can also make them
wrongly.
"""

from __future__ import annotations

import re
from hashlib import md5

from gateway.endpoints.message import SipMessage

_PARTS = re.compile(r'(\w+)="?([^",]+)"?')


def asked(challenge: SipMessage) -> dict[str, str]:
    """What the challenge says: realm, nonce, qop, ..."""
    value = challenge.header("Proxy-Authenticate") or challenge.header("WWW-Authenticate")
    return dict(_PARTS.findall(value))


def credentials(
    challenge: dict[str, str], user: str, password: str, method: str, uri: str, count: int = 1
) -> str:
    """The header's value. `count`: how often this nonce is used with it."""

    def digest(text: str) -> str:
        return md5(text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce, times = challenge["realm"], challenge["nonce"], f"{count:08x}"
    secret = digest(f"{user}:{realm}:{password}")
    response = digest(f"{secret}:{nonce}:{times}:abc:auth:{digest(f'{method}:{uri}')}")
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'qop=auth, nc={times}, cnonce="abc", response="{response}", algorithm=MD5'
    )
