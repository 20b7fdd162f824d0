"""Who may ask: whoever holds the bearer token of this installation; there is no default one."""

from __future__ import annotations

import hmac
import re
from pathlib import Path

from admin_api.problems import Problem

SHORTEST = 32  # characters; a shorter token could be guessed
_BEARER = re.compile(r"^Bearer +([A-Za-z0-9._~+/=-]{1,512})\Z", re.IGNORECASE)  # RFC 6750, 2.1


class Guard:
    """Compares with the token in a file, which may be replaced while the server runs."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._known: tuple[tuple[int, int], str] | None = None

    def check(self, authorization: str | None) -> None:
        """Return when the header's token is the right one, else raise Problem 401 or 503."""
        token = self._token()
        if not token:
            raise Problem(
                503,
                "no-token",
                "No API token has been made on this machine, so nobody may ask.",
                "Run `portgate up`, which writes secrets/api.token.",
            )
        given = _BEARER.match(authorization or "")
        # The comparison takes as long for every wrong token of one length as for the right one.
        if given is None or not hmac.compare_digest(given[1].encode(), token.encode()):
            raise Problem(
                401,
                "not-authorized",
                "A valid token is needed.",
                "Send the header `Authorization: Bearer` with the token in secrets/api.token.",
                {"WWW-Authenticate": 'Bearer realm="portgate"'},
            )

    def _token(self) -> str:
        try:
            stat = self._file.stat()
            version = (stat.st_mtime_ns, stat.st_ino)
            if self._known is None or self._known[0] != version:
                self._known = version, self._file.read_text("ascii").strip()
        except (OSError, UnicodeDecodeError):
            self._known = None
            return ""
        return self._known[1] if len(self._known[1]) >= SHORTEST else ""
