"""What one SIP worker owns: configuration, registry, carriers, known neighbours, journal, sealer;
it handles no message.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

from carrier_adapters.contract import Carrier
from carrier_adapters.loader import load
from kemi import ksr_effects
from kemi.config import Config
from kemi.health import Health
from kemi.journal import Journal
from kemi.lookup import Registry
from kemi.media_release import MediaRelease
from kemi.peers import Peers
from kemi.seal import Sealer
from number_registry.call import Peer
from number_registry.directory import Directory, MemoryDirectory

CARRIERS_CHECK_S = 0.25
# Numbers and groups are read live; whether PBXs changed, or the snapshot was replaced or is old, is
# looked at this often.
REFRESH_S = 0.01
# touched beside the snapshot when carriers' files were put to work
GENERATION_FILE = "carriers.generation"


class Worker:
    """One per process, made after the fork."""

    def __init__(self, config: Config, carriers: Mapping[str, Carrier]) -> None:
        self.config = config
        self.carriers = dict(carriers)
        self.registry = Registry(config.snapshot, config.redis, ksr_effects.log_warning)
        self.journal = Journal(config.journal, ksr_effects.log_error)
        self.sealer = Sealer(config.key_file.read_bytes())
        self.media = MediaRelease(config.ng, ksr_effects.log_warning) if config.media else None
        port = "" if config.port == 5060 else f":{config.port}"
        self.us = config.us + port  # as it stands in the URIs we write
        self._sockets = {
            proto: f"{proto}:{config.address}:{config.port}" for proto in ("udp", "tcp", "tls")
        }
        self.health = Health(config.snapshot, ksr_effects.log_warning)
        self._peers = Peers(self.carriers, ())
        self._peers_of = -1
        self._generation_path = config.snapshot / GENERATION_FILE
        self._generation = generation(self._generation_path)
        self._next_check = self._next_refresh = 0.0

    def socket(self, proto: str) -> str:
        """Our own socket of this transport, as Kamailio names it."""
        return self._sockets[proto]

    def directory(self) -> Directory:
        """The registry to decide with, fresh within 25 ms. An empty one only until the first
        snapshot is there.
        """
        found = self.registry.directory  # `peer` has refreshed it for this message
        return found if found is not None else MemoryDirectory()

    def peer(self, ip: str) -> Peer | None:
        """The known neighbour at this address."""
        now = time.monotonic()
        if now < self._next_refresh:
            return self._peers.find(ip)
        self._next_refresh = now + REFRESH_S
        if now >= self._next_check:
            self._next_check = now + CARRIERS_CHECK_S
            self._reload_carriers()
            self.health.refresh()
            self.registry.say_corruption()
        directory = self.registry.refresh()
        if self._peers_of != self.registry.version:
            self._peers_of = self.registry.version
            self._peers = Peers(self.carriers, directory.pbxs() if directory else ())
        return self._peers.find(ip)

    def _reload_carriers(self) -> None:
        """Put changed carriers' files to work; a broken one keeps what was there before. About 0.2
        ms a file.
        """
        current = generation(self._generation_path)
        if current == self._generation:
            return
        self._generation = current
        folder, overrides = self.config.carriers_folder, self.config.carrier_overrides
        loaded = load(folder, overrides, in_use=self.carriers)
        for error in loaded.errors:
            ksr_effects.log_error(
                f"carrier not reloaded, the gateway goes on with what it had: {error}"
            )
        self.carriers = dict(loaded.carriers)
        self._peers_of = -1


def generation(path: Path) -> int:
    """When carriers were last put to work; 0 when never."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def call_id(sip_call_id: str, from_tag: str, cseq: int, called: str, peer: Peer) -> str:
    """Our id of a call crossing the gateway, 32 hex digits.

    Made from the INVITE itself, so that one retransmitted to a restarted gateway is the same call
    again. The peer is in it because a PBX that is a proxy sends the same Call-ID back to us; the
    called user because a proxy that forks rings several numbers with one (RFC 3261, 16.6).
    """
    text = f"{sip_call_id}\0{from_tag}\0{cseq}\0{called}\0{peer.side}\0{peer.name}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
