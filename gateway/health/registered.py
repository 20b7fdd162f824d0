"""Whether PBXs that have registered still answer, as Kamailio's own questions to them tell; it asks
no PBX itself, because only Kamailio's socket reaches one behind address translation.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.kamailio_rpc import KamailioGoneError, KamailioRpc, RpcError
from gateway.registered import FILE, hop_uri

# Kamailio asks every second over UDP, and each answer is dated.
SILENT_S = 4.0
Said = dict[str, dict[str, Any]]


class RegisteredHealth:
    """One per daemon. ``folder``: of the file in which SIP workers note who has registered."""

    def __init__(self, rpc: KamailioRpc, folder: Path) -> None:
        self._rpc, self._file = rpc, folder / FILE

    async def look(self) -> Said:
        """{URI that calls go to: owner, state, since}; empty while nobody has registered, and
        while Kamailio is not there to tell.
        """
        if not self._file.exists():
            return {}
        try:
            dumped = await self._rpc.ask("ul.dump")
        except (KamailioGoneError, RpcError):
            return {}
        return dict(states(dumped, time.time()))


def states(dumped: dict[str, Any], now: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of what `ul.dump` says. One that is reached over a connection is not asked: it is there as
    long as its connection is, so nothing is said of it.
    """
    for domain in dumped["Domains"]:
        for aor in domain["Domain"]["AoRs"]:
            for entry in aor["Info"]["Contacts"]:
                contact = entry["Contact"]
                received = contact["Received"]
                uri, transport = hop_uri("" if received == "[not set]" else received,
                                         contact["Address"])  # fmt: skip
                if transport == "udp":
                    answered = float(contact["Last-Keepalive"])
                    state = "up" if now - answered <= SILENT_S else "down"
                    owner = f"registered {aor['Info']['AoR']}"
                    yield uri, {"owner": owner, "state": state, "since": answered}
