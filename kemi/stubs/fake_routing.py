"""Rooms of the fake for what routes and checks: rr, maxfwd, sanity, nathelper, rtpengine.

sanity and rtpengine say yes unless a test says otherwise; every call is on record.
"""

from __future__ import annotations

import re

from kemi.stubs.fake_message import Header, Span
from kemi.stubs.fake_rooms import Room, effect, truth
from kemi.stubs.fake_world import NotConfigured, uri_piece, uri_port

RR_PARAMETERS_MOST = 512  # add_rr_param's buffer (rr/record.c)
_URI_IN_ROUTE = re.compile(rb"<([^>]+)>")


class Rr(Room):
    """KSR.rr for loose routes (RFC 3261, section 16.12); a strict router is not modelled."""

    module = "rr"

    def _routes(self) -> list[tuple[Header, bytes, Span]]:
        """Header, URI and span of every Route entry, topmost first."""
        found = []
        for header in self.world.message.all_named(b"Route"):
            for entry in _URI_IN_ROUTE.finditer(header.value):
                base = header.value_start
                span = Span(base + entry.start(), base + entry.end())
                found.append((header, entry.group(1), span))
        return found

    def _is_ours(self, uri: bytes) -> bool:
        return self.world.is_myself(uri_piece(uri, "host"), uri_port(uri))

    @effect
    def loose_route(self) -> int:
        routes = self._routes()
        if not routes:
            return -1
        ruri = self.world.request_uri
        if ruri is not None and self._is_ours(ruri):
            raise NotConfigured("a Request-URI that is our own address makes rr route strictly")
        self.world.route_uri = routes[0][1]
        gone = 0
        if self._is_ours(routes[0][1]):
            gone = 1
            double = b";r2=on" in routes[0][1] and len(routes) > 1
            if double and self._is_ours(routes[1][1]):
                gone = 2
        if gone < len(routes):
            self.world.next_hop = routes[gone][1]
        self._take_off(routes, gone)
        return 1

    def _take_off(self, routes: list[tuple[Header, bytes, Span]], count: int) -> None:
        """Remove the first entries; a header whose entries all go, goes whole."""
        for place, (header, _, span) in enumerate(routes[:count]):
            beside = [at for at, route in enumerate(routes) if route[0] is header]
            if beside[-1] < count:
                if place == beside[0]:
                    self.world.message.remove(header)
            else:
                self.world.message.cut(Span(span.start, routes[place + 1][2].start))

    def check_route_param(self, pattern: str) -> int:
        uri = self.world.route_uri
        if uri is None or not self._is_ours(uri):
            return -1
        return truth(re.search(pattern.encode(), uri) is not None)

    @effect
    def add_rr_param(self, parameters: str) -> int:
        if len(self.world.rr_parameters) + len(parameters) > RR_PARAMETERS_MOST:
            self.world.log.append(("ERROR", "maximum size of rr_param_buf exceeded"))
            return -1
        self.world.rr_parameters += parameters
        return 1

    @effect
    def record_route(self) -> int:
        return self._record_route("")

    @effect
    def record_route_params(self, parameters: str) -> int:
        """Without the limit that add_rr_param has."""
        return self._record_route(parameters)

    def _record_route(self, parameters: str) -> int:
        """The address is the one the message came in by; the other socket of a bridge is not."""
        if self.world.has_recorded_route:
            self.world.log.append(("ERROR", "Double attempt to record-route"))
            return -1
        self.world.has_recorded_route = True
        host, port = self.world.local
        where = f"{host}:{port}" + (";transport=tcp" if self.world.transport == "tcp" else "")
        field = f"Record-Route: <sip:{where};lr{parameters}{self.world.rr_parameters}>\r\n"
        self.world.message.insert(field.encode())
        return 1


class Maxfwd(Room):
    """KSR.maxfwd (RFC 3261, section 16.3 step 3): 2 when it had to add the header."""

    module = "maxfwd"

    def _hops(self) -> int | None:
        value = self.world.message.value(b"Max-Forwards")
        return int(value) if value is not None and value.isdigit() else None

    def is_maxfwd_lt(self, least: int) -> int:
        hops = self._hops()
        return -2 if hops is None else truth(hops < least)

    @effect
    def process_maxfwd(self, limit: int) -> int:
        hops = self._hops()
        message = self.world.message
        if hops is None:
            message.insert(b"Max-Forwards: %d\r\n" % limit)
            return 2
        if hops == 0:
            return -1
        header = message.all_named(b"Max-Forwards")[0]
        span = Span(header.value_start, header.value_start + len(header.value))
        message.cut(span, b"%d" % min(hops - 1, limit))
        return 1


class Sanity(Room):
    """KSR.sanity says yes; the checks themselves are Kamailio's and are tested there."""

    module = "sanity"

    @effect
    def sanity_check(self, _message_checks: int, _uri_checks: int) -> int:
        return 1


_TRANSPORTS = {"udp": 1, "tcp": 2}
_ALIAS = re.compile(rb";alias=([^~;]+)~(\d+)~(\d)")


class Nathelper(Room):
    """KSR.nathelper: the alias that remembers, in a Contact, where it came from."""

    module = "nathelper"

    @effect
    def set_contact_alias(self) -> int:
        """Adds it also when the Contact names the very address it came from (measured)."""
        message = self.world.message
        party = message.party(b"Contact")
        if party is None:
            return -1
        if not party.has_brackets:
            raise NotConfigured("an alias for a Contact without brackets")
        host, port = self.world.source
        alias = f";alias={host}~{port}~{_TRANSPORTS[self.world.transport]}".encode()
        message.cut(Span(party.uri.whole.end, party.uri.whole.end), alias)
        return 1

    @effect
    def handle_ruri_alias(self) -> int:
        """1 when there was one: it leaves the Request-URI and becomes $du; 2 without one."""
        uri = self.world.request_uri or b""
        found = _ALIAS.search(uri)
        if found is None:
            return 2
        self.world.request_uri = uri[: found.start()] + uri[found.end() :]
        transport = b";transport=tcp" if found.group(3) == b"2" else b""
        self.world.next_hop = b"sip:" + found.group(1) + b":" + found.group(2) + transport
        return 1


class Rtpengine(Room):
    """KSR.rtpengine: recorded only; the body stays as it is."""

    module = "rtpengine"

    @effect
    def rtpengine_offer(self, _flags: str) -> int:
        return 1

    @effect
    def rtpengine_answer(self, _flags: str) -> int:
        return 1

    @effect
    def rtpengine_delete(self, _flags: str) -> int:
        return 1

    @effect
    def rtpengine_manage(self, _flags: str) -> int:
        return 1
