"""Room of the fake for the functions of KSR itself: log, methods, flags, addresses."""

from __future__ import annotations

from kemi.stubs.fake_rooms import Room, effect
from kemi.stubs.fake_world import NotConfigured, uri_piece, uri_port, with_uri_piece

FLAGS = 32
_METHODS = (
    *("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK"),
    *("PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"),
)
_LOG_LEVELS = ("dbg", "info", "notice", "warn", "err", "crit")


class Core(Room):
    """Root functions. Methods (is_INVITE ...) and log levels are added from tables below."""

    def is_method(self, names: str) -> bool:
        return self.world.message.method.decode("latin-1") in names.split("|")

    def is_UDP(self) -> bool:
        return self.world.transport == "udp"

    def is_TCP(self) -> bool:
        return self.world.transport == "tcp"

    def is_IPv4(self) -> bool:
        return ":" not in self.world.source[0]

    def is_IPv6(self) -> bool:
        return ":" in self.world.source[0]

    def is_myself_ruri(self) -> bool:
        return self._is_ours(self.world.request_uri)

    def is_myself_furi(self) -> bool:
        return self._is_ours(self._uri_of(b"From"))

    def is_myself_turi(self) -> bool:
        return self._is_ours(self._uri_of(b"To"))

    def is_myself(self, uri: str) -> bool:
        return self._is_ours(uri.encode())

    def _uri_of(self, name: bytes) -> bytes | None:
        party = self.world.message.party(name)
        return None if party is None else party.uri.whole.of(self.world.message.raw)

    def _is_ours(self, uri: bytes | None) -> bool:
        if uri is None:
            return False
        return self.world.is_myself(uri_piece(uri, "host"), uri_port(uri))

    @effect
    def setflag(self, number: int) -> bool:
        if not 0 <= number < FLAGS:
            return False
        self._flags().add(number)
        return True

    @effect
    def resetflag(self, number: int) -> bool:
        if not 0 <= number < FLAGS:
            return False
        self._flags().discard(number)
        return True

    def isflagset(self, number: int) -> bool:
        return number in self._flags()

    def _flags(self) -> set[int]:
        """A reply in a transaction, and a failure, see and change the transaction's own flags."""
        transaction = self.world.transaction
        if self.world.route in ("onreply", "failure", "branch") and transaction is not None:
            return transaction.flags
        return self.world.flags

    @effect
    def seturi(self, uri: str) -> bool:
        self.world.request_uri = uri.encode()
        return True

    @effect
    def setuser(self, user: str) -> bool:
        return self._set_piece("user", user)

    @effect
    def sethost(self, host: str) -> bool:
        return self._set_piece("host", host)

    def _set_piece(self, piece: str, value: str) -> bool:
        if self.world.request_uri is None:
            raise NotConfigured("a reply has no Request-URI")
        self.world.request_uri = with_uri_piece(self.world.request_uri, piece, value.encode())
        return True

    @effect
    def setdsturi(self, uri: str) -> bool:
        self.world.next_hop = uri.encode()
        return True

    @effect
    def resetdsturi(self) -> bool:
        self.world.next_hop = None
        return True

    def isdsturiset(self) -> bool:
        return self.world.next_hop is not None

    @effect
    def force_rport(self) -> bool:
        return True

    @effect
    def add_local_rport(self) -> bool:
        return True


def _add_from_tables() -> None:
    for method in _METHODS:

        def is_method(self: Core, wanted: bytes = method.encode()) -> bool:
            return self.world.message.method == wanted

        setattr(Core, "is_" + method, is_method)
    for level in _LOG_LEVELS:

        def log(self: Core, text: str, level: str = level) -> int:
            self.world.log.append((level.upper(), text))
            return 0

        setattr(Core, level, log)


_add_from_tables()
