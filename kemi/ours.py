"""Our own addresses as a SIP worker knows them: which socket leads where, which interface of the
media relay belongs to it; it sends nothing.
"""

from __future__ import annotations

import re

from kemi import ksr_effects, ksr_message
from kemi.config import Config
from number_registry.model import Transport

_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


class Ours:
    """``all``: every address we listen on. ``us``: we, as it stands in URIs that we write; for a
    carrier that has an address of ours for itself, ``us_on[address]``. ``several``: there is more
    than one, so that each message has to be told which it leaves by.
    """

    def __init__(self, config: Config) -> None:
        self._ports = {"udp": config.port, "tcp": config.port, "tls": config.tls_port}
        self._media = config.addresses
        self._main = config.address
        self._shown = config.us if _IPV4.fullmatch(config.us) else config.address
        self._host = config.us
        self.port = config.port
        self.all = frozenset({config.address, *config.addresses})
        self.several = len(self.all) > 1
        port = "" if config.port == 5060 else f":{config.port}"
        self.us = config.us + port
        self.us_on = {one: one + port for one in config.addresses if one != config.address}
        self._sockets = {proto: self._socket(proto, config.address) for proto in self._ports}
        if self.several:
            ksr_effects.leave_by(
                {
                    ("" if address == config.address else address, transport): self._socket(
                        transport.value, address
                    )
                    for address in self.all
                    for transport in Transport
                },
                config.address,
            )

    def _socket(self, proto: str, address: str) -> str:
        return f"{proto}:{address}:{self._ports[proto]}"

    def socket(self, proto: str) -> str:
        """The socket of ours that the message at hand came to, as Kamailio names it."""
        if self.several:
            return self._socket(proto, ksr_message.received_on())
        return self._sockets[proto]

    def leaving(self) -> str:
        """Our address that the request at hand leaves by; empty where there is only one."""
        return ksr_message.leaves_by() if self.several else ""

    def named(self, address: str, proto: str) -> str:
        """We, by this address of ours (empty: the first) and transport, as it stands in a URI."""
        host = self._host if address in ("", self._main) else address
        port = self._ports[proto]
        at = host if port == 5060 else f"{host}:{port}"
        return at if proto == "udp" else f"{at};transport={proto}"

    def shown_ip(self, address: str) -> str:
        """This address of ours (empty: the first) as others know it, in numbers."""
        return self._shown if address in ("", self._main) else address

    def socket_to(self, address: str, proto: str) -> str:
        """The socket to name to Kamailio for what leaves by this address of ours; empty where it
        finds that by itself.
        """
        return self._socket(proto, address or self._main) if self.several else ""

    def is_us(self, ip: str, port: int) -> bool:
        """Whether a message came from ourselves."""
        return port == self.port and ip in self.all

    def media(self, near: str) -> str:
        """The interface of the media relay that belongs to our address."""
        return self._media.get(near) or self._media[self._main]

    def media_way(self, near: str, far: str) -> str:
        """What to tell the media relay of an offer that came to our address ``near`` and goes out
        from ``far`` (empty: the first).
        """
        media = self._media
        one, two = media.get(near), media.get(far or self._main)
        return f"direction={one} direction={two} " if one and two else ""
