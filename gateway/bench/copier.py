"""The daemon's publisher and mirror alone, as one process, for the bench and for tests that kill
it; it takes no calls.

python -m gateway.bench.copier DSN REDIS_URL FOLDER
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from gateway.daemon import Daemon, Duty, configure_logs, run, until
from gateway.mirror import Mirror
from gateway.publisher import Publisher


def compose(dsn: str, redis_url: str, folder: Path) -> Daemon:
    """Publisher and mirror, wired as in the daemon."""
    publisher = Publisher(dsn, redis_url)
    mirror = Mirror(folder, redis_url, suspicious=publisher.audit_soon)
    duties = (
        Duty("publisher", lambda stop: until(stop, publisher.run(mirror))),
        Duty("mirror", lambda stop: until(stop, mirror.run())),
    )
    return Daemon(duties, mirror.ready, (publisher.ready,), mirror.close)


async def main(dsn: str, redis_url: str, folder: Path) -> None:
    """Until a signal; writes FOLDER/ready when the copies are complete."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(compose(dsn, redis_url, folder), stop, (folder / "ready").touch)


if __name__ == "__main__":
    configure_logs()
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
