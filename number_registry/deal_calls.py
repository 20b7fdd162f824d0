"""Calls by deals: a client who is put through to an agent, an agent who dials a client, a client
who is known as they come in; pure, and the numbers that it hides stand in no trace.
"""

from __future__ import annotations

from number_registry import colleagues, forwarding
from number_registry.call import Call, Reject, Rule, ToCarrier, ToPbx, ToSim, Verdict
from number_registry.deals import Deal, Dialled
from number_registry.directory import Directory, NumberRoute
from number_registry.e164 import E164
from number_registry.model import Person
from number_registry.reach import answered, carriers_to_show, reject, ring, ring_sim

Trace = list[Rule]
UNKNOWN = "deal_unknown"
MOST_BACK = 2  # rounds between PBXs after which operators are not asked once more
_OVER = {"closed": "deal_closed", "expired": "deal_expired"}


def transfer(call: Call, said: Dialled, directory: Directory, trace: Trace) -> ToSim | Reject:
    """``203*4711`` dialled at a PBX: the agent's phone rings and shows the deal."""
    deal = _usable(said, said.agent, directory, trace)
    if isinstance(deal, Reject):
        return deal
    if why := forwarding.circle(call, shared=_is_ours(call.caller, directory)):
        return reject(482, f"the call goes in circles: {why}", trace, deal=deal.id)
    agent = directory.staff(deal.agent)
    if agent is None:
        said_so = f"extension {deal.agent} is nobody's any more"
        return reject(480, said_so, trace, deal=deal.id, agent=deal.agent)
    return ring_sim(agent, deal.id, trace, deal.id)


def ask_for(call: Call, person: Person, directory: Directory, trace: Trace) -> Verdict:
    """``203`` from a PBX: whoever stands behind the leg gets the agent by their open deal, a
    colleague as roles say; anybody else gets operators.
    """
    if why := forwarding.circle(call, shared=_is_ours(call.caller, directory)):
        return reject(482, f"the call goes in circles: {why}", trace, agent=person.extension)
    client = _outside(call.behind.client)
    colleague = directory.sim(client) if client is not None else None
    if client is not None and colleague is None and directory.number(client) is not None:
        client = None  # the PBX wrote a number of ours over whoever it was
    if client is None:
        colleague = directory.person(call.caller, call.peer.name)
    deal = directory.deal_between(person.extension, client) if client is not None else None
    if client is None and deal is None:
        deal = _only_one_waiting(call, person, directory, trace)
    if deal is not None:
        trace.append(("deal", f"{deal.id} is open between them: its agent rings"))
        return ring_sim(person, deal.id, trace, deal.id)
    if colleague is not None:
        return colleagues.reach(call, colleague, person, directory, trace)
    said = "no deal is open between them" if client is not None else "nobody knows who asks"
    trace.append(("deal", f"{said}: operators take the call for {person.extension}"))
    return _back_to_operators(call, person, client, directory, trace)


def _only_one_waiting(
    call: Call, person: Person, directory: Directory, trace: Trace
) -> Deal | None:
    """Where a leg says nothing of its client: there may be just one at that PBX who can be meant,
    as far as live calls are known.
    """
    waiting = call.waiting
    if len(waiting) == 1:
        deal = directory.deal(waiting[0])
        if deal is not None and deal.agent == person.extension and _is_open(deal, directory):
            trace.append(("client", "just one is live at that PBX with a deal of this agent"))
            return deal
    elif waiting:
        trace.append(("client", f"{len(waiting)} of this agent's clients are live at that PBX"))
    return None


def _back_to_operators(
    call: Call, person: Person, client: E164 | None, directory: Directory, trace: Trace
) -> ToPbx | Reject:
    """A few times in a conversation: a PBX that sends it here by itself would go on for ever."""
    behind = call.behind
    if behind.rounds >= MOST_BACK:
        said = "operators were asked already, and the PBX sends the call here again"
        return reject(480, said, trace, agent=person.extension)
    came_by = None
    for number in (E164.maybe(behind.came_by) if behind.conversation else None, *behind.diverted):
        route = directory.number(number) if number is not None else None
        if route is not None and answered(route):
            came_by = number
            break
    caller = client.plus if client is not None else call.caller
    rung = colleagues.operators(call, person, came_by, caller, directory, trace)
    return rung._replace(masked=False) if isinstance(rung, ToPbx) else rung


