"""What one SIP worker owns: configuration, registry, carriers, known neighbours, journal, sealer;
it handles no message.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from carrier_adapters.contract import Carrier
from carrier_adapters.kit.resolving import resolved
from carrier_adapters.loader import load
from kemi import ksr_effects, ksr_message
from kemi.config import Config
from kemi.conversation import Reader
from kemi.health import Health
from kemi.host_names import HostNames
from kemi.journal import Journal
from kemi.limits import Limits
from kemi.lookup import Registry
from kemi.mask.relay import MediaRelay
from kemi.media import code, trunk_code
from kemi.media_release import MediaRelease
from kemi.ng import Ng
from kemi.ours import Ours
from kemi.pace import Pace
from kemi.peers import Peers, only_inside_calls
from kemi.plan import Attempt
from kemi.registered import Registered
from kemi.seal import Sealer
from number_registry.call import Peer, Side
from number_registry.directory import Directory, MemoryDirectory
from number_registry.model import Pbx
from number_registry.names import NO_NAMES

CARRIERS_CHECK_S = 0.25
# Numbers and groups are read live; whether PBXs changed, or the snapshot was replaced or is old, is
# looked at this often.
REFRESH_S = 0.01
# touched beside the snapshot when carriers' files were put to work
GENERATION_FILE = "carriers.generation"
# there while Kamailio is about to be restarted (gateway/stack/handover.py)
HOLDING_FILE = "holding"
# and beside it, each worker says what it took
TAKEN_PREFIX = "carriers.taken-"


class Worker:
    """One per process, made after the fork."""

    def __init__(self, config: Config, carriers: Mapping[str, Carrier]) -> None:
        self.config = config
        self._loaded = dict(carriers)  # as their files say
        self.carriers = dict(carriers)  # with names replaced by where they lead
        self.inside_calls = only_inside_calls(carriers, NO_NAMES)
        self.limits = Limits(carriers)
        self.registry = Registry(config.snapshot, config.redis, ksr_effects.log_warning)
        self.journal = Journal(config.journal, ksr_effects.log_error)
        self.sealer = Sealer(config.key_file.read_bytes())
        self.reader = Reader(self.sealer)
        self.media = (
            MediaRelease(config.ng, ksr_effects.log_warning, config.ng_before)
            if config.media
            else None
        )
        self.ng = Ng(config.ng) if config.media else None
        self.announced: deque[float] = deque()  # when announcements end that this process began
        # for masked calls, whose descriptions are taken out of the message first
        self.relay = MediaRelay(self.ng, ksr_effects.log_warning) if self.ng else None
        self.ours = Ours(config)
        self.health = Health(config.snapshot, ksr_effects.log_warning)
        self._names = HostNames(config.snapshot, ksr_effects.log_warning)
        self.registered = Registered(config.snapshot, ksr_effects.log_warning)
        # PBXs that are known by a password, by the name that goes with it
        self.accounts: dict[str, Pbx] = {}
        self.media_codes: dict[tuple[str, str], str] = {}
        self._peers = Peers(self.carriers, (), ksr_message.received_on)
        self._peers_of = -1
        self._generation_path = config.snapshot / GENERATION_FILE
        self._generation = generation(self._generation_path)
        self._holding_path = config.snapshot / HOLDING_FILE
        self.holding = False  # new calls are not taken now: this Kamailio is about to be restarted
        self.started = time.monotonic()
        self._next_check = self._next_refresh = 0.0
        self.attempt: Attempt  # what this process is just relaying
        # the same of one inside a masked call: CSeq there, credentials, type and text of its body
        self.masked: tuple[int, str, tuple[str, str] | None]
        self.inside: tuple[int, str, str]  # CSeq, method and credentials of a request just relayed
        self.asking = asking(self.carriers)
        self.said: dict[str, float] = {}  # until when a complaint is not repeated

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
            self._follow_names()
            self.health.refresh()
            self.holding = self._holding_path.exists()
            self.registry.say_corruption()
        directory = self.registry.refresh()
        if self._peers_of != self.registry.version:
            self._peers_of = self.registry.version
            pbxs = tuple(directory.pbxs()) if directory else ()
            self.media_codes = media_codes(pbxs, self.carriers)
            self.accounts = {one.account.user: one for one in pbxs if one.account is not None}
            self._peers = Peers(self.carriers, pbxs, ksr_message.received_on)
        return self._peers.find(ip)

    def knows(self, host: str) -> bool:
        """Whether this is the address of a neighbour, one that sends no calls included."""
        return self._peers.knows(host) or host in self.inside_calls

    def is_carriers_or_ours(self, host: str) -> bool:
        """Whether this is an address of ours, or one where a carrier sends or takes calls."""
        gateways = (
            gateway.host
            for carrier in self.carriers.values()
            for trunk in carrier.trunks
            for gateway in trunk.addresses
        )
        return host in self.ours.all or self._peers.is_carrier(host) or host in gateways

    def secret(self, name: str) -> str:
        """The secret of this name as it is now, empty where there is none. Read from its file with
        each challenge, so that a new one counts at once.
        """
        try:
            return (self.config.carrier_secrets / name).read_text("utf-8").rstrip("\r\n")
        except (OSError, ValueError):
            return ""

    def is_guest(self, ip: str) -> bool:
        """Whether this may be a PBX that has proved itself from an address nobody knows."""
        return bool(self.accounts) and not self.knows(ip)

    def _reload_carriers(self) -> None:
        """Put changed carriers' files to work; a broken one keeps what was there before. About 1
        ms a file.
        """
        current = generation(self._generation_path)
        if current == self._generation:
            return
        self._generation = current
        config = self.config
        loaded = load(config.carriers_folder, config.carrier_overrides, self._loaded)
        for error in loaded.errors:
            ksr_effects.log_error(
                f"carrier not reloaded, the gateway goes on with what it had: {error}"
            )
        self._loaded = dict(loaded.carriers)
        self._lead()
        self._say_taken(sorted({error.file.removesuffix(".py") for error in loaded.errors}))

    def _follow_names(self) -> None:
        """Host names of gateways lead elsewhere: the next call goes there."""
        if self._names.refresh():
            self.registry.lead(self._names.known)
            self._lead()

    def _lead(self) -> None:
        self.carriers, refused = resolved(self._loaded, self._names.known)
        self.inside_calls = only_inside_calls(self.carriers, self._names.known)
        self.limits = Limits(self.carriers)
        self.asking = asking(self.carriers)
        self._peers_of = -1
        for said in refused:
            ksr_effects.log_warning(f"calls are not taken by name: {said}")

    def _say_taken(self, refused: list[str]) -> None:
        """Tells whoever put files to work that this process has them: a file of its own, named by
        its pid. It is a courtesy; a call never waits for it nor fails by it.
        """
        told = {
            "generation": self._generation,
            "carriers": sorted(self.carriers),
            "refused": refused,
        }
        path = self._generation_path.with_name(f"{TAKEN_PREFIX}{os.getpid()}")
        try:
            path.with_name("." + path.name).write_text(json.dumps(told), "ascii")
            path.with_name("." + path.name).rename(path)
        except OSError as error:
            ksr_effects.log_warning(f"carriers are reloaded, but nobody can be told: {error}")


def asking(carriers: Mapping[str, Carrier]) -> dict[Peer, Pace]:
    """The trunks that may ask for credentials inside calls that they bring, with the pace of the
    requests to them.
    """
    return {
        Peer(Side.CARRIER, carrier.name, trunk.name): Pace("a", carrier.name, trunk.name)
        for carrier in carriers.values()
        for trunk in carrier.trunks
        if trunk.auth.kind != "address"
    }


def media_codes(pbxs: Iterable[Pbx], carriers: Mapping[str, Carrier]) -> dict[tuple[str, str], str]:
    """What PBXs and trunks ask of the media relay, by name and trunk (empty for a PBX). Those that
    ask for nothing are left out.
    """
    codes = {(one.name, ""): code(one.profile) for one in pbxs}
    for carrier in carriers.values():
        codes |= {(carrier.name, trunk.name): trunk_code(trunk) for trunk in carrier.trunks}
    return {whose: asked for whose, asked in codes.items() if asked}


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
