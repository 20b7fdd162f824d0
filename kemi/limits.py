"""Channels and calls a second of trunks that have limits: counted in memory that all SIP workers
share. For a trunk without limits nothing is counted, and nothing here decides where a call goes.

Counts are set right by the daemon (gateway/calls/channels.py): a lost BYE and a restart make no
trunk full, nor empty, for long. It alone writes the correction beside each count, and workers alone
write the count, so neither undoes the other's work.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from carrier_adapters.contract import Carrier
from kemi import ksr_counts as count
from kemi import ksr_effects as do

RETRY_AFTER_S = 5  # told with a 503 when every trunk is full
SECOND_MS = 1000
_CLOCK = 1 << 30  # milliseconds until the clock of `starts` goes round: twelve days


class Limits:
    """``of``: the trunks that have limits, ``carrier/trunk`` -> (channels, calls a second), 0 = no
    such limit. Empty where none has: then nothing else here needs to be asked.
    """

    def __init__(self, carriers: Mapping[str, Carrier]) -> None:
        self.of = {
            f"{carrier.name}/{trunk.name}": (trunk.channels, trunk.calls_per_second)
            for carrier in carriers.values()
            for trunk in carrier.trunks
            if trunk.channels or trunk.calls_per_second
        }

    def take(self, call: str, carrier: str, trunk: str, urgent: bool = False) -> str:
        """Take a channel for the call; why there is none, or empty. ``urgent``: an emergency call,
        or one that is there already: it is counted, and never refused.
        """
        key = f"{carrier}/{trunk}"
        if key not in self.of:
            return ""
        channels, per_second = self.of[key]
        full = bool(channels) and count.channel_taken(key) + count.channels_mended(key) > channels
        if not urgent:
            if full:
                count.channel_freed(key)
                return all_in_use(channels)
            if per_second and not may_start(key, per_second):
                if channels:
                    count.channel_freed(key)
                return said_of_rate(per_second)
        if channels:
            do.flag(do.FLAG_COUNTED)
            count.hold_channels(call, f"{count.held_channels(call)} {key}".lstrip())
        return ""

    def answered(self, call: str, tag: str) -> None:
        """The call has an answer with this To tag."""
        held = count.held_channels(call)
        if held and f"={tag}" not in held.split():
            count.hold_channels(call, f"{held} ={tag}")

    def hung_up(self, call: str, tag: str) -> None:
        """A BYE has ended the dialog with this To tag: the call, if that was the last of its
        answers. A far side that was given up and had answered late ends nothing.
        """
        held, answer = count.held_channels(call).split(), f"={tag}"
        if answer not in held:
            return
        held.remove(answer)
        if any(one[0] == "=" for one in held):
            count.hold_channels(call, " ".join(held))
        else:
            self.free(call)

    def free(self, call: str) -> None:
        """The call is over. Once for all who say so; of a call that holds nothing it is nothing."""
        held = count.held_channels(call)
        if held:
            count.let_channels_go(call)
            for key in held.split():
                if key[0] != "=":  # else the tag of an answer
                    count.channel_freed(key)

    def leave(self, call: str, carrier: str, trunk: str) -> None:
        """The call goes on elsewhere, and keeps what else it holds."""
        held, key = count.held_channels(call).split(), f"{carrier}/{trunk}"
        if key in held:
            held.remove(key)
            count.hold_channels(call, " ".join(held))
            count.channel_freed(key)


def all_in_use(channels: int) -> str:
    return f"all {channels} channels are in use" if channels > 1 else "its only channel is in use"


def said_of_rate(per_second: int) -> str:
    calls = f"{per_second} calls" if per_second > 1 else "one call"
    return f"it takes {calls} a second"


def may_start(key: str, per_second: int) -> bool:
    """Whether another call may start now; it is noted then. Each call takes the next of as many
    places as may start in a second, and a place is free a second after it was taken: so no second,
    wherever it begins, has more.
    """
    now = time.monotonic_ns() // 1_000_000 % _CLOCK
    place = f"{key}:{count.next_start(key) % per_second}"
    before = count.started_at(place)
    if before and (now - before) % _CLOCK < SECOND_MS:
        count.start_refused(key)
        return False
    count.start_noted(place, now or 1)
    return True
