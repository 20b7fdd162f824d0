"""Room of the fake for KSR.kx: one function for each thing worth reading often."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from kemi.stubs.fake_pv_table import Value
from kemi.stubs.fake_rooms import Room, or_empty, or_null_text, plain


class Kx(Room):
    """KSR.kx, for what pseudo-variables give too; most are made from the tables below."""

    module = "kx"

    def get_cturi(self) -> str | None:
        return cast(str | None, plain(self._contact()))

    def gete_cturi(self) -> str:
        return cast(str, or_empty(self._contact()))

    def getw_cturi(self) -> str:
        return cast(str, or_null_text(self._contact()))

    def _contact(self) -> bytes | None:
        party = self.world.message.party(b"Contact")
        return None if party is None else party.uri.whole.of(self.world.message.raw)

    def get_srcip(self) -> str:
        return self.world.source[0]

    def get_srcport(self) -> int:
        return self.world.source[1]

    def get_srcuri(self) -> str:
        host, port = self.world.source
        transport = "" if self.world.transport == "udp" else f";transport={self.world.transport}"
        return f"sip:{host}:{port}{transport}"

    def get_rcvip(self) -> str:
        return self.world.local[0]

    def get_rcvport(self) -> int:
        return self.world.local[1]

    def get_proto(self) -> str:
        return self.world.transport

    def get_status(self) -> int:
        status = self.world.message.status
        return -1 if status is None else status

    def gets_status(self) -> str | None:
        status = self.world.message.status
        return None if status is None else str(status)

    def get_body(self) -> str | None:
        return cast(str | None, plain(self.world.message.body or None))

    def gete_body(self) -> str:
        return cast(str, or_empty(self.world.message.body or None))

    def get_bodylen(self) -> int:
        return len(self.world.message.body)

    def get_msglen(self) -> int:
        return len(self.world.message.raw)

    def get_msgtype(self) -> int:
        return 1 if self.world.message.is_request else 2


# What pseudo-variables read the same; the second row has no gete_ and getw_ kinds.
_WITH_ALL_KINDS = {
    "ruser": "$rU",
    "rhost": "$rd",
    "fuser": "$fU",
    "fhost": "$fd",
    "tuser": "$tU",
    "thost": "$td",
    "duri": "$du",
    "ua": "$ua",
}
_ONLY_GET = {
    "ruri": "$ru",
    "ouri": "$ou",
    "furi": "$fu",
    "turi": "$tu",
    "method": "$rm",
    "callid": "$ci",
    "msgbuf": "$mb",
}


def _reader(variable: str, shape: Callable[[Value], str | int | None]) -> Callable[[Kx], object]:
    return lambda room: shape(room.variables.read(variable))


for _name, _variable in _WITH_ALL_KINDS.items():
    setattr(Kx, "get_" + _name, _reader(_variable, plain))
    setattr(Kx, "gete_" + _name, _reader(_variable, or_empty))
    setattr(Kx, "getw_" + _name, _reader(_variable, or_null_text))
for _name, _variable in _ONLY_GET.items():
    setattr(Kx, "get_" + _name, _reader(_variable, plain))
