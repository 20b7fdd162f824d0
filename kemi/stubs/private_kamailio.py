"""Starts a Kamailio of one's own on loopback, to be asked what it can do; never the stack's own.

It has a free port, a folder of its own, one worker for each transport, and is stopped by its
own process group.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

START_S = 10.0
STOP_S = 10.0
_BETWEEN_SIGNALS_S = 1.0
RPC_S = 5.0
_PROBE_S = 0.3  # a question put before Kamailio listens is lost: ask again soon
_RPC_REPLY_BYTES = 4 << 20  # the list of functions is some 60 kB

_CONFIGURATION = """#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
{listen}
{modules}
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", "{folder}/rpc.sock")
modparam("jsonrpcs", "fifo_name", "")
{parameters}
modparam("app_python3", "load", "{folder}/script.py")
cfgengine "python"
"""

# The smallest script Kamailio starts with; a callback that is missing makes it log a SystemError.
IDLE_SCRIPT = '''"""Answers nothing."""


class Idle:
    def child_init(self, rank):
        return 0

    def ksr_request_route(self, message):
        return 1

    def ksr_reply_route(self, message):
        return 1

    def ksr_onsend_route(self, message):
        return 1


def mod_init():
    return Idle()
'''


class KamailioError(Exception):
    """Kamailio did not start, or did not answer; holds the end of its log."""


class PrivateKamailio:
    """A running Kamailio with the given modules and KEMI script; use it with `with`.

    `modules` are names without `.so`, in load order, and hold jsonrpcs and app_python3.
    `parameters` are modparam lines. `port` is the UDP and TCP port on 127.0.0.1.
    """

    def __init__(
        self, modules: Sequence[str], script: str = IDLE_SCRIPT, parameters: str = ""
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-kamailio."))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        lines = (f"listen={transport}:127.0.0.1:{self.port}" for transport in ("udp", "tcp"))
        (self.folder / "script.py").write_text(script, encoding="utf-8")
        (self.folder / "kamailio.cfg").write_text(
            _CONFIGURATION.format(
                listen="\n".join(lines),
                modules="\n".join(f'loadmodule "{name}.so"' for name in modules),
                folder=self.folder,
                parameters=parameters,
            ),
            encoding="utf-8",
        )

    def __enter__(self) -> PrivateKamailio:
        folder = str(self.folder)
        arguments = [
            "kamailio",
            "-f",
            f"{folder}/kamailio.cfg",
            "-DD",
            "-E",
            "-x",
            "fm",
            "-X",
            "fm",
        ]
        arguments += ["-m", "64", "-M", "16", "-Y", folder, "-w", folder]
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                arguments, stdout=log, stderr=log, cwd=folder, start_new_session=True
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = self.log()
                self.close()
                raise KamailioError(f"Kamailio did not start: {text[-3000:]}")
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop all its processes by their group, the hard way after ten seconds; remove its folder.

        A SIGTERM that meets Kamailio while it still starts its children is lost, so it is repeated.
        """
        process = self._process
        deadline = time.monotonic() + STOP_S
        while process is not None and process.poll() is None:
            last = time.monotonic() > deadline
            os.killpg(process.pid, signal.SIGKILL if last else signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_BETWEEN_SIGNALS_S)
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """All it has logged so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def rpc(self, method: str, *parameters: str | int) -> Any:
        """The `result` of one JSON-RPC call. Raises KamailioError for an error or no answer."""
        return self._ask(RPC_S, method, *parameters)

    def _ask(self, patience_s: float, method: str, *parameters: str | int) -> Any:
        question = json.dumps({"jsonrpc": "2.0", "method": method, "params": parameters, "id": 1})
        mine = self.folder / f"client-{time.monotonic_ns()}.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.bind(str(mine))
            client.settimeout(patience_s)
            try:
                client.sendto(question.encode(), str(self.folder / "rpc.sock"))
                answer = json.loads(client.recv(_RPC_REPLY_BYTES))
            except OSError as error:
                raise KamailioError(f"{method}: {error}") from error
            finally:
                mine.unlink()
        if "result" not in answer:
            raise KamailioError(f"{method}: {answer.get('error')}")
        return answer["result"]

    def _answers(self) -> bool:
        if not (self.folder / "rpc.sock").exists():
            return False
        try:
            self._ask(_PROBE_S, "core.uptime")
        except KamailioError:
            return False
        return True


def _free_port() -> int:
    """A port of 127.0.0.1 free for UDP and TCP alike at this moment."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            port: int = udp.getsockname()[1]
            try:
                tcp.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise KamailioError("no port of 127.0.0.1 is free for both UDP and TCP")
