"""What every decision asks: whether a number of ours is answered, which PBX rings, whose carrier
vouches for it, how a SIM of ours is rung; pure, and it decides no call by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from number_registry.call import Reject, Rule, ToPbx, ToSim
from number_registry.directory import Directory, NumberRoute
from number_registry.e164 import E164
from number_registry.model import ANSWERED_STATES, SHOWABLE_STATES, PbxState, Person, State

# Whose carrier would only bring the call back to be refused: it is ours, and out of service.
OUT_OF_SERVICE = frozenset({State.SUSPENDED})
Trace = list[Rule]


def answered(number: NumberRoute) -> bool:
    """Whether calls to it ring, by whichever contract."""
    return any(state in ANSWERED_STATES for _, state in number.tenancies)


def tenancy(number: NumberRoute, carrier: str) -> State | None:
    """Its state under the contract with this carrier; None where there is none."""
    for name, state in number.tenancies:
        if name == carrier:
            return state
    return None


def carriers_to_show(number: NumberRoute) -> Sequence[str]:
    """The carriers that vouch for the number: where it is in service before the one it leaves."""
    usable = [(state, name) for name, state in number.tenancies if state in SHOWABLE_STATES]
    # IN_SERVICE sorts before PORTING_OUT
    return [name for _, name in (sorted(usable) if len(usable) > 1 else usable)]


def showable(e164: E164, carrier: str, directory: Directory) -> E164 | None:
    """The number, if it is ours and this carrier vouches for it."""
    number = directory.number(e164)
    return e164 if number is not None and tenancy(number, carrier) in SHOWABLE_STATES else None


def ring(
    did: E164,
    number: NumberRoute,
    caller: str,
    withheld: bool,
    lot: int,
    directory: Directory,
    trace: Trace,
) -> ToPbx | Reject:
    """The PBX that answers for the number, or why none does."""
    _, name, scenario, other, percent = number
    if percent and other:
        name = _share(name, other, percent, lot, directory, trace)
    if not name:
        return reject(480, f"+{did} is attached to no PBX", trace)
    pbx = directory.pbx(name)
    if pbx is None or not (pbx.addresses or pbx.registers):
        return reject(480, f"PBX {name} has no address", trace)
    if pbx.state is not PbxState.IN_SERVICE:
        return reject(480, f"PBX {name} is suspended", trace)
    trace.append(("pbx", f"+{did} is attached to PBX {name}, scenario {scenario.label}"))
    return ToPbx(name, pbx.addresses, did, caller, withheld, tuple(trace))


def _share(
    name: str, other: str, percent: int, lot: int, directory: Directory, trace: Trace
) -> str:
    """Which of two PBXs takes this call. One that cannot ring leaves its share to the first."""
    if lot >= percent:
        trace.append(("share", f"lot {lot}: PBX {other} takes those below {percent}"))
        return name
    pbx = directory.pbx(other)
    if pbx is None or not (pbx.addresses or pbx.registers) or pbx.state is not PbxState.IN_SERVICE:
        trace.append(("share", f"lot {lot} is for PBX {other}, which takes no calls now"))
        return name
    trace.append(("share", f"lot {lot}: PBX {other} takes those below {percent}, so this one"))
    return other


def ring_sim(person: Person, shown: str, trace: Trace, deal: str = "") -> ToSim | Reject:
    """The phone of one of our people, by the operator of its SIM. ``shown``: see ToSim."""
    extension = person.extension
    if person.mobile is None:
        return reject(480, f"{extension} has no SIM", trace, deal=deal, agent=extension)
    trace.append(("sim", f"rings the SIM of {extension}, which shows {shown}"))
    return ToSim(person.mobile_carrier, person.mobile, shown, tuple(trace), deal, extension)


def reject(
    status: int, reason: str, trace: Trace, announce: str = "", deal: str = "", agent: str = ""
) -> Reject:
    """The refusal, told in the trace too."""
    told = (*trace, ("refused", f"{status}: {reason}"))
    return Reject(status, reason, told, announce, deal, agent)
