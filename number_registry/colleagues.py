"""Calls to one of our people who has a SIM of ours or an extension: by whom they may be rung, how
they are reached, and when operators take the call instead; pure, and it knows no deals.
"""

from __future__ import annotations

from number_registry.call import Call, Reject, Rule, ToPbx, ToSim
from number_registry.directory import Directory, NumberRoute
from number_registry.e164 import E164
from number_registry.model import PbxState, Person
from number_registry.reach import answered, reject, ring, ring_sim

Trace = list[Rule]
ANYONE = "anyone"
NOT_ALLOWED = "not_allowed"


def may_ring(caller: Person, called: Person) -> bool:
    """Whether the called person's role lets this one of us ring them."""
    return ANYONE in called.rung_by or caller.role in called.rung_by


def reach(
    call: Call, caller: Person, called: Person, directory: Directory, trace: Trace
) -> ToSim | ToPbx | Reject:
    """One of us rings another by extension: their SIM, else a number that is theirs alone, else
    their extension behind its PBX. They see the caller's extension, never a SIM's number.
    """
    own, to = caller.extension, called.extension
    if not may_ring(caller, called):
        said = f"a {caller.role} may not ring a {called.role}: only a deal or an operator may"
        return reject(403, said, trace, NOT_ALLOWED, agent=own)
    trace.append(("inside", f"{own} ({caller.role}) rings {to} ({called.role})"))
    if called.mobile is not None:
        return ring_sim(called, own, trace)
    number = directory.number(called.shown) if called.shown is not None else None
    if called.shown is None or number is None:
        return reject(480, f"no PBX is known where {to} is", trace, agent=own)
    if called.shows == "own":
        rung = ring(called.shown, number, own, False, call.lot, directory, trace)
    else:
        rung = _extension(called, called.shown, number, own, directory, trace)
    return mine(rung, own)


def _extension(
    called: Person,
    did: E164,
    number: NumberRoute,
    caller: str,
    directory: Directory,
    trace: Trace,
) -> ToPbx | Reject:
    """The extension itself, at its own PBX, else at the one where its department's number is."""
    name = called.pbx or number.pbx
    pbx = directory.pbx(name)
    if pbx is None or not (pbx.addresses or pbx.registers) or pbx.state is not PbxState.IN_SERVICE:
        return reject(480, f"PBX {name or 'of nobody'} takes no calls", trace)
    trace.append(("pbx", f"extension {called.extension} is behind PBX {name}"))
    told, extension = tuple(trace), called.extension
    return ToPbx(name, pbx.addresses, did, caller, False, told, extension=extension)


def operators(
    call: Call,
    person: Person,
    came_by: E164 | None,
    caller: str,
    directory: Directory,
    trace: Trace,
) -> ToPbx | Reject:
    """Whoever asks for a person who may not be rung like that reaches operators: the PBX at the
    number by which they came, else at that of the person's city or department. Masked, because
    nobody shall see the number of a SIM that was dialled.
    """
    did = came_by or person.shown
    number = directory.number(did) if did is not None else None
    if did is None or number is None or not answered(number):
        said = f"no number is known whose operators answer for {person.extension}"
        return reject(480, said, trace, agent=person.extension)
    trace.append(("operators", f"operators answer for {person.extension}, at {did.plus}"))
    return mine(ring(did, number, caller, call.withheld, call.lot, directory, trace), "")


def mine(verdict: ToPbx | Reject, agent: str, deal: str = "") -> ToPbx | Reject:
    """The same as a masked call of this agent, or by this deal."""
    if isinstance(verdict, ToPbx):
        return verdict._replace(masked=True, agent=agent, deal=deal)
    return verdict._replace(agent=agent, deal=deal)
