"""Internal ports and the demo loopback net of one home: chosen once, then read; nothing listens
here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import tomllib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated

import msgspec

from gateway.home import Home
from gateway.stack.problems import Problem, StackError

# Below Linux's range of ephemeral ports (32768-60999), so that no passing connection takes one.
NG_FIRST, NG_COUNT = 8700, 1000
RTP_FIRST, RTP_BLOCK, RTP_BLOCKS = 10000, 2000, 11


Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class PortsError(StackError):
    """ports.toml cannot be read, or no free port is left."""


class InternalPorts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ports that nobody outside the stack needs to know.

    demo_net is the first three numbers of a loopback /24 ("127.X.Y") for the demo company's
    carriers and PBXs: two stacks on one machine must not answer for each other's endpoints.
    ng_before: of the media relay that goes on with the calls it has, 0 where there is none.
    """

    ng: Port
    rtp_min: Port
    rtp_max: Port
    demo_net: Annotated[str, msgspec.Meta(pattern=r"^127\.\d{1,3}\.\d{1,3}\Z")]
    ng_before: Annotated[int, msgspec.Meta(ge=0, le=65535)] = 0


def _number(path: Path, salt: str) -> int:
    return int.from_bytes(hashlib.sha256(salt.encode() + os.fsencode(path)).digest()[:4], "big")


def demo_net(path: Path) -> str:
    """The demo net of a home; 127.0.x and 127.1.x stay free for other uses."""
    number = _number(path, "demo")
    return f"127.{2 + number % 250}.{1 + number // 250 % 250}"


def udp_free(port: int) -> bool:
    """Whether a UDP port can be bound on loopback now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def plan(
    path: Path, others: Collection[InternalPorts], free: Callable[[int], bool]
) -> InternalPorts:
    """Choose ports that are free and that no other stack on this machine has claimed."""
    claimed = {other.ng for other in others}
    start = _number(path, "ng")
    ring = (NG_FIRST + (start + step) % NG_COUNT for step in range(NG_COUNT))
    ng = next((port for port in ring if port not in claimed and free(port)), None)
    if ng is None:
        why = f"every one from {NG_FIRST} to {NG_FIRST + NG_COUNT - 1} is taken"
        raise PortsError(Problem("no free UDP port", why, "Stop what holds them"))
    taken = {other.rtp_min for other in others}
    start = _number(path, "rtp")
    blocks = [RTP_FIRST + (start + step) % RTP_BLOCKS * RTP_BLOCK for step in range(RTP_BLOCKS)]
    # With every block claimed two stacks share one: rtpengine skips a port that is in use.
    first = next((block for block in blocks if block not in taken), blocks[0])
    return InternalPorts(ng, first, first + RTP_BLOCK - 1, demo_net(path))


def load(home: Home) -> InternalPorts:
    """The ports of a home that has been up before. Raises PortsError, FileNotFoundError."""
    return _read(home.ports)


def _read(path: Path) -> InternalPorts:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), InternalPorts)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        mend = "Remove the file: the next `up` chooses anew"
        raise PortsError(Problem(f"{path} cannot be used", str(error), mend)) from error


def others(home: Home, run: Path = Path("/run")) -> list[InternalPorts]:
    """Ports claimed by other stacks that have run since the machine started and still exist."""
    found = []
    for note in run.glob("portgate-*/home"):
        claim = Path(note.read_text("utf-8")) / home.ports.name
        if claim != home.ports and claim.exists():
            with contextlib.suppress(PortsError):  # its own `up` says so; ours need not stop for it
                found.append(_read(claim))
    return found


def settle(home: Home, free: Callable[[int], bool] = udp_free) -> InternalPorts:
    """The ports to use for this start, chosen and written when there are none or ng is taken.

    To be called while the stack is down: a running rtpengine holds its own ng port.
    """
    if home.ports.exists():
        ports = msgspec.structs.replace(load(home), ng_before=0)
        if not free(ports.ng):
            ports = msgspec.structs.replace(ports, ng=plan(home.path, others(home), free).ng)
    else:
        ports = plan(home.path, others(home), free)
    _write(home, ports)
    (home.run / "home").write_text(str(home.path), "utf-8")  # where others look for our claim
    return ports


def hand_over(home: Home, ports: InternalPorts) -> InternalPorts:
    """Ports for a second media relay beside the one that runs. Its audio ports are others: two
    rtpengines on one address give the same port away twice, and nobody notices but the callers.
    """
    new = plan(home.path, [*others(home), ports], udp_free)
    new = msgspec.structs.replace(new, ng_before=ports.ng)
    _write(home, new)
    return new


def _write(home: Home, ports: InternalPorts) -> None:
    text = (
        "# Chosen at the first `up`; remove this file while the stack is down to choose anew.\n"
        f"ng = {ports.ng}\nrtp_min = {ports.rtp_min}\nrtp_max = {ports.rtp_max}\n"
        f'demo_net = "{ports.demo_net}"\nng_before = {ports.ng_before}\n'
    )
    beside = home.ports.with_name(".ports.toml.new")
    beside.write_text(text, "utf-8")
    beside.replace(home.ports)  # an `up` that is killed here leaves the old file or the new one
