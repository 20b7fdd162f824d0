"""From a verdict to what is written: user parts, identities and addresses of the far side; pure, it
sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from carrier_adapters.contract import Carrier, FarSide, Trunk
from number_registry.call import ToCarrier, ToPbx, ToSim
from number_registry.dialling import DialPlan, national
from number_registry.e164 import E164
from number_registry.model import Address, Pbx

ANONYMOUS = "sip:anonymous@anonymous.invalid"  # RFC 3261, section 8.1.1.3
# Sealed, so that it says nothing to anybody; a PBX that returns it tells which call it goes on with
CORRELATION = "X-Portgate-Conversation"
NO_OTHERS: Mapping[str, str] = MappingProxyType({})


class Plan(NamedTuple):
    """Where a call goes and how it is written there: to a PBX, or to one trunk of a carrier (``to``
    is its name; ``trunk`` is empty for a PBX). ``user``: of the Request-URI; ``from_uri`` in full;
    ``guests``, ``media``: see Sealed. ``asks``: it wants credentials. ``masked``: see ToPbx.
    ``turn``: which phone it leads to, where a call may ring several, one after the other;
    ``anyway``: this one rings whatever became of those before, a person's no included.
    """

    to: str
    trunk: str
    user: str
    to_user: str
    from_user: str
    from_uri: str
    to_host: str
    headers: tuple[tuple[str, str], ...]
    addresses: tuple[Address, ...]
    shown: str
    keep_display: bool
    emergency: bool
    guests: str = ""
    media: str = ""
    asks: bool = False
    masked: bool = False
    turn: int = 0
    anyway: bool = False


class Attempt(NamedTuple):
    """What is just being relayed: the call's id and how it is written. ``tries``: how often it was
    repeated with ``credentials``, a header line.
    """

    call: str
    plan: Plan
    tries: int = 0
    credentials: str = ""


def to_pbx(verdict: ToPbx, pbx: Pbx | None, us: str, correlation: str = "") -> Plan:
    """A PBX is called as its profile wants numbers written. ``correlation``: what it may return on
    the legs that it sends for this call.
    """
    if pbx is not None and not pbx.profile.plain_writing:
        return _by_profile(verdict, pbx, us, correlation)
    user, caller = verdict.did.plus, verdict.caller
    if pbx is not None and pbx.profile.did_format == "digits":
        user, caller = user[1:], caller.removeprefix("+")
    if verdict.extension:
        user = verdict.extension
    hidden, told = verdict.withheld or not caller, (CORRELATION, correlation)
    return Plan(
        verdict.pbx,
        "",
        user,
        user,
        "anonymous" if hidden else caller,
        ANONYMOUS if hidden else f"sip:{caller}@{us}",
        us,
        (("Privacy", "id"), told) if hidden else (told,),
        verdict.addresses,
        verdict.caller,
        not hidden,
        False,
        masked=verdict.masked,
    )


def _by_profile(verdict: ToPbx, pbx: Pbx, us: str, correlation: str) -> Plan:
    """As `to_pbx`, for a PBX that looks for DID or caller elsewhere, or writes them nationally."""
    profile = pbx.profile
    did = verdict.extension or _written(verdict.did, profile.did_format, profile.plan)
    number = E164.maybe(verdict.caller.removeprefix("+"))
    form = profile.caller_format or profile.did_format
    caller = _written(number, form, profile.plan) if number else verdict.caller
    hidden = verdict.withheld or not caller
    name = pbx.account.user if pbx.account else pbx.name
    headers = [(CORRELATION, correlation)]
    if "called_party" in profile.did_in:
        headers.append(("P-Called-Party-ID", f"<sip:{did}@{us}>"))  # RFC 7315, section 4.2
    if hidden:
        headers.append(("Privacy", "id"))
    else:
        named = f"<sip:{caller}@{us}>"
        if "asserted" in profile.caller_in:
            headers.append(("P-Asserted-Identity", named))
        if "remote_party" in profile.caller_in:
            party = f"{named};party=calling;privacy=off;screen=yes"
            headers.append(("Remote-Party-ID", party))
    if profile.session_timer_s:
        headers.append(("Session-Expires", str(profile.session_timer_s)))  # RFC 4028, section 8.1
    return Plan(
        verdict.pbx,
        "",
        did if "request" in profile.did_in else name,
        did if "to" in profile.did_in else name,
        "anonymous" if hidden else caller,
        ANONYMOUS if hidden else f"sip:{caller}@{us}",
        us,
        tuple(headers),
        verdict.addresses,
        verdict.caller,
        not hidden,
        False,
        masked=verdict.masked,
    )


def _written(number: E164, form: str, plan: DialPlan) -> str:
    if form == "national":
        return national(number, plan)
    return number.plus if form == "plus" else str(number)


def to_carrier(
    verdict: ToCarrier,
    carriers: Mapping[str, Carrier],
    us: str,
    withheld: bool,
    seed: str = "",
    us_on: Mapping[str, str] = NO_OTHERS,
) -> tuple[Plan, ...]:
    """A plan for each trunk that may take the call, in the order to try; empty when none may. All
    trunks are tried with one number of the called party before the next.
    ``seed``: of the call, for gateways that share calls by weight. ``us_on``: we, by our address
    that a trunk has for itself.
    """
    plans = []
    for name in (verdict.carrier, *verdict.also):
        carrier = carriers.get(name)
        if carrier is not None:
            for trunk in carrier.trunks_for(verdict.shown):
                ours = us_on.get(trunk.receives_on, us) if us_on else us
                plans.append(_by_trunk(verdict, carrier, trunk, ours, withheld, seed))
    if not verdict.others:
        return tuple(plans)
    first, *rest = verdict.others
    other = verdict._replace(called=first, others=tuple(rest))
    more = to_carrier(other, carriers, us, withheld, seed, us_on)
    return (*plans, *[plan._replace(turn=plan.turn + 1) for plan in more])


def to_sim(
    verdict: ToSim,
    carriers: Mapping[str, Carrier],
    us: str,
    seed: str = "",
    us_on: Mapping[str, str] = NO_OTHERS,
) -> tuple[Plan, ...]:
    """A plan for each trunk by which its operator takes calls to SIMs; empty where there is none.
    Nothing of the caller stands in it: the phone shows what was decided, without a name and without
    a history. ``seed``, ``us_on``: see `to_carrier`.
    """
    carrier, plans = carriers.get(verdict.carrier), []
    if carrier is None:
        return ()
    for trunk in carrier.sims_trunks:
        ours = us_on.get(trunk.receives_on, us) if us_on else us
        far, addresses = (
            carrier.to_sim(verdict.called, verdict.shown, trunk),
            trunk.in_order(seed),
        )
        plans.append(
            Plan(
                carrier.name,
                trunk.name,
                far.request_user,
                far.to_user,
                far.from_user,
                f"sip:{far.from_user}@{ours}",
                addresses[0].host,
                _filled_in(far, ours),
                addresses,
                verdict.shown,
                False,
                False,
                asks=trunk.auth.kind != "address",
                masked=True,
            )
        )
    return tuple(plans)


def _by_trunk(
    verdict: ToCarrier, carrier: Carrier, trunk: Trunk, us: str, withheld: bool, seed: str
) -> Plan:
    """A trunk is called as its carrier's adapter writes.

    A withheld number is still told to the carrier, which must not show it (RFC 3323, RFC 3325);
    rescue services see it always.
    """
    far = carrier.far_side(verdict.called, verdict.shown, trunk)
    addresses = trunk.in_order(seed)
    from_user, from_uri = far.from_user, f"sip:{far.from_user}@{us}"
    headers = _filled_in(far, us)
    if withheld and not verdict.emergency:
        if headers:
            from_user, from_uri = "anonymous", ANONYMOUS
            headers += (("Privacy", "id"),)
        else:  # the carrier knows the caller by From alone, so that From must be hidden there
            headers = (("Privacy", "user;id"),)
    if verdict.forwarded and carrier.diversion:
        name, value = carrier.diverted(verdict.shown, trunk, withheld)
        headers += ((name, value.replace("{us}", us)),)
    return Plan(
        carrier.name,
        trunk.name,
        far.request_user,
        far.to_user,
        from_user,
        from_uri,
        addresses[0].host,
        headers,
        addresses,
        verdict.shown.plus,
        False,
        verdict.emergency,
        asks=trunk.auth.kind != "address",
        masked=verdict.masked,
    )


def _filled_in(far: FarSide, us: str) -> tuple[tuple[str, str], ...]:
    return tuple([(name, value.replace("{us}", us)) for name, value in far.headers])


class Uris(NamedTuple):
    """From and To, on the caller's side and on the far one. The host in them is nobody's business:
    a URI is written anew only where the far side wants another user; a pair is empty where not.
    """

    near_from: str
    near_to: str
    far_from: str
    far_to: str


def uris(plan: Plan, from_uri: str, from_user: str, to_uri: str, to_user: str) -> Uris:
    """How the plan changes the From and To of an INVITE that came with these."""
    far_from, far_to = plan.from_uri, f"sip:{plan.to_user}@{plan.to_host}"
    if from_user == plan.from_user:
        from_uri = far_from = ""
    if to_user == plan.to_user:
        to_uri = far_to = ""
    return Uris(from_uri, to_uri, far_from, far_to)


def request_uri(request_user: str, address: Address) -> str:
    """The Request-URI of an attempt, as ksr_effects.aim writes it."""
    return f"sip:{request_user}@{address.where}"


def user_of(uri: str) -> str:
    """User part of a sip: or tel: URI, without password and parameters; empty when none."""
    scheme, _, rest = uri.partition(":")
    if scheme in ("tel", "TEL"):
        return rest.partition(";")[0]
    user, at, _ = rest.partition("@")
    return user.partition(":")[0].partition(";")[0] if at else ""


def host_of(uri: str) -> str:
    """Host of a SIP URI without port and parameters, an IPv6 one with its brackets."""
    rest = uri.partition(":")[2].rpartition("@")[2].partition(";")[0].partition("?")[0]
    if rest[:1] == "[":
        return rest.partition("]")[0] + "]"
    return rest.partition(":")[0]
