"""decide(call, directory) -> Verdict: where a new call goes and why; pure, so Kamailio, `explain`
and tests agree.

What it must not do: no I/O, no SIP, no carrier's peculiarities (those were read away before, and
are written after).
"""

from __future__ import annotations

from number_registry import colleagues, deal_calls, deals, forwarding
from number_registry.call import Call, Reject, Rule, Side, ToCarrier, ToPbx, Verdict
from number_registry.dialling import plain
from number_registry.directory import Directory, NumberRoute
from number_registry.e164 import E164
from number_registry.model import ANSWERED_STATES, Person
from number_registry.reach import (
    OUT_OF_SERVICE,
    answered,
    carriers_to_show,
    reject,
    ring,
    showable,
    tenancy,
)

Trace = list[Rule]


def decide(call: Call, directory: Directory) -> Verdict:
    """The verdict on one new call. Emergency numbers come before every other rule, for whoever
    dials: a PBX's caller or a SIM of ours. Any other call of a carrier's is one to a number, or to
    a SIM.
    """
    if call.peer.side is Side.CARRIER and not call.from_sim:
        return _from_carrier(call, directory)
    digits = plain(call.called)
    if digits in directory.emergency():
        return _emergency(call, digits, directory)
    return _from_sim(call, directory) if call.from_sim else _from_pbx(call, directory)


def _from_carrier(call: Call, directory: Directory) -> Verdict:
    """A call to one of our numbers. Every refusal is the same 404, so answers do not tell numbers
    apart.
    """
    (_, carrier, trunk), did, caller, withheld, lot, from_sim, _, again, _, _ = call
    trace = [("from", f"carrier {carrier}, trunk {trunk}")]
    if again and (why := forwarding.comes_back(call)):
        return reject(482, f"the call goes in circles: {why}", trace)
    if not isinstance(did, E164):
        return reject(404, "the called digits are not a full number", trace)
    number = directory.number(did)
    if (number is None or not number.pbx) and (person := directory.sim(did)) is not None:
        return _to_sim(call, person, directory, trace)
    if number is None:
        return reject(404, f"+{did} is not a number of ours", trace)
    state = tenancy(number, carrier)
    if state is None and from_sim and answered(number):
        trace.append(("inside", f"+{did} is ours: the call of a SIM of ours stays inside"))
        return ring(did, number, caller, withheld, lot, directory, trace)
    if state is None:
        return reject(404, f"+{did} is not rented from {carrier}", trace)
    if state not in ANSWERED_STATES:
        return reject(404, f"+{did} is {state.label} with {carrier}", trace)
    trace.append(("number", f"+{did} is {state.label} with {carrier}"))
    if directory.auto_connects:
        found = deal_calls.connected(call, did, number, directory, trace)
        if found is not None:
            return found
    return ring(did, number, caller, withheld, lot, directory, trace)


def _to_sim(call: Call, person: Person, directory: Directory, trace: Trace) -> ToPbx | Reject:
    """Somebody outside calls a SIM of ours: the phone never rings, operators answer."""
    if person.mobile_carrier != call.peer.name:
        return reject(404, f"the SIM is not one of {call.peer.name}", trace)
    trace.append(("sim", f"the SIM of {person.extension} was called from outside"))
    return colleagues.operators(call, person, None, call.caller, directory, trace)


def _from_sim(call: Call, directory: Directory) -> Verdict:
    """A call that the operator of our SIMs hands over: one of our people dials, or somebody outside
    calls a SIM.
    """
    called, caller = call.called, E164.maybe(call.caller[1:])
    me = directory.sim(caller) if caller is not None else None
    if me is None or me.mobile_carrier != call.peer.name:
        return _from_nobody(call, directory)
    trace = [("from", f"carrier {call.peer.name}, trunk {call.peer.trunk}")]
    trace.append(("caller", f"the SIM of {me.extension} ({me.role})"))
    if call.again and (why := forwarding.comes_back(call)):
        return reject(482, f"the call goes in circles: {why}", trace, agent=me.extension)
    if isinstance(called, E164):
        return _number_of_sim(call, me, called, directory, trace)
    digits = plain(called)
    if (person := directory.staff(digits)) is not None:
        return colleagues.reach(call, me, person, directory, trace)
    said = deals.dialled(digits)
    if said is None or said.agent:
        said_so = f"{called[:20]!r} is no number, extension or deal"
        return reject(404, said_so, trace, deal_calls.UNKNOWN, agent=me.extension)
    return deal_calls.dialled(call, me, said, directory, trace)


def _from_nobody(call: Call, directory: Directory) -> Verdict:
    """By the trunk of our SIMs, but of no SIM that anybody has: somebody outside, who may call what
    rings for everybody, and nothing else.
    """
    called = call.called
    if isinstance(called, E164) and (directory.number(called) or directory.sim(called)):
        return _from_carrier(call, directory)
    trace = [("from", f"carrier {call.peer.name}, trunk {call.peer.trunk}")]
    return reject(403, "the caller has no SIM of ours", trace, colleagues.NOT_ALLOWED)


