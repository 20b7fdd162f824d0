"""What a carrier's file declares, and the pure hooks it may override; it opens nothing and knows no
carrier.

A carrier that is ordinary needs fields only. A hook is overridden where the carrier is odd, and
must be pure: the same input gives the same output, nothing is read or written outside, and nothing
is raised for what others sent.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from number_registry import dialling
from number_registry.dialling import DialPlan
from number_registry.e164 import E164
from number_registry.errors import BadValueError
from number_registry.model import Address

CALLER_HEADERS = ("From", "P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity")


@dataclass(frozen=True, slots=True)
class Trunk:
    """One hand-off of a carrier.

    ``sources``: networks its calls come from; ``proxies``: where our calls go, in the order to try;
    ``area_code``: completes short local numbers.
    """

    name: str
    sources: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    area_code: str = ""
    addresses: tuple[Address, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        for field_name in ("sources", "proxies"):
            if isinstance(getattr(self, field_name), str):  # a tuple that lacks its comma
                raise BadValueError(f'trunk {self.name}: {field_name}: write ("...",)')
        for source in self.sources:
            try:
                ipaddress.ip_network(source)
            except ValueError as error:
                raise BadValueError(f"trunk {self.name}: sources: {error}") from None
        parsed = tuple(Address.parse(proxy, order) for order, proxy in enumerate(self.proxies))
        object.__setattr__(self, "addresses", parsed)


class Invite(NamedTuple):
    """What a carrier's INVITE says, as plain values. ``headers`` holds the URI users of
    CALLER_HEADERS that are present.

    ``anonymous``: the caller asked for privacy (RFC 3323 Privacy: id or user, or From
    anonymous.invalid).
    """

    request_user: str
    to_user: str
    headers: Mapping[str, str]
    anonymous: bool = False


class Parties(NamedTuple):
    """Who calls whom. ``called`` is an E164, or the digits as they came where they are none.
    ``caller`` may be empty.
    """

    called: str
    caller: str
    withheld: bool


class FarSide(NamedTuple):
    """How a call is written for the carrier: the user parts of Request-URI, To and From, and
    headers to add.
    """

    request_user: str
    to_user: str
    from_user: str
    headers: tuple[tuple[str, str], ...] = ()


class Carrier:
    """Base of every carrier: fields for the ordinary, hooks for the odd; each hook has a default
    that works.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    trunks: ClassVar[tuple[Trunk, ...]] = ()
    country_code: ClassVar[str] = "7"
    trunk_prefix: ClassVar[str] = "8"
    international_prefix: ClassVar[str] = "810"
    national_length: ClassVar[int] = 10
    caller_header: ClassVar[str] = "From"
    called_in: ClassVar[str] = "request"  # request | to: where an inbound INVITE names our number
    # plus (+7495..) | digits (7495..) | national (8495..): how we write to them
    number_format: ClassVar[str] = "plus"

    def __init__(self) -> None:
        self._plans = {trunk.name: self._plan(trunk) for trunk in self.trunks}
        self._trunks = {trunk.name: trunk for trunk in self.trunks}

    def _plan(self, trunk: Trunk) -> DialPlan:
        return DialPlan(
            self.country_code,
            self.trunk_prefix,
            self.international_prefix,
            self.national_length,
            trunk.area_code,
        )

    def trunk(self, name: str) -> Trunk:
        """The trunk of this name; KeyError when there is none."""
        return self._trunks[name]

    def plan(self, trunk: Trunk) -> DialPlan:
        return self._plans.get(trunk.name) or self._plan(trunk)

    # -- reading what they send ----------------------------------------------------------------

    def number(self, digits: str, trunk: Trunk) -> E164 | None:
        """Hook: the E.164 number that the carrier means by these digits, or None."""
        return dialling.read(digits, self._plans[trunk.name])

    def parties(self, invite: Invite, trunk: Trunk) -> Parties:
        """Hook: who calls whom in an INVITE of theirs. Never raises."""
        called_digits = invite.to_user if self.called_in == "to" else invite.request_user
        called = self.number(called_digits, trunk)
        caller_digits = invite.headers.get(self.caller_header, "")
        caller = self.number(caller_digits, trunk)
        # A short code that calls us is no E.164 number, and still worth showing.
        shown = (
            caller.plus
            if caller
            else caller_digits
            if caller_digits.isascii() and caller_digits.isdecimal()
            else ""
        )
        return Parties(called or called_digits, shown, invite.anonymous)

    # -- writing what we send ------------------------------------------------------------------

    def written(self, number: E164, trunk: Trunk) -> str:
        """Hook: the digits as the carrier wants them in a URI."""
        if self.number_format == "plus":
            return number.plus
        return (
            str(number)
            if self.number_format == "digits"
            else dialling.national(number, self.plan(trunk))
        )

    def far_side(self, called: str, shown: E164, trunk: Trunk) -> FarSide:
        """Hook: the call as this carrier wants it. ``called`` is an E164, or a short code that
        stays as dialled.
        """
        user = self.written(called, trunk) if isinstance(called, E164) else called
        caller = self.written(shown, trunk)
        headers = (
            ()
            if self.caller_header == "From"
            else ((self.caller_header, f"<sip:{caller}@{{us}}>"),)
        )
        return FarSide(user, user, caller, headers)

    def trunk_for(self, shown: E164) -> Trunk | None:
        """Hook: the trunk that serves the shown number's city, else the first that takes calls."""
        usable = [trunk for trunk in self.trunks if trunk.addresses]
        for trunk in usable:
            if trunk.area_code and shown.startswith(self.country_code + trunk.area_code):
                return trunk
        return usable[0] if usable else None

    # -- failures ------------------------------------------------------------------------------

    retry_elsewhere: ClassVar[frozenset[int]] = frozenset({408, 480, 503, 504})
