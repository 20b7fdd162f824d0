"""One Kamailio for each file of tests here, with the modules that our configuration loads."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kemi.stubs import generate
from kemi.stubs.private_kamailio import PrivateKamailio
from tests.integration.kemi_stubs.real_kamailio import SCRIPT, RealKamailio


@pytest.fixture(scope="module")
def real() -> Iterator[RealKamailio]:
    sockets = {}
    for name in ("caller", "far", "report"):
        sockets[name] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sockets[name].bind(("127.0.0.1", 0))
        sockets[name].settimeout(5)
    script = SCRIPT.format(
        folder=str(Path(__file__).parent),
        report_port=sockets["report"].getsockname()[1],
        far_port=sockets["far"].getsockname()[1],
    )
    modules = generate.modules_of(generate.TEMPLATE.read_text(encoding="utf-8"))
    parameters = 'modparam("rr", "enable_full_lr", 0)\nmodparam("rr", "append_fromtag", 0)\n'
    try:
        with PrivateKamailio(modules, script, generate.parameters(modules) + parameters) as started:
            yield RealKamailio(started, sockets)
    finally:
        for each in sockets.values():
            each.close()
