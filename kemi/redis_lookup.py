"""Asks Redis one question with a hard time limit, and stops asking a Redis that does not answer; it
never writes.

Our own few lines rather than ndb_redis: that one waits twice its timeout for each command, counts
its patience per process only, and returns text where a corrupt value may be any bytes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

LIMIT_S = 0.015  # a SIP worker's whole patience with Redis for one question
FIRST_PAUSE_S, LONGEST_PAUSE_S = 2.0, 30.0


class RedisDownError(Exception):
    """No answer in time, or the breaker is open: route from the snapshot."""


class RedisLookup:
    """One connection per process, opened when first needed."""

    def __init__(self, path: str, limit_s: float = LIMIT_S) -> None:
        self._path = path
        self._limit_s = limit_s
        self._socket: socket.socket | None = None
        self._pause = 0.0
        self._closed_until = 0.0
        self.failures = 0

    def hget(self, key: str, field: str) -> bytes | None:
        """HGET key field within the limit; raises RedisDownError."""
        answer = self._asked(_command(b"HGET", key.encode(), field.encode()))
        return answer[0] if answer else None

    def eval(self, script: str, key: str, words: Sequence[str]) -> list[bytes]:
        """What a script answers with for one key and these arguments: a list of strings, none of
        them nil. Raises RedisDownError as hget.
        """
        said = (b"EVAL", script.encode(), b"1", key.encode(), *(word.encode() for word in words))
        return self._asked(_command(*said))

    def _asked(self, command: bytes) -> list[bytes]:
        """The strings of an answer; none for nil."""
        now = time.monotonic()
        if now < self._closed_until:
            raise RedisDownError("not asked: it did not answer a moment ago")
        try:
            answer = self._ask(command, now + self._limit_s)
        except (OSError, ValueError) as error:
            self._open_breaker()
            raise RedisDownError(f"{type(error).__name__}: {error}") from error
        self._pause = 0.0
        return answer

    def _ask(self, command: bytes, deadline: float) -> list[bytes]:
        if self._socket is None:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._socket.settimeout(self._limit_s)
            self._socket.connect(self._path)
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        self._socket.sendall(command)
        return self._answer(deadline)

    def _answer(self, deadline: float) -> list[bytes]:
        """One reply of RESP2: a bulk, ``$-1``, or ``$N`` and N bytes, or ``*N`` and N bulks."""
        data = b""
        left = 1
        found: list[bytes] = []
        while left:
            head, whole, rest = data.partition(b"\r\n")
            if whole and head.startswith(b"*") and left == 1 and not found:
                left, data = int(head[1:]), rest
                continue
            if whole:
                if not head.startswith(b"$"):
                    raise ValueError(f"unexpected answer {head[:40]!r}")
                length = int(head[1:])
                if length < 0:
                    return []
                if len(rest) >= length + 2:
                    found.append(rest[:length])
                    left, data = left - 1, rest[length + 2 :]
                    continue
            data += self._more(deadline)
        return found

    def _more(self, deadline: float) -> bytes:
        assert self._socket is not None
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("no answer in time")
        self._socket.settimeout(left)
        chunk = self._socket.recv(4096)
        if not chunk:
            raise ConnectionError("closed by Redis")
        return chunk

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open_breaker(self) -> None:
        """The late answer of an old question must not be read as that of a new one: start from a
        new connection.
        """
        self.close()
        self.failures += 1
        self._pause = min(LONGEST_PAUSE_S, self._pause * 2 or FIRST_PAUSE_S)
        self._closed_until = time.monotonic() + self._pause


def _command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(
        b"$%d\r\n%b\r\n" % (len(word), word) for word in words
    )
