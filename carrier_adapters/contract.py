"""What a carrier's file declares, and the pure hooks it may override; it opens nothing and knows no
carrier.

A carrier that is ordinary needs fields only. A hook is overridden where the carrier is odd, and
must be pure: the same input gives the same output, nothing is read or written outside, and nothing
is raised for what others sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, NamedTuple

from carrier_adapters.kit.invoice import Charge, Invoice, InvoiceLine
from carrier_adapters.kit.trunk import ByAddress, Digest, Gateway, Registration, Trunk
from number_registry import dialling
from number_registry.dialling import DialPlan
from number_registry.e164 import E164

__all__ = [
    "E164", "ByAddress", "Carrier", "Charge", "Digest", "Failure", "FarSide", "Gateway", "Invite",
    "Invoice", "InvoiceLine", "Parties", "Registration", "Trunk",
]  # fmt: skip

CALLER_HEADERS = ("From", "P-Asserted-Identity", "Remote-Party-ID", "P-Preferred-Identity")
CALLED_IN = ("request", "to")
NUMBER_FORMATS = ("plus", "digits", "national")
LONGEST_CALLER = 32  # digits; nothing longer is anybody's number, E.164 with every prefix included
BUSY = frozenset({486, 600})
# What a person said, or what is true wherever one asks: no other gateway would say otherwise.
NEVER_ELSEWHERE = frozenset({404, 486, 600, 603, 604})


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
    ``caller`` may be empty. ``dialled``: what stood in the INVITE, untouched, which a trunk that
    serves SIMs needs: 4711 may be a deal, and so may eleven digits.
    """

    called: str
    caller: str
    withheld: bool
    dialled: str = ""


class FarSide(NamedTuple):
    """How a call is written for the carrier: the user parts of Request-URI, To and From, and
    headers to add.
    """

    request_user: str
    to_user: str
    from_user: str
    headers: tuple[tuple[str, str], ...] = ()


class Failure(StrEnum):
    """What a final status of theirs means for the call."""

    FINAL = "final"  # told to the caller
    ELSEWHERE = "elsewhere"  # the next gateway may do better
    BUSY = "busy"  # a person is on the phone: final, and no fault of the trunk


class Carrier:
    """Base of every carrier: fields for the ordinary, hooks for the odd; each hook has a default
    that works.
    """

    name: ClassVar[str] = ""  # equals the file's name
    title: ClassVar[str] = ""
    trunks: ClassVar[tuple[Trunk, ...]] = ()
    country_code: ClassVar[str] = "7"
    trunk_prefix: ClassVar[str] = "8"
    international_prefix: ClassVar[str] = "810"
    national_length: ClassVar[int] = 10
    caller_header: ClassVar[str] = "From"
    called_in: ClassVar[str] = "request"  # request | to: where an inbound INVITE names our number
    # plus (+7495..) | digits (7495..) | national (8495..): how we write to them. With digits they
    # write so too, so that 4930123456 is Berlin and not a number in area 493.
    number_format: ClassVar[str] = "plus"
    # Whether they want Diversion (RFC 5806) with a call that a PBX of ours forwards: it names the
    # number of ours that was called, never the caller.
    diversion: ClassVar[bool] = False
    retry_elsewhere: ClassVar[frozenset[int]] = frozenset({408, 480, 503, 504})

    def __init__(self) -> None:
        self._plans = {trunk.name: self._plan(trunk) for trunk in self.trunks}
        self._trunks = {trunk.name: trunk for trunk in self.trunks}
        self._taking = [
            trunk for trunk in self.trunks if trunk.addresses and trunk.serves == "numbers"
        ]
        self.sims_trunks = tuple(
            [trunk for trunk in self.trunks if trunk.addresses and trunk.serves == "sims"]
        )

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
        plan = self.plan(trunk)
        if self.number_format == "digits":
            return dialling.read_international(digits, plan)
        return dialling.read(digits, plan)

    def parties(self, invite: Invite, trunk: Trunk) -> Parties:
        """Hook: who calls whom in an INVITE of theirs. Never raises."""
        called_digits = invite.to_user if self.called_in == "to" else invite.request_user
        called = self.number(called_digits, trunk)
        caller_digits = invite.headers.get(self.caller_header, "")
        caller = self.number(caller_digits, trunk)
        shown = caller.plus if caller else as_shown(caller_digits)
        return Parties(called or called_digits, shown, invite.anonymous, called_digits)

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
        stays as dialled. ``{us}`` in a header's value becomes our host.
        """
        user = self.written(called, trunk) if isinstance(called, E164) else called
        caller = self.written(shown, trunk)
        headers = (
            ()
            if self.caller_header == "From"
            else ((self.caller_header, f"<sip:{caller}@{{us}}>"),)
        )
        return FarSide(user, user, caller, headers)

    def to_sim(self, sim: E164, shown: str, trunk: Trunk) -> FarSide:
        """Hook: a call to a SIM of ours, by a trunk that serves them. ``shown``: what its phone
        shows: the digits of a deal or an extension, as they are, or a number of ours with its plus.
        """
        user = self.written(sim, trunk)
        caller = self.written(E164(shown[1:]), trunk) if shown[:1] == "+" else shown
        headers = (
            ()
            if self.caller_header == "From"
            else ((self.caller_header, f"<sip:{caller}@{{us}}>"),)
        )
        return FarSide(user, user, caller, headers)

    def diverted(self, number: E164, trunk: Trunk, withheld: bool) -> tuple[str, str]:
        """The header that tells the carrier by which number of ours a forwarded call came in (RFC
        5806). Why the PBX forwards is its own business; a caller who is to be hidden is not to be
        found by whom they called.
        """
        hides = ";privacy=full" if withheld else ""
        user = self.written(number, trunk)
        return "Diversion", f"<sip:{user}@{{us}}>;reason=unknown{hides}"

    def trunk_for(self, shown: E164) -> Trunk | None:
        """Hook: the trunk that serves the shown number's city, else the first that takes calls."""
        for trunk in self._taking:
            if trunk.area_code and shown.startswith(self.country_code + trunk.area_code):
                return trunk
        return self._taking[0] if self._taking else None

    def trunks_for(self, shown: E164) -> tuple[Trunk, ...]:
        """Every trunk that may take a call with this number shown, in the order to try: the hook's
        choice, then the others in the order of the file. Empty where the hook finds none.
        """
        first = self.trunk_for(shown)
        if first is None:
            return ()
        if len(self._taking) == 1 and self._taking[0] is first:
            return (first,)
        return (first, *[trunk for trunk in self._taking if trunk is not first])

    # -- afterwards ----------------------------------------------------------------------------

    def failure(self, status: int, cause: int = 0) -> Failure:
        """Hook: what a final SIP status of theirs means; ``cause``: that of Q.850 in their Reason
        header (RFC 3326), 0 where there is none.
        """
        if status in self.retry_elsewhere:
            return Failure.ELSEWHERE
        return Failure.BUSY if status in BUSY else Failure.FINAL

    def invoice(self, data: bytes, file_name: str) -> Invoice | None:
        """Hook: their invoice out of the file they send; None where this is not one, or where
        nobody has taught the carrier's file to read it.
        """
        return None


def as_shown(digits: str) -> str:
    """A short code that calls us is no E.164 number, and still worth showing; all else is not."""
    short = len(digits) <= LONGEST_CALLER and digits.isascii() and digits.isdecimal()
    return digits if short else ""
