"""An ingest in a process of its own, to be killed: FOLDER DSN."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from gateway.calls.ingest import Ingest

if __name__ == "__main__":
    asyncio.run(Ingest(Path(sys.argv[1]), sys.argv[2]).run(asyncio.Event()))