def dialled(
    call: Call, me: Person, said: Dialled, directory: Directory, trace: Trace
) -> ToCarrier | ToPbx | ToSim | Reject:
    """``4711`` or ``4711*2`` dialled by the deal's own agent. Anybody else hears what they would
    hear of a deal that does not exist.
    """
    own = me.extension
    deal = _usable(said, own, directory, trace)
    if isinstance(deal, Reject):
        return deal
    numbers = deal.parties[said.party - 1]
    outside = [one for one in numbers if not _stays_inside(one, directory)]
    if not outside:
        return _inside(call, deal, numbers[0], own, directory, trace)
    city = directory.number(deal.city)
    carriers = carriers_to_show(city) if city is not None else ()
    if not carriers:
        said_so = f"{deal.city.plus} is in service with no carrier, so it may not be shown"
        return reject(403, said_so, trace, deal=deal.id, agent=own)
    carrier, *also = carriers
    trace.append(("carrier", f"{deal.city.plus} is shown, which is rented from {carrier}"))
    first, *others = outside
    return ToCarrier(
        carrier, first, deal.city, False, tuple(trace), tuple(also), False, True, deal.id, own,
        tuple(others),
    )  # fmt: skip


def _inside(
    call: Call, deal: Deal, number: E164, own: str, directory: Directory, trace: Trace
) -> ToPbx | ToSim | Reject:
    """The deal's party is at a number of ours: a SIM (an agent may be somebody's client) or one on
    a PBX. The call does not leave, and the city number is shown as it would be outside.
    """
    if (person := directory.sim(number)) is not None:
        return ring_sim(person, deal.city.plus, trace, deal.id)
    route = directory.number(number)
    if route is None:
        return reject(480, "the deal's party cannot be reached", trace, deal=deal.id, agent=own)
    trace.append(("inside", "the deal leads to a number of ours: the call stays inside"))
    rung = ring(number, route, deal.city.plus, False, call.lot, directory, trace)
    return colleagues.mine(rung, own, deal.id)


def connected(
    call: Call, did: E164, number: NumberRoute, directory: Directory, trace: Trace
) -> ToSim | None:
    """A client with a deal that connects by itself calls its city number: the agent rings, and
    operators where that does not help. None for whoever has no such deal.
    """
    outside = _outside(call.caller)
    deal = directory.deal_of(outside) if outside is not None else None
    if deal is None or deal.city != did:
        return None
    agent = directory.staff(deal.agent)
    if agent is None or agent.mobile is None:
        trace.append(("deal", f"{deal.id} connects by itself, but {deal.agent} has no SIM"))
        return None
    trace.append(("deal", f"{deal.id} connects by itself: {deal.agent} rings before operators"))
    rung = ring(did, number, call.caller, call.withheld, call.lot, directory, list(trace))
    found = ring_sim(agent, deal.id, trace, deal.id)
    if isinstance(found, Reject):
        return None
    instead = rung._replace(masked=True, deal=deal.id) if isinstance(rung, ToPbx) else None
    return found._replace(operators=instead)


def _usable(said: Dialled, agent: str, directory: Directory, trace: Trace) -> Deal | Reject:
    """The deal that was dialled, if it connects with this agent now and has such a party."""
    deal = directory.deal(said.id)
    if deal is None:
        return reject(404, f"there is no deal {said.id}", trace, UNKNOWN, said.id, agent)
    if deal.agent != agent:
        of_whom = f"deal {said.id} is of {deal.agent}, not of {agent}"
        return reject(404, of_whom, trace, UNKNOWN, said.id, agent)
    state = deal.state(directory.now())
    if state != "open":
        return reject(410, f"deal {said.id} is {state}", trace, _OVER[state], said.id, agent)
    if said.party > len(deal.parties) or not deal.parties[said.party - 1]:
        no_party = f"deal {said.id} has no party {said.party}"
        return reject(404, no_party, trace, UNKNOWN, said.id, agent)
    trace.append(("deal", f"{said.id} of {agent} is open, party {said.party}"))
    return deal


def _is_open(deal: Deal, directory: Directory) -> bool:
    return deal.state(directory.now()) == "open"


def _stays_inside(number: E164, directory: Directory) -> bool:
    if directory.sim(number) is not None:
        return True
    route = directory.number(number)
    return route is not None and answered(route)


def _outside(caller: str) -> E164 | None:
    """A caller as a full number; extensions and short codes are none."""
    return E164.maybe(caller[1:]) if caller[:1] == "+" else None


def _is_ours(caller: str, directory: Directory) -> bool:
    number = _outside(caller)
    return number is not None and directory.number(number) is not None
