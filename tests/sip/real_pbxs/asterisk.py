"""A real PBX: Asterisk out of a Debian root, with one of its two SIP stacks; it is asked and told
as a person at its console would, and knows no gateway but by address.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import jinja2

from gateway.endpoints import g711, tone

HERE = Path(__file__).parent
BOOT_S, STOP_S, CONSOLE_S, TRUNK_S = 40, 10, 10, 20
_UP = re.compile(r"Status +: OK|portgate/\S+ +\S+ +Avail")
MUSIC_HZ = tone.EARLY_HZ

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE),
    undefined=jinja2.StrictUndefined,
    autoescape=False,  # configuration files, not pages
    keep_trailing_newline=True,
)


@dataclass(frozen=True)
class Kind:
    """A way of being a PBX: which Debian it comes from and how it speaks SIP."""

    name: str  # the folder of its configuration
    suite: str
    tech: str
    trunk: str  # how its dial plan writes a number on the trunk
    away: str  # and where it would send a caller, at this gateway


CHAN_SIP = Kind("chan_sip", "bullseye", "SIP", "SIP/portgate/{}", "89161112233@{}")
PJSIP = Kind("pjsip", "sid", "PJSIP", "PJSIP/{}@portgate", "PJSIP/sip:89161112233@{}")


class AsteriskError(Exception):
    """It did not start, or its console did not answer; says what it wrote last."""


class Asterisk:
    """One running PBX on an address of its own. `async with`; `kill` and `start` any number of
    times in between.

    `phones`: extension to the address of its phone, the first of which the DIDs ring.
    `direct_media`: it takes itself out of the audio once a call is up. `tells_who`: it says on the
    trunk who answered, and says it anew when a call is transferred (RFC 3325, RFC 4916).
    `transport`: of its trunk; its phones speak UDP. `shows`: the number that its calls out show,
    else they show the extension. `login`: user and password with which it registers at the gateway
    and proves its calls.
    """

    def __init__(
        self,
        kind: Kind,
        root: Path,
        name: str,
        address: str,
        gateway: str,
        phones: Mapping[str, str],
        *,
        direct_media: bool = False,
        tells_who: bool = False,
        transport: str = "udp",
        shows: str = "",
        login: Mapping[str, str] | None = None,
    ) -> None:
        self.kind, self.root, self.name, self.address = kind, root, name, address
        (root / "srv").mkdir(exist_ok=True)
        self.place = Path(tempfile.mkdtemp(prefix=f"pbx-{name}-", dir=root / "srv"))
        self._process: asyncio.subprocess.Process | None = None
        self._write(
            folder=f"/{self.place.relative_to(root)}",
            multiarch=_multiarch(root),
            name=name,
            address=address,
            gateway=gateway,
            tech=kind.tech,
            trunk=kind.trunk,
            away=kind.away.format(gateway),
            phones=tuple(phones),
            phone_hosts=dict(phones),
            direct_media=direct_media,
            tells_who=tells_who,
            transport=transport,
            shows=shows,
            login=login,
        )

    def _write(self, **values: object) -> None:
        for folder in ("etc", "lib", "run", "log", "spool", "music", "sounds"):
            (self.place / folder).mkdir()
        for folder in ("common", self.kind.name):
            for template in sorted((HERE / folder).glob("*.j2")):
                text = _TEMPLATES.get_template(f"{folder}/{template.name}").render(values)
                (self.place / "etc" / template.stem).write_text(text, "utf-8")
        second = g711.encode(g711.PCMA, tone.frame(MUSIC_HZ)) * 50
        (self.place / "music" / "tone.alaw").write_bytes(second * 60)
        (self.place / "sounds" / "second.alaw").write_bytes(second)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await self._process.wait()
            except TimeoutError:
                await self.kill()
        shutil.rmtree(self.place)

    async def start(self) -> None:
        """Start, and wait until it takes calls. Raises AsteriskError."""
        self._process = await self._run("-f")
        try:
            async with asyncio.timeout(BOOT_S):
                while "fully booted" not in await self._asked("core waitfullybooted"):
                    if self._process.returncode is not None:
                        raise AsteriskError(f"{self.name} ended at once: {self.log()[-2000:]}")
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AsteriskError(f"{self.name} is not up: {self.log()[-2000:]}") from None

    async def kill(self) -> None:
        """As a power cut would: nobody is told."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def until_trunk_up(self) -> None:
        """Wait until the gateway has answered its question: what is silent it does not call."""
        asked = "sip show peer portgate" if self.kind is CHAN_SIP else "pjsip show contacts"
        async with asyncio.timeout(TRUNK_S):
            while not _UP.search(await self.says(asked)):
                await asyncio.sleep(0.1)

    async def says(self, command: str) -> str:
        """What its console answers. Raises AsteriskError when it does not."""
        said = await self._asked(command)
        if "Unable to connect" in said:
            raise AsteriskError(f"{self.name}: {said.strip()}")
        return said

    @property
    def starts(self) -> int:
        """How often it was ready to take calls."""
        return self.log().count("Asterisk Ready")

    def log(self) -> str:
        """What it wrote so far, verbose lines and complaints."""
        path = self.place / "log" / "full"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    async def _asked(self, command: str) -> str:
        process = await self._run("-rx", command)
        try:
            async with asyncio.timeout(CONSOLE_S):
                said, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise AsteriskError(f"the console of {self.name} hangs") from None
        return said.decode("utf-8", "replace")

    async def _run(self, *words: str) -> asyncio.subprocess.Process:
        etc = f"/{self.place.relative_to(self.root)}/etc/asterisk.conf"
        console = words[0] == "-rx"
        return await asyncio.create_subprocess_exec(
            "chroot", str(self.root), "/usr/sbin/asterisk", "-C", etc, *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if console else asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.STDOUT if console else asyncio.subprocess.DEVNULL,
        )  # fmt: skip


def _multiarch(root: Path) -> str:
    """Debian moved the modules into the folder of the architecture."""
    found = next(root.glob("usr/lib/*/asterisk/modules"), None)
    return f"{found.parts[-3]}/" if found is not None else ""
