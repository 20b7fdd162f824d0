"""decide(call, directory) -> Verdict: where a new call goes and why; pure, so Kamailio, `explain`
and tests agree.

What it must not do: no I/O, no SIP, no carrier's peculiarities (those were read away before, and
are written after).
"""

from __future__ import annotations

from collections.abc import Sequence

from number_registry import forwarding
from number_registry.call import Call, Reject, Rule, Side, ToCarrier, ToPbx, Verdict
from number_registry.dialling import plain
from number_registry.directory import Directory, NumberRoute
from number_registry.e164 import E164
from number_registry.model import ANSWERED_STATES, SHOWABLE_STATES, PbxState, State

# Whose carrier would only bring the call back to be refused: it is ours, and out of service.
_OUT_OF_SERVICE = frozenset({State.SUSPENDED})
Trace = list[Rule]


def decide(call: Call, directory: Directory) -> Verdict:
    """The verdict on one new call. Emergency numbers come before every other rule, for whoever
    dials: a PBX's caller or a SIM of ours. Any other call of a carrier's is one to a number.
    """
    if call.peer.side is Side.CARRIER and not call.from_sim:
        return _from_carrier(call, directory)
    digits = plain(call.called)
    if digits in directory.emergency():
        return _emergency(call, digits, directory)
    return _from_carrier(call, directory) if call.from_sim else _from_pbx(call, directory)


def _from_carrier(call: Call, directory: Directory) -> Verdict:
    """A call to one of our numbers. Every refusal is the same 404, so answers do not tell numbers
    apart.
    """
    (_, carrier, trunk), did, caller, withheld, lot, from_sim, _, again, _ = call
    trace = [("from", f"carrier {carrier}, trunk {trunk}")]
    if again and (why := forwarding.comes_back(call)):
        return _reject(482, f"the call goes in circles: {why}", trace)
    if not isinstance(did, E164):
        return _reject(404, "the called digits are not a full number", trace)
    number = directory.number(did)
    if number is None:
        return _reject(404, f"+{did} is not a number of ours", trace)
    state = _tenancy(number, carrier)
    if state is None and from_sim and _answered(number):
        trace.append(("inside", f"+{did} is ours: the call of a SIM of ours stays inside"))
        return _ring(did, number, caller, withheld, lot, directory, trace)
    if state is None:
        return _reject(404, f"+{did} is not rented from {carrier}", trace)
    if state not in ANSWERED_STATES:
        return _reject(404, f"+{did} is {state.label} with {carrier}", trace)
    trace.append(("number", f"+{did} is {state.label} with {carrier}"))
    return _ring(did, number, caller, withheld, lot, directory, trace)


def _from_pbx(call: Call, directory: Directory) -> Verdict:
    """A call out: it shows one of our numbers, and leaves by the carrier that rents that number
    out.
    """
    trace = [("from", f"PBX {call.peer.name}")]
    if not isinstance(call.called, E164):
        return _reject(404, f"{call.called[:20]!r} is not a number that can be dialled out", trace)
    forwarding.note(call, trace)
    shown, number, caller = _shown(call, directory, trace)
    if shown is None or number is None:
        return _reject(403, "no number of ours may be shown for this caller", trace)
    own = directory.number(call.called)
    if own is not None and (inside := _inside(call, own, shown, caller, directory, trace)):
        return inside
    carriers = _carriers_to_show(number)
    if not carriers:
        return _reject(
            403, f"{shown.plus} is in service with no carrier, so it may not be shown", trace
        )
    carrier, *also = carriers
    trace.append(("carrier", f"{shown.plus} is rented from {carrier}: the call leaves there"))
    forwarded = caller != shown.plus
    return ToCarrier(carrier, call.called, shown, False, tuple(trace), tuple(also), forwarded)


def _inside(
    call: Call,
    own: NumberRoute,
    shown: E164,
    caller: str,
    directory: Directory,
    trace: Trace,
) -> ToPbx | Reject | None:
    """A call to a number of ours does not leave; None for one that has left us, or is not here yet,
    where the phone network knows better.
    """
    number = f"+{call.called}"
    if not _answered(own):
        if any(state in _OUT_OF_SERVICE for _, state in own.tenancies):
            return _reject(404, f"{number} is ours and suspended", trace)
        return None
    trace.append(("inside", f"{number} is ours: the call stays inside"))
    if why := forwarding.circle(call, shared=call.caller == shown.plus):
        return _reject(482, f"the call goes in circles: {why}", trace)
    return _ring(E164(call.called), own, caller, call.withheld, call.lot, directory, trace)


