"""The commands that move numbers between PBXs, and waiting until SIP workers notice."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from number_registry.e164 import E164
from tests.sip.stack import Stack


class Moving:
    """`number` (with +) stands for all that are moved: its route is what is waited for."""

    def __init__(self, stack: Stack, number: str) -> None:
        self.stack, self.number = stack, E164(number[1:])

    async def run(self, *words: str, status: int = 0) -> Any:
        """What `./portgate WORDS --json` prints."""
        done = await asyncio.to_thread(self.stack.command, *words, "--json")
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)

    async def until_at(self, pbx: str, share: int = 0) -> None:
        """SIP workers read what we read: the mapped snapshot."""
        async with asyncio.timeout(10):
            while True:
                route = self.stack.known().directory.number(self.number)
                if route is not None and (route.pbx, route.percent) == (pbx, share):
                    return
                await asyncio.sleep(0.01)
