"""One registration as Kamailio's `uac` module keeps it: the parameters of `uac.reg_add`, and what
`uac.reg_dump` says; pure.

Seen on 5.6.3: `reg_add` takes fifteen parameters, "." stands for an empty password or HA1 only.
The Contact is `sip:l_uuid@contact_addr`, so that carriers call that user. Digest is MD5 only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

DISABLED, ONGOING, ONLINE = 1, 2, 4  # flags of a record (uac_reg.c)


class Record(NamedTuple):
    """``contact_user``: Kamailio's key of it (l_uuid). ``proxy``: where REGISTER goes, an address.

    ``contact``: host, port and transport that they shall call us at. ``socket``: what it leaves by.
    """

    contact_user: str
    user: str
    domain: str
    realm: str
    password: str
    proxy: str
    expires_s: int
    contact: str
    socket: str

    def __repr__(self) -> str:
        return f"Record({self.contact_user!r}, {self.user!r}, {self.domain!r}, {self.proxy!r})"

    def parameters(self) -> tuple[str | int, ...]:
        """Those of `uac.reg_add`, in its order."""
        ours = self.contact.partition(";")[0].rpartition(":")[0]
        return (
            *(self.contact_user, self.user, ours, self.user, self.domain, self.realm),
            *(self.user, self.password, ".", self.proxy, self.expires_s, 0, 0),
            *(self.socket, self.contact),
        )


class Kept(NamedTuple):
    """A record in Kamailio. ``due``: seconds since 1970, until when it holds, or when it is tried
    again.
    """

    record: Record
    flags: int
    due: int

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Kept:
        """Out of one element of `uac.reg_dump`."""
        record = Record(
            *(told["l_uuid"], told["r_username"], told["r_domain"], told["realm"]),
            *(told["auth_password"], told["auth_proxy"], int(told["expires"])),
            *(told["contact_addr"], told["socket"]),
        )
        return cls(record, int(told["flags"]), int(told["timer_expires"]))

    @property
    def leaving(self) -> bool:
        """Whether it was told to unregister."""
        return self.record.expires_s == 0