def _answered(number: NumberRoute) -> bool:
    return any(state in ANSWERED_STATES for _, state in number.tenancies)


def _emergency(call: Call, digits: str, directory: Directory) -> Verdict:
    """Rescue services: by the carrier of the caller's site, with the site's call-back number,
    before every limit.
    """
    trace = [("emergency", f"{digits} is an emergency number: it comes before every other rule")]
    person = directory.person(call.caller, call.peer.name)
    site = directory.site(person.site if person else "")
    if site is None:
        return _reject(503, "no site is known whose carrier could take the call", trace)
    shown = _showable_caller(call, site.carrier, directory) or site.callback
    trace.append(("site", f"site {site.name}: by {site.carrier}, showing {shown.plus}"))
    number = directory.number(shown)
    others = _carriers_to_show(number) if number is not None else ()
    also = tuple([name for name in others if name != site.carrier])
    return ToCarrier(site.carrier, digits, shown, True, tuple(trace), also)


def _ring(
    did: E164,
    number: NumberRoute,
    caller: str,
    withheld: bool,
    lot: int,
    directory: Directory,
    trace: Trace,
) -> ToPbx | Reject:
    _, name, scenario, other, percent = number
    if percent and other:
        name = _share(name, other, percent, lot, directory, trace)
    if not name:
        return _reject(480, f"+{did} is attached to no PBX", trace)
    pbx = directory.pbx(name)
    if pbx is None or not (pbx.addresses or pbx.registers):
        return _reject(480, f"PBX {name} has no address", trace)
    if pbx.state is not PbxState.IN_SERVICE:
        return _reject(480, f"PBX {name} is suspended", trace)
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


def _shown(
    call: Call, directory: Directory, trace: Trace
) -> tuple[E164 | None, NumberRoute | None, str]:
    """The number that the called party sees: the caller's own if it is ours, attached to this PBX
    or not (a number that has moved is still shown by phones that have not, and one of our numbers
    may be the caller whom a PBX forwards); that of the extension's person, or, for somebody
    outside whom the PBX forwards, the one they called. The text is who calls, as a PBX of ours may
    see it.
    """
    own = E164.maybe(call.caller.removeprefix("+"))
    number = directory.number(own) if own is not None else None
    if own is not None and number is not None:
        trace.append(("shown", f"the PBX shows {own.plus}, which is ours"))
        return own, number, own.plus
    person = directory.person(call.caller, call.peer.name)
    if person is not None:
        if person.shown is None:
            trace.append(("shown", f"extension {person.extension} has no number to show"))
            return None, None, ""
        said = f"extension {person.extension} ({person.role}) shows {person.shown.plus}"
        trace.append(("shown", said))
        return person.shown, directory.number(person.shown), person.shown.plus
    said = f"caller {call.caller[:20]!r} is neither a number nor an extension of ours"
    trace.append(("shown", said))
    did = forwarding.number_called(call, directory, trace)
    if did is None:
        return None, None, ""
    # Whoever else is called may see them only where a PBX of ours would have, had they called it.
    return did, directory.number(did), call.caller if own is not None else ""


def _tenancy(number: NumberRoute, carrier: str) -> State | None:
    for name, state in number.tenancies:
        if name == carrier:
            return state
    return None


def _carriers_to_show(number: NumberRoute) -> Sequence[str]:
    """The carriers that vouch for the number: where it is in service before the one it leaves."""
    usable = [(state, name) for name, state in number.tenancies if state in SHOWABLE_STATES]
    # IN_SERVICE sorts before PORTING_OUT
    return [name for _, name in (sorted(usable) if len(usable) > 1 else usable)]


def _showable(e164: E164, carrier: str, directory: Directory) -> E164 | None:
    number = directory.number(e164)
    return e164 if number is not None and _tenancy(number, carrier) in SHOWABLE_STATES else None


def _showable_caller(call: Call, carrier: str, directory: Directory) -> E164 | None:
    own = E164.maybe(call.caller.removeprefix("+"))
    return _showable(own, carrier, directory) if own is not None else None


def _reject(status: int, reason: str, trace: Trace) -> Reject:
    return Reject(status, reason, (*trace, ("refused", f"{status}: {reason}")))