def _number_of_sim(
    call: Call, me: Person, called: E164, directory: Directory, trace: Trace
) -> Verdict:
    """One of our people dials a full number on the mobile: a colleague's SIM, a number of ours, or
    the world outside where their role allows that.
    """
    own = me.extension
    if (person := directory.sim(called)) is not None:
        return colleagues.reach(call, me, person, directory, trace)
    number = directory.number(called)
    if number is not None and answered(number):
        trace.append(("inside", f"{called.plus} is ours: the call of a SIM of ours stays inside"))
        rung = ring(called, number, own, False, call.lot, directory, trace)
        return colleagues.mine(rung, own)
    if number is not None and any(state in OUT_OF_SERVICE for _, state in number.tenancies):
        return reject(404, f"{called.plus} is ours and suspended", trace, agent=own)
    if me.dials_outside != "allowed":
        said = f"a {me.role} dials outside by deals only"
        return reject(403, said, trace, colleagues.NOT_ALLOWED, agent=own)
    shown = directory.number(me.shown) if me.shown is not None else None
    carriers = carriers_to_show(shown) if shown is not None else ()
    if me.shown is None or not carriers:
        return reject(403, f"{own} has no number that may be shown", trace, agent=own)
    carrier, *also = carriers
    trace.append(("carrier", f"{me.shown.plus} is shown, which is rented from {carrier}"))
    told = tuple(trace)
    return ToCarrier(carrier, called, me.shown, False, told, tuple(also), masked=True, agent=own)


def _from_pbx(call: Call, directory: Directory) -> Verdict:
    """A call out: it shows one of our numbers, and leaves by the carrier that rents that number
    out.
    """
    trace = [("from", f"PBX {call.peer.name}")]
    if not isinstance(call.called, E164):
        return _digits_of_pbx(call, directory, trace)
    forwarding.note(call, trace)
    if (person := directory.sim(call.called)) is not None:
        return deal_calls.ask_for(call, person, directory, trace)
    shown, number, caller = _shown(call, directory, trace)
    if shown is None or number is None:
        return reject(403, "no number of ours may be shown for this caller", trace)
    own = directory.number(call.called)
    if own is not None and (inside := _inside(call, own, shown, caller, directory, trace)):
        return inside
    carriers = carriers_to_show(number)
    if not carriers:
        return reject(
            403, f"{shown.plus} is in service with no carrier, so it may not be shown", trace
        )
    carrier, *also = carriers
    trace.append(("carrier", f"{shown.plus} is rented from {carrier}: the call leaves there"))
    forwarded = caller != shown.plus
    return ToCarrier(carrier, call.called, shown, False, tuple(trace), tuple(also), forwarded)


def _digits_of_pbx(call: Call, directory: Directory, trace: Trace) -> Verdict:
    """Digits that are no full number: an agent by a deal (``203*4711``), an agent (``203``), or a
    deal that its own agent dials from a desk.
    """
    digits = plain(call.called)
    forwarding.note(call, trace)
    person = directory.staff(digits)
    if person is not None and person.mobile is not None:
        return deal_calls.ask_for(call, person, directory, trace)
    said = deals.dialled(digits) if person is None else None
    if said is not None and said.agent:
        return deal_calls.transfer(call, said, directory, trace)
    me = directory.person(call.caller, call.peer.name)
    if said is not None and me is not None and directory.deal(said.id) is not None:
        return deal_calls.dialled(call, me, said, directory, trace)
    return reject(404, f"{call.called[:20]!r} is not a number that can be dialled out", trace)


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
    if not answered(own):
        if any(state in OUT_OF_SERVICE for _, state in own.tenancies):
            return reject(404, f"{number} is ours and suspended", trace)
        return None
    trace.append(("inside", f"{number} is ours: the call stays inside"))
    if why := forwarding.circle(call, shared=call.caller == shown.plus):
        return reject(482, f"the call goes in circles: {why}", trace)
    return ring(E164(call.called), own, caller, call.withheld, call.lot, directory, trace)


def _emergency(call: Call, digits: str, directory: Directory) -> Verdict:
    """Rescue services: by the carrier of the caller's site, with the site's call-back number,
    before every limit.
    """
    trace = [("emergency", f"{digits} is an emergency number: it comes before every other rule")]
    if call.from_sim:
        own = E164.maybe(call.caller[1:])
        person = directory.sim(own) if own is not None else None
    else:
        person = directory.person(call.caller, call.peer.name)
    site = directory.site(person.site if person else "")
    if site is None:
        return reject(503, "no site is known whose carrier could take the call", trace)
    shown = _showable_caller(call, site.carrier, directory) or site.callback
    trace.append(("site", f"site {site.name}: by {site.carrier}, showing {shown.plus}"))
    number = directory.number(shown)
    others = carriers_to_show(number) if number is not None else ()
    also = tuple([name for name in others if name != site.carrier])
    return ToCarrier(site.carrier, digits, shown, True, tuple(trace), also)


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


def _showable_caller(call: Call, carrier: str, directory: Directory) -> E164 | None:
    own = E164.maybe(call.caller.removeprefix("+"))
    return showable(own, carrier, directory) if own is not None else None
