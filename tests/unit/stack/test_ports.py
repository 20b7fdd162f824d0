"""Internal ports: free, unclaimed, stable, and apart for each home."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from gateway.home import Home
from gateway.ports import (
    NG_COUNT,
    RTP_BLOCKS,
    InternalPorts,
    PortsError,
    demo_net,
    load,
    others,
    plan,
    settle,
    udp_free,
)


def everything_free(port: int) -> bool:
    return True


def test_the_same_home_gets_the_same_ports() -> None:
    home = Path("/srv/one")
    assert plan(home, [], everything_free) == plan(home, [], everything_free)


def test_two_stacks_get_ports_and_nets_apart() -> None:
    stacks: list[InternalPorts] = []
    for number in range(RTP_BLOCKS):
        stacks.append(plan(Path(f"/srv/{number}"), stacks, everything_free))
    assert len({stack.ng for stack in stacks}) == RTP_BLOCKS
    assert len({stack.rtp_min for stack in stacks}) == RTP_BLOCKS
    assert all(stack.rtp_max - stack.rtp_min == 1999 for stack in stacks)
    assert all(stack.rtp_max < 32768 for stack in stacks)


def test_more_stacks_than_blocks_share_a_block_but_never_the_control_port() -> None:
    stacks: list[InternalPorts] = []
    for number in range(RTP_BLOCKS + 3):
        stacks.append(plan(Path(f"/srv/{number}"), stacks, everything_free))
    assert len({stack.ng for stack in stacks}) == RTP_BLOCKS + 3


def test_a_port_in_use_is_passed_over() -> None:
    first = plan(Path("/srv/one"), [], everything_free).ng
    assert plan(Path("/srv/one"), [], lambda port: port != first).ng != first


def test_no_free_port_is_an_error() -> None:
    asked: list[int] = []

    def none(port: int) -> bool:
        asked.append(port)
        return False

    with pytest.raises(PortsError):
        plan(Path("/srv/one"), [], none)
    assert len(set(asked)) == NG_COUNT


def test_a_bound_port_is_not_free() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert not udp_free(taken.getsockname()[1])


@pytest.mark.parametrize("number", range(50))
def test_the_demo_net_is_loopback_and_leaves_the_usual_addresses_alone(number: int) -> None:
    first, second, third = demo_net(Path(f"/srv/{number}")).split(".")
    assert first == "127"
    assert 2 <= int(second) <= 251
    assert 1 <= int(third) <= 250


WHOLE = 'ng = {}\nrtp_min = 10000\nrtp_max = {}\ndemo_net = "{}"\n'


@pytest.mark.parametrize(
    "text",
    [
        *("ng = 'x'", "ng = 1", "ng = = 1", "\x00", "more = 1", ""),
        WHOLE.format(99074, 11999, "127.9.9"),
        WHOLE.format(8700, 0, "127.9.9"),
        WHOLE.format(8700, 11999, "8.8.8"),
        WHOLE.format(8700, 11999, "127.9.9\\nlisten"),
    ],
)
def test_damaged_ports_are_told_with_their_file_and_mend(tmp_path: Path, text: str) -> None:
    (tmp_path / "ports.toml").write_text(text)
    with pytest.raises(PortsError) as caught:
        load(Home(tmp_path))
    (problem,) = caught.value.problems
    assert str(tmp_path / "ports.toml") in problem.what
    assert "Remove the file" in problem.mend


def test_the_claims_of_stacks_that_are_gone_do_not_count(tmp_path: Path) -> None:
    text = 'ng = {}\nrtp_min = 10000\nrtp_max = 11999\ndemo_net = "127.9.9"\n'
    homes = {name: tmp_path / name for name in ("mine", "theirs", "gone", "damaged")}
    for number, (name, path) in enumerate(homes.items(), 8700):
        run = tmp_path / "run" / f"portgate-{name}"
        run.mkdir(parents=True)
        (run / "home").write_text(str(path))
        if name != "gone":
            path.mkdir()
            (path / "ports.toml").write_text(text.format(number) if name != "damaged" else "ng = ")
    assert [claim.ng for claim in others(Home(homes["mine"]), tmp_path / "run")] == [8701]


def test_ports_are_replaced_and_never_half_written(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run.mkdir()
    try:
        settle(home, lambda port: True)
        first = home.ports.stat().st_ino
        settle(home, lambda port: True)
        assert home.ports.stat().st_ino != first
        assert [path.name for path in tmp_path.iterdir()] == ["ports.toml"]
    finally:
        shutil.rmtree(home.run)
