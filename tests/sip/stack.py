"""A private, running Portgate for the SIP stories: started by `up`, asked, ended by `down`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway import ports as internal
from gateway.home import Home
from gateway.trial import known
from gateway.trial.place import record_of

REPO = Path(__file__).resolve().parents[2]
UP_S, DOWN_S, COMMAND_S = 120, 60, 60

# An exception that reached a callback, a Python error inside Kamailio, or Kamailio in distress.
# Its parser's own complaints about what a neighbour sent are as they should be, and in an orderly
# stop the process for TCP may see others end before it does.
_COMPLAINT = re.compile(
    r"Traceback|unexpected \w+(Error|Exception)|SystemError|core dumped"
    r"|CRITICAL(?!.*receive_fd\(\): EOF)"
)

# Short, so that stories about patience end soon; everything else is as delivered.
SETTINGS = """\
[sip]
address = "{net}.1"
port = 5060

[media]
address = "{net}.1"
timeout_s = 5

[api]
address = "{net}.1"
port = 8080

[calls]
no_answer_s = 3
silent_trunk_ms = {silent_ms}

[health]
enabled = {health}

[masking]
calls = "{masking}"
"""
# Every story holds with each side hidden from the other, too, but for those that look at what is
# hidden then.
MASKING = os.environ.get("STORIES_MASKED", "deals")


@dataclass
class Stack:
    """The running stack of one temporary home, alone on a loopback net of its own."""

    home: Home
    net: str
    _log_read: int = field(default=0, init=False)

    @property
    def address(self) -> tuple[str, int]:
        """Where its SIP listens."""
        return f"{self.net}.1", 5060

    def known(self) -> known.Known:
        """What its SIP workers decide by."""
        return known.load(self.home)

    def host(self, last: int) -> str:
        """An address in its demo net."""
        return f"{self.net}.{last}"

    async def record(self, sip_call_id: str) -> dict[str, Any]:
        """The finished call record of a call placed in the last minute."""
        found = await record_of(self.home, sip_call_id, time.time())
        assert found is not None, f"no call record for {sip_call_id}"
        assert found["phase"] == "ended", f"the record says {found['phase']}: {found}"
        return found

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `./portgate WORDS` for this stack; its exit status is not judged."""
        return _run(self.home, COMMAND_S, *words)

    def new_complaints(self) -> list[str]:
        """Lines of Kamailio's log since the last look that tell of something unexpected."""
        text = (self.home.log / "kamailio.log").read_text("utf-8", "replace")
        new, self._log_read = text[self._log_read :], len(text)
        return [line for line in new.splitlines() if _COMPLAINT.search(line)]


@contextmanager
def running_stack(
    name: str,
    *,
    health: bool = False,
    silent_ms: int = 700,
    masking: str = MASKING,
    more: Callable[[Home, str], str] = lambda home, net: "",
) -> Iterator[Stack]:
    """`up`, with the demo company and without its two proof calls; `down --purge` at the end.

    The far ends of the stories come and go: asking them whether they are there would change the
    order in which a story's addresses are tried. ``more``: what else stands in its settings, where
    a section may come again, by its home and its loopback net.
    """
    home = Home(Path(tempfile.mkdtemp(prefix=f"portgate-sip-{name}-", dir="/tmp")))
    net = internal.demo_net(home.path)
    settings = SETTINGS.format(
        net=net, health=str(health).lower(), silent_ms=silent_ms, masking=masking
    )
    home.settings.write_text(_merged(settings, more(home, net)), "utf-8")
    (home.path / "proved.json").write_text("[]", "utf-8")
    try:
        _portgate(home, UP_S, "up", "--detach", "--json")
        yield Stack(home, net)
    finally:
        _portgate(home, DOWN_S, "down")
        shutil.rmtree(home.path)
        if home.run.exists():
            shutil.rmtree(home.run)


def _merged(settings: str, more: str) -> str:
    """TOML has each section once: keys of one that is there already go below its head."""
    for section in more.split("\n\n"):
        head, _, keys = section.strip().partition("\n")
        if head and f"{head}\n" in settings:
            settings = settings.replace(f"{head}\n", f"{head}\n{keys}\n")
        else:
            settings += f"\n{section.strip()}\n"
    return settings


def _portgate(home: Home, seconds: float, *words: str) -> Any:
    done = _run(home, seconds, *words)
    if done.returncode:
        raise RuntimeError(f"portgate {' '.join(words)}: {done.stderr}\n{done.stdout}")
    return json.loads(done.stdout) if "--json" in words else None


def _run(home: Home, seconds: float, *words: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PORTGATE_")}
    return subprocess.run(
        [sys.executable, "-P", "-m", "gateway.cli", *words],
        env={**kept, "PORTGATE_HOME": str(home.path), "PYTHONPATH": _path()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def _path() -> str:
    return os.pathsep.join(filter(None, (str(REPO), os.environ.get("PYTHONPATH", ""))))
