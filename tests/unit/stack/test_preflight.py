"""Preflight: what is in the way is named, with why and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.home import Home
from gateway.settings import Api, Settings, Sip
from gateway.stack.holders import Holder
from gateway.stack.preflight import Facts, plan

HOME = Home(Path("/var/lib/portgate"))


def problems(home: Home = HOME, **facts: object) -> list[str]:
    found = plan(home, Settings(), Facts(**facts))  # type: ignore[arg-type]
    assert all(problem.mend for problem in found)
    return [f"{problem.what}: {problem.why} / {problem.mend}" for problem in found]


def test_a_good_machine_has_no_problems() -> None:
    assert problems() == []


def test_the_process_that_holds_the_port_is_named_with_a_port_to_take_instead() -> None:
    held = {("sip.port", "udp", "127.0.0.1", 5060): Holder(412, "asterisk")}
    (problem,) = problems(ports=held)
    assert "UDP port 127.0.0.1:5060 is in use: asterisk (pid 412)" in problem
    assert "PORTGATE_SIP_PORT=5070 ./portgate up" in problem


def test_one_process_that_holds_udp_and_tcp_is_named_once() -> None:
    holder = Holder(412, "asterisk")
    held = {("sip.port", kind, "127.0.0.1", 5060): holder for kind in ("udp", "tcp")}
    assert len(problems(ports=held)) == 1


def test_sip_and_the_api_cannot_share_a_port() -> None:
    settings = Settings(sip=Sip(port=8080), api=Api(address="0.0.0.0", port=8080))
    (problem,) = plan(HOME, settings, Facts())
    assert "sip.port and api.port are both 8080" in problem.what
    apart = Settings(sip=Sip(port=8080, tcp=False), api=Api(port=8080))
    assert plan(HOME, apart, Facts()) == []


def test_a_shared_memory_that_is_small_is_a_warning_and_a_tiny_one_stops_the_start() -> None:
    sizes = (None, 2**16, 32 * 2**20, 64 * 2**20)
    found = [plan(HOME, Settings(), Facts(shared_memory=size)) for size in sizes]
    warnings = [[one.warning for one in problems] for problems in found]
    assert warnings == [[False], [False], [True], []]


def test_nobody_but_root_gets_any_further() -> None:
    (problem,) = problems(uid=1000, disk_free=0)
    assert "sudo ./portgate up" in problem


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({"disk_free": 100 * 2**20}, "the disk of /var/lib/portgate is full"),
        ({"disk_free": 2**30}, "nearly full"),
        ({"shared_memory": None}, "mount -t tmpfs tmpfs /dev/shm"),
        ({"shared_memory": 2**16}, "0.1 MB are free for what PostgreSQL's processes share"),
        ({"shared_memory": 32 * 2**20}, "mount -o remount,size=256m /dev/shm"),
        ({"blocked": Path("/root")}, "chmod o+x /root"),
        ({"home_writable": "its file system is read-only"}, "read-only"),
        ({"not_ours": ("passwd", "shadow")}, "passwd, shadow"),
        ({"programs_missing": ("/usr/sbin/kamailio",)}, "not installed: /usr/sbin/kamailio"),
        ({"not_local": {"sip.address": "192.0.2.7"}}, "PORTGATE_SIP_ADDRESS"),
        ({"debian": "11"}, "Debian 12 and 13"),
        ({"debian": "Some Linux"}, "this is Some Linux"),
        ({"receive_buffer": 212992}, "sysctl -w net.core.rmem_max"),
    ],
)
def test_each_fact_that_is_in_the_way_is_said(facts: dict[str, object], says: str) -> None:
    (problem,) = problems(**facts)
    assert says in problem


@pytest.mark.parametrize(
    "path", ["/srv/my gate", "/srv/o'gate", "/srv/a\nb", '/srv/"x"', "/srv/{x}"]
)
def test_a_home_that_would_break_a_configuration_file_is_refused(path: str) -> None:
    assert "takes letters, digits" in problems(Home(Path(path)))[0]


def test_sockets_stay_short_however_long_the_home_is() -> None:
    home = Home(Path("/srv/" + "long/" * 200 + "home"))
    assert problems(home) == []
    assert len(str(home.postgresql_socket_dir)) < 60


def test_warnings_come_last() -> None:
    found = plan(HOME, Settings(), Facts(disk_free=2**30, debian="11", blocked=Path("/root")))
    assert [problem.warning for problem in found] == [False, True, True]
