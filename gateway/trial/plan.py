"""Works out a call: who would send it, how they write it, what is decided; opens nothing."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from carrier_adapters.contract import Carrier, FarSide, Invite, Parties, Trunk
from gateway.trial.known import Known
from number_registry.call import (
    Call,
    Peer,
    Reject,
    Rule,
    Side,
    ToCarrier,
    ToPbx,
    ToSim,
    Verdict,
)
from number_registry.dialling import national
from number_registry.e164 import E164
from number_registry.errors import RefuseError
from number_registry.model import Address, Pbx
from number_registry.pbx_profile import Profile
from number_registry.routing import decide


class NoOriginError(RefuseError):
    """Nobody is known who could send such a call; says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A call before it is placed.

    `invite` is what the sender writes: user parts and the headers that name the caller. `read` is
    what the gateway makes of it, `verdict` what it decides, `written` how the far side gets it.
    """

    peer: Peer
    source: Address
    invite: Invite
    read: Call
    verdict: Verdict
    written: FarSide | None
    far: tuple[Address, ...]

    @property
    def carrier(self) -> str:
        if isinstance(self.verdict, ToCarrier | ToSim):
            return self.verdict.carrier
        return self.peer.name if self.peer.side is Side.CARRIER else ""

    @property
    def pbx(self) -> str:
        if isinstance(self.verdict, ToPbx):
            return self.verdict.pbx
        return self.peer.name if self.peer.side is Side.PBX else ""

    @property
    def trace(self) -> tuple[Rule, ...]:
        return self.verdict.trace


def plan(known: Known, to: str, sender: str, lot: int = 0) -> Plan:
    """`to` and `sender`: an E164, or digits of an extension, a short code or a deal; a person who
    has a SIM of ours calls from there. `lot`: see Call.

    Raises NoOriginError.
    """
    directory = known.directory
    person = directory.sim(sender) if isinstance(sender, E164) else directory.staff(sender)
    if person is not None and person.mobile is not None:
        return _by_sims_trunk(known, person.mobile_carrier, to, person.mobile, lot)
    if isinstance(to, E164) and isinstance(sender, E164) and (whose := directory.sim(to)):
        return _by_sims_trunk(known, whose.mobile_carrier, to, sender, lot)
    pbx = _pbx_of(known, sender)
    if pbx is not None:
        return _from_pbx(known, pbx, to, sender, lot)
    if not isinstance(sender, E164):
        raise NoOriginError(f"{sender} is neither an extension of ours nor a full number")
    return _from_carrier(known, to, sender, lot)


# -- a call from a PBX ----------------------------------------------------------------------------


def _pbx_of(known: Known, sender: str) -> Pbx | None:
    """The PBX behind which this extension is, or that answers for this number of ours."""
    directory = known.directory
    if isinstance(sender, E164):
        number = directory.number(sender)
        return directory.pbx(number.pbx) if number is not None else None
    for pbx in directory.pbxs():
        person = directory.person(sender, pbx.name)
        if person is None:
            continue
        if person.pbx:
            return directory.pbx(person.pbx)
        number = directory.number(person.shown) if person.shown else None
        return directory.pbx(number.pbx) if number and number.pbx else pbx
    return None


def _from_pbx(known: Known, pbx: Pbx, to: str, sender: str, lot: int) -> Plan:
    if not pbx.addresses:
        raise NoOriginError(f"PBX {pbx.name} has no address, so it can send no call")
    dialled = to.plus if isinstance(to, E164) else to
    shown = sender.plus if isinstance(sender, E164) else sender
    peer = Peer(Side.PBX, pbx.name)
    invite = Invite(dialled, dialled, {"From": shown})
    return _decided(known, peer, pbx.addresses[0], invite, Call(peer, to, shown, lot=lot))


# -- a call from a carrier ------------------------------------------------------------------------


def _from_carrier(known: Known, to: str, sender: E164, lot: int) -> Plan:
    carrier, trunk = _renter(known, to)
    source = _source(carrier, trunk)
    peer = Peer(Side.CARRIER, carrier.name, trunk.name)
    invite = as_written(carrier, trunk, to, sender)
    parties = carrier.parties(invite, trunk)
    return _decided(known, peer, source, invite, _call(peer, parties, lot))


def _by_sims_trunk(known: Known, name: str, to: str, sender: E164, lot: int) -> Plan:
    """What the operator of our SIMs hands over: a call of one, or one to it from outside."""
    carrier = known.carriers.get(name)
    trunks = [one for one in carrier.trunks if one.serves == "sims"] if carrier else []
    if carrier is None or not trunks:
        raise NoOriginError(f"{name or 'nobody'} has no trunk that serves SIMs of ours")
    trunk = trunks[0]
    peer = Peer(Side.CARRIER, carrier.name, trunk.name)
    invite = as_written(carrier, trunk, to, sender)
    call = _call(peer, carrier.parties(invite, trunk), lot)._replace(from_sim=True)
    return _decided(known, peer, _source(carrier, trunk), invite, call)


def _renter(known: Known, to: str) -> tuple[Carrier, Trunk]:
    """The carrier that rents out the number; for a foreign number the first one there is."""
    number = known.directory.number(to) if isinstance(to, E164) else None
    names = [name for name, _ in number.tenancies] if number is not None else []
    for name in [*names, *known.carriers]:
        trunk = known.trunk_of_number(name, to)
        if trunk is not None:
            return known.carriers[name], trunk
    raise NoOriginError("no carrier is known that could bring a call from outside")


def _source(carrier: Carrier, trunk: Trunk) -> Address:
    """An address that the carrier's calls may come from: one of its gateways where allowed."""
    networks = [ipaddress.ip_network(source) for source in trunk.networks]
    for address in trunk.addresses:
        if any(ipaddress.ip_address(address.host) in network for network in networks):
            return address
    if not networks:
        raise NoOriginError(f"trunk {trunk.name} of {carrier.name} names no source network")
    return Address(str(networks[0].network_address))


