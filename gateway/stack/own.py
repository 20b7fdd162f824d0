"""Which addresses of ours the carriers at work need, for calls and for audio; changes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from carrier_adapters.contract import Trunk

MAIN = "main"  # the media relay's name for the address that everybody else uses


class Own(NamedTuple):
    """``sip``: where Kamailio listens, the first one for everybody. ``media``: interfaces of the
    relay, name -> address. ``media_of``: which of them belongs to each of ``sip``.
    """

    sip: tuple[str, ...]
    media: dict[str, str]
    media_of: dict[str, str]

    @property
    def several(self) -> bool:
        return len(self.sip) > 1


def own(trunks: Iterable[Trunk], sip: str, media: str) -> Own:
    """``sip`` and ``media``: the addresses in the settings. Where trunks share an address for
    calls, the first one says where their audio goes.
    """
    media_of = {sip: MAIN}
    interfaces = {MAIN: media}
    for trunk in trunks:
        if not trunk.receives_on or (trunk.receives_on == sip and not trunk.media_on):
            continue
        audio = trunk.media_on or trunk.receives_on
        name = MAIN if audio == media else audio
        interfaces[name] = audio
        media_of.setdefault(trunk.receives_on, name)
    others = sorted(media_of.keys() - {sip})
    return Own((sip, *others), interfaces, media_of)
