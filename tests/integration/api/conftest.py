"""The API as a process of its own, over a real PostgreSQL with the demo company in it."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway import demo
from gateway.home import Home
from gateway.ports import InternalPorts
from gateway.private_services import PrivateServices, Service, private_services
from gateway.settings import Settings
from number_registry.store.migrations import migrate

REPOSITORY = Path(__file__).resolve().parents[3]
TOKEN = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Api:
    """One running server."""

    port: int
    service: Service
    services: PrivateServices
    token_file: Path

    def ask(
        self, path: str, token: str | None = TOKEN, method: str = "GET", **headers: str
    ) -> Answer:
        given = {"Authorization": f"Bearer {token}"} if token else {}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers=given | headers)
            response = connection.getresponse()
            text = response.read().decode()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, text)
        finally:
            connection.close()

    @property
    def dsn(self) -> str:
        return self.services.dsn("portgate")

    @property
    def log(self) -> str:
        return self.service.log.read_text("utf-8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _fill(services: PrivateServices, home: Home) -> None:
    connection = await asyncpg.connect(services.dsn("postgres"))
    await connection.execute("CREATE DATABASE portgate")
    await connection.close()
    await migrate(services.dsn("portgate"))
    ports = InternalPorts(ng=8700, rtp_min=10000, rtp_max=11999, demo_net="127.9.9")
    await demo.seed(services.dsn("portgate"), home, Settings(), ports)


def server(port: int, env: dict[str, str], log: Path) -> Service:
    python = [sys.executable, "-W", "error", "-m", "admin_api.server"]
    arguments = ["env", "-C", str(REPOSITORY), *(f"{key}={env[key]}" for key in env), *python]
    return Service(arguments, log, lambda: answers(port))


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    token_file = folder / "api.token"
    token_file.write_text(TOKEN + "\n")
    port = free_port()
    with private_services(durable=False) as services:
        asyncio.run(_fill(services, Home(folder)))
        env = {
            "PORTGATE_HOME": str(folder),
            "PORTGATE_POSTGRES_DSN": services.dsn("portgate"),
            "PORTGATE_API_TOKEN_FILE": str(token_file),
            "PORTGATE_API_PORT": str(port),
            "PATH": os.environ["PATH"],
        }
        service = server(port, env, folder / "log")
        service.start()
        try:
            yield Api(port, service, services, token_file)
        finally:
            service.process.terminate()
            assert service.process.wait(10) == 0, service.log.read_text()


@pytest.fixture
def unready(tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """A server that was given a port that is none."""
    env = {"PORTGATE_HOME": str(tmp_path), "PORTGATE_API_PORT": "port", "PATH": os.environ["PATH"]}
    return subprocess.run(
        [sys.executable, "-m", "admin_api.server"],
        env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