def as_written(carrier: Carrier, trunk: Trunk, to: str, sender: E164) -> Invite:
    """The INVITE as this carrier writes it: the shortest digits that its own adapter reads back."""
    caller = carrier.written(sender, trunk)
    headers = {"From": trunk.name, carrier.caller_header: caller}
    full = carrier.written(to, trunk) if isinstance(to, E164) else to
    spellings = [full]
    if trunk.area_code and carrier.number_format == "national":
        spellings.insert(0, full[len(carrier.trunk_prefix) + len(trunk.area_code) :])
    for digits in spellings:
        invite = Invite(digits, digits, headers)
        if carrier.parties(invite, trunk).called == to:
            return invite
    return Invite(full, full, headers)


def _call(peer: Peer, parties: Parties, lot: int) -> Call:
    return Call(peer, parties.called, parties.caller, parties.withheld, lot)


def _trunks(known: Known, verdict: ToCarrier) -> list[tuple[Carrier, Trunk]]:
    """Every trunk that may take the call, in the order to try."""
    named = (known.carriers.get(name) for name in (verdict.carrier, *verdict.also))
    return [
        (carrier, trunk)
        for carrier in named
        if carrier is not None
        for trunk in carrier.trunks_for(verdict.shown)
    ]


# -- what becomes of it ---------------------------------------------------------------------------


def _decided(known: Known, peer: Peer, source: Address, invite: Invite, call: Call) -> Plan:
    verdict = decide(call, known.directory)
    written: FarSide | None = None
    far: tuple[Address, ...] = ()
    if isinstance(verdict, ToPbx):
        pbx = known.directory.pbx(verdict.pbx)
        profile = pbx.profile if pbx is not None else Profile()
        user = verdict.extension or _spelt(verdict.did, profile.did_format, profile)
        caller = E164.maybe(verdict.caller.removeprefix("+"))
        form = profile.caller_format or profile.did_format
        shown = _spelt(caller, form, profile) if caller else verdict.caller
        written, far = FarSide(user, user, shown), verdict.addresses
    elif isinstance(verdict, ToCarrier):
        trunks = _trunks(known, verdict)
        if not trunks:
            trace = verdict.trace
            verdict = Reject(503, "the carrier has no trunk that takes calls", trace)
        else:
            carrier, trunk = trunks[0]
            written = carrier.far_side(verdict.called, verdict.shown, trunk)
            seed = invite.request_user
            far = tuple(address for _, one in trunks for address in one.in_order(seed))
    elif isinstance(verdict, ToSim):
        operator = known.carriers.get(verdict.carrier)
        sims = operator.sims_trunks if operator is not None else ()
        if operator is None or not sims:
            verdict = Reject(503, "its operator has no trunk to our SIMs", verdict.trace)
        else:
            written = operator.to_sim(verdict.called, verdict.shown, sims[0])
            far = tuple(one for trunk in sims for one in trunk.in_order(invite.request_user))
    return Plan(peer, source, invite, call, verdict, written, far)


def _spelt(number: E164, form: str, profile: Profile) -> str:
    """A number as a PBX's profile wants it written."""
    if form == "national":
        return national(number, profile.plan)
    return number.plus if form == "plus" else str(number)
