"""An apply that is killed with SIGKILL before its step number N; a process of its own runs it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from gateway.home import Home
from gateway.network.apply import Notes, apply
from gateway.network.declared import legs
from gateway.network.kernel import opened
from gateway.network.plan import Change, plan
from gateway.settings import load


async def main(steps: int) -> None:
    home = Home.from_env()
    wanted = legs(load(home.path, {}).network.hand_offs)
    async with opened() as kernel:
        do, count = kernel.do, 0

        async def counted(change: Change) -> None:
            nonlocal count
            if count == steps:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            await do(change)

        kernel.do = counted  # type: ignore[method-assign]
        await apply(kernel, Notes(home.network), lambda seen: plan(wanted, seen))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
