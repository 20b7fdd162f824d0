"""Redis asked by a SIP worker: an answer, a miss, or a short wait and then no more questions."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kemi.redis_lookup import LIMIT_S, RedisDownError, RedisLookup

PATIENT_S = 5.0  # where a story is not about time, a busy machine must not make it one


@contextmanager
def server(path: Path, talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A listener on a unix socket that treats its first connection as `talk` says."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    done = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            talk(connection)
            done.wait(5)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield str(path)
    finally:
        done.set()
        thread.join()
        listener.close()


def answering(*parts: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        for part in parts:
            connection.sendall(part)

    return talk


def test_a_value_comes_back_even_in_pieces(tmp_path: Path) -> None:
    parts = answering(b"$1", b"0\r\n01234", b"56789\r", b"\n")
    with server(tmp_path / "s", parts) as path, closing(RedisLookup(path, PATIENT_S)) as lookup:
        assert lookup.hget("key", "field") == b"0123456789"


def test_nil_is_a_miss(tmp_path: Path) -> None:
    nil = answering(b"$-1\r\n")
    with server(tmp_path / "s", nil) as path, closing(RedisLookup(path, PATIENT_S)) as lookup:
        assert lookup.hget("key", "field") is None


@pytest.mark.parametrize("answer", [b"-ERR no\r\n", b"+OK\r\n", b"$abc\r\n", b"\xff\xfe\r\n"])
def test_anything_else_counts_as_no_answer(tmp_path: Path, answer: bytes) -> None:
    with (
        server(tmp_path / "s", answering(answer)) as path,
        closing(RedisLookup(path, PATIENT_S)) as lookup,
        pytest.raises(RedisDownError, match=r"ValueError|UnicodeDecodeError"),
    ):
        lookup.hget("key", "field")


def test_a_hung_redis_costs_one_short_wait_and_then_nothing(tmp_path: Path) -> None:
    with server(tmp_path / "s", lambda connection: None) as path:
        lookup = RedisLookup(path)
        began = time.monotonic()
        with pytest.raises(RedisDownError):
            lookup.hget("key", "field")
        assert LIMIT_S * 0.5 < time.monotonic() - began < 0.050
        began = time.monotonic()
        for _ in range(100):
            with pytest.raises(RedisDownError, match="not asked"):
                lookup.hget("key", "field")
        assert time.monotonic() - began < 0.020
        assert lookup.failures == 1


def test_no_redis_at_all_is_noticed_at_once(tmp_path: Path) -> None:
    with pytest.raises(RedisDownError, match="FileNotFoundError"):
        RedisLookup(str(tmp_path / "none")).hget("key", "field")
