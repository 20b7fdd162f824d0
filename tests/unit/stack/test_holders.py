"""Who holds a port: read from /proc as it is, and from tables as they look elsewhere."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from gateway.stack.holders import Holder, bound, clashes, holder

UDP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
  112: 0100007F:13C4 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 7781 2
  113: 0100007F:13C5 0100007F:0035 01 00000000:00000000 00:00000000 00000000     0        0 7782 2
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0 0 0 0 0 55 1
   1: 0000000000000000FFFF00000100007F:1F91 00000000000000000000000000000000:0000 0A 0 0 0 0 0 56 1
"""


def test_only_sockets_that_wait_for_strangers_count() -> None:
    assert list(bound(UDP, "07")) == [("127.0.0.1", 5060, "7781")]


def test_ipv6_wildcards_and_mapped_addresses_are_read() -> None:
    assert list(bound(TCP6, "0A")) == [("::", 8080, "55"), ("127.0.0.1", 8081, "56")]


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("0.0.0.0", "127.0.0.1", True),
        ("::", "127.0.0.1", True),
        ("127.0.0.1", "0.0.0.0", True),
        ("127.0.0.2", "127.0.0.1", False),
    ],
)
def test_a_wildcard_is_in_everybodys_way(one: str, other: str, clash: bool) -> None:
    assert clashes(one, other) is clash


@pytest.mark.parametrize("where", ["127.0.0.1", "0.0.0.0"])
def test_a_real_udp_socket_is_found_with_its_process(where: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((where, 0))
        port = taken.getsockname()[1]
        name = Path("/proc/self/comm").read_text().strip()
        assert holder("udp", "127.0.0.1", port) == Holder(os.getpid(), name)


def test_a_real_listening_socket_is_found_and_a_closed_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = holder("tcp", "127.0.0.1", port)
        assert found is not None
        assert found.pid == os.getpid()
    assert holder("tcp", "127.0.0.1", port) is None


def test_a_holder_out_of_sight_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "udp").write_text(UDP)
    found = holder("udp", "127.0.0.1", 5060, proc=tmp_path)
    assert str(found) == "a process outside this container"
