"""The checks of the conformance suite, one function each; a check calls hooks under watch and notes
what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, ParamSpec, TypeVar

from carrier_adapters.contract import (
    NEVER_ELSEWHERE,
    Carrier,
    Failure,
    FarSide,
    Invite,
    Invoice,
    Parties,
    Trunk,
)
from carrier_adapters.kit import hostile
from carrier_adapters.kit.report import Check
from carrier_adapters.kit.watch import LIMIT_S, ReachedOut, TooSlow, timed
from number_registry.e164 import E164

P = ParamSpec("P")
T = TypeVar("T")

INVOICE_LIMIT_S = 0.2  # a file, not a call: nobody waits on the phone
SHORT_CODES = ("112", "101", "0890", "100")
DEALS = ("4711", "203", "007", "000000000", "123456789")  # and an extension
_FOREIGN = ("442079460001", "4930123456", "12025550123", "861012345678", "33123456789",
            "81312345678", "8613800138000", "390612345678", "995322123456", "20212345")  # fmt: skip
# RFC 3261, section 25.1: user; Kamailio and everybody else would read anything else differently
_USER = re.compile(r"(?:[A-Za-z0-9_.!~*'()&=+$,;?/-]|%[0-9A-Fa-f]{2}){1,128}")
_DIVERTED = re.compile(rf"<sip:{_USER.pattern}@{{us}}>;reason=unknown")
_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
# What carries a message, names its dialog or frames its body: the gateway's business alone. The
# short names are the compact forms of RFC 3261, section 20.
_NOT_THEIRS = frozenset(
    {
        *("via", "v", "route", "record-route", "contact", "m", "call-id", "i", "cseq", "from", "f"),
        *("to", "t", "max-forwards", "content-length", "l", "content-type", "c", "path"),
        *("content-encoding", "e", "require", "proxy-require", "supported", "k", "authorization"),
        *("proxy-authorization", "replaces", "refer-to", "r", "session-expires", "x", "min-se"),
        *("rseq", "rack", "event", "o", "join", "target-dialog", "identity", "date"),
        *("diversion", "history-info", "x-portgate-conversation"),
    }
)
SLOW = f"A reading takes {LIMIT_S * 1000:g} ms at most: cap the length first, and give regular "
SLOW += "expressions one way to match only"


def own_numbers(carrier: Carrier) -> list[E164]:
    """Numbers of the carrier's own country, some in the areas of its trunks."""
    country, length = carrier.country_code, carrier.national_length
    areas = [trunk.area_code for trunk in carrier.trunks] + ["916", "495", "812", "2"]
    starts = [area.ljust(length, "3")[:length] for area in areas]
    ends = [(area + "0" * length)[: length - 1] + "7" for area in areas]
    return [E164(country + national) for national in dict.fromkeys([*starts, *ends])]


def numbers(carrier: Carrier) -> list[E164]:
    """Numbers that a call to or from anywhere may hold."""
    foreign = [E164(digits) for digits in _FOREIGN if not digits.startswith(carrier.country_code)]
    return own_numbers(carrier) + foreign


def under_watch(
    check: Check, hook: Callable[P, T], *args: P.args, **kw: P.kwargs
) -> tuple[T] | None:
    """The result of one call of a hook, alone in a tuple; None, and a finding, where it raised,
    hung or reached out for something. None at once when enough has been found.
    """
    if check.enough:
        return None
    check.cases += 1
    name, told = getattr(hook, "__name__", "hook"), _short(args[0])
    try:
        result, seconds = timed(partial(hook, *args, **kw))
    except TooSlow:
        check.hung = True
        check.wrong(name, f"does not come to an end with {told}", SLOW)
    except ReachedOut as error:
        check.wrong(name, f"has a side effect with {told}: {error}", "Hooks are pure")
    except Exception as error:
        mend = "Answer None, or the digits as they came; never raise for what others sent"
        check.wrong(name, f"raised {error!r} with {told}", mend)
    else:
        check.took(seconds)
        if seconds > LIMIT_S:
            check.wrong(name, f"took {seconds * 1e3:.1f} ms with {told}", SLOW)
        return (result,)
    return None


def _short(told: object) -> str:
    text = repr(told)
    return text if len(text) <= 80 else f"{text[:60]}.. ({len(text)} characters)"


def reads_hostile_input(carrier: Carrier) -> Check:
    """Readings never raise and stay quick, whatever came."""
    check = Check("hostile input")
    for trunk in carrier.trunks:
        for text in hostile.texts():
            number = under_watch(check, carrier.number, text, trunk)
            if number and not isinstance(number[0], E164 | None):
                check.wrong("number", f"gave {_short(number[0])}, neither an E164 nor None")
        for invite in hostile.invites():
            parties = under_watch(check, carrier.parties, invite, trunk)
            if parties:
                _judge_parties(check, invite, parties[0])
    return check


def _judge_parties(check: Check, invite: Invite, parties: Any) -> None:
    if not isinstance(parties, Parties):
        check.wrong("parties", f"gave {_short(parties)}, no Parties")
    elif not all(isinstance(one, str) for one in (parties.called, parties.caller, parties.dialled)):
        check.wrong("parties", f"gave {_short(parties)}: called and caller are text")
    elif not re.fullmatch(r"\+?[0-9]{0,32}", parties.caller, re.ASCII):
        mend = "The caller is +digits, digits of a short code, or empty"
        check.wrong("parties", f"shows {_short(parties.caller)} as the caller", mend)
    elif invite.anonymous and not parties.withheld:
        check.wrong("parties", "shows a caller who asked for privacy", "withheld must stay True")


def survives_writing(carrier: Carrier) -> Check:
    """A number written for the carrier and read back is the same number, alone and in a call."""
    check = Check("write then read")
    shown = own_numbers(carrier)[0]
    for trunk, number in product(carrier.trunks, numbers(carrier)):
        text = under_watch(check, carrier.written, number, trunk)
        back = under_watch(check, carrier.number, text[0], trunk) if text else None
        if text and back and back[0] != number:
            said = f"{number.plus} is written {text[0]!r} and read as {back[0]!r}"
            mend = "number() must read what written() writes"
            check.wrong("number", f"trunk {trunk.name}: {said}", mend)
            continue
        far = under_watch(check, carrier.far_side, number, shown, trunk)
        if far and isinstance(far[0], FarSide):
            _read_back(check, carrier, trunk, far[0], number, shown)
    return check


def _read_back(
    check: Check, carrier: Carrier, trunk: Trunk, far: FarSide, called: E164, shown: E164
) -> None:
    invite = Invite(far.request_user, far.to_user, {"From": far.from_user, **dict(_users(far))})
    read = under_watch(check, carrier.parties, invite, trunk)
    if read and isinstance(read[0], Parties) and read[0][:2] != (called, shown.plus):
        said = f"{shown.plus} calling {called.plus} is read back as "
        said += f"{read[0].caller!r} calling {read[0].called!r}"
        mend = "parties() must read what far_side() writes"
        check.wrong("far_side", f"trunk {trunk.name}: {said}", mend)


def writes_safely(carrier: Carrier) -> Check:
    """Nothing written ends a line or touches what routes a message."""
    check = Check("safe writing")
    for trunk in carrier.trunks:
        for called in (*numbers(carrier), *SHORT_CODES):
            for shown in own_numbers(carrier)[:3]:
                far = under_watch(check, carrier.far_side, called, shown, trunk)
                if far:
                    _judge_written(check, called, far[0])
        for shown in own_numbers(carrier) if carrier.diversion else ():
            told = under_watch(check, carrier.diverted, shown, trunk, withheld=False)
            if told and not _DIVERTED.fullmatch(told[0][1]):
                said = f"tells by Diversion {_short(told[0][1])}"
                check.wrong("written", said, "Only what a SIP URI's user may hold")
    return check


def rings_sims(carrier: Carrier) -> Check:
    """A call to a SIM of ours names that SIM as the one called, and what its phone shows as the
    caller, untouched, everywhere a caller stands: nothing else may be in it.
    """
    check = Check("calls to SIMs")
    own = own_numbers(carrier)
    for trunk, sim in product(carrier.trunks, own[:3]):
        for shown in (*DEALS, own[-1].plus):
            far = under_watch(check, carrier.to_sim, sim, shown, trunk)
            if far:
                _judge_written(check, sim, far[0], "to_sim")
                _judge_shown(check, carrier, trunk, far[0], shown)
    return check


def _judge_shown(check: Check, carrier: Carrier, trunk: Trunk, far: Any, shown: str) -> None:
    if not isinstance(far, FarSide):
        return  # said already
    wanted = carrier.written(E164(shown[1:]), trunk) if shown[:1] == "+" else shown
    callers = [far.from_user, *(user for _, user in _users(far))]
    if any(user != wanted for user in callers):
        said = f"{shown} is to be shown, and {callers} stand where a caller does"
        mend = "Deals and extensions as they are; a number as written() writes it"
        check.wrong("to_sim", f"trunk {trunk.name}: {said}", mend)


def _users(far: FarSide) -> list[tuple[str, str]]:
    """Headers that hold a URI, and its user."""
    pairs = [(name, value.partition("sip:")[2].partition("@")[0]) for name, value in far.headers]
    return [(name, user) for name, user in pairs if user]


def _judge_written(check: Check, called: str, far: Any, hook: str = "far_side") -> None:
    if not isinstance(far, FarSide):
        check.wrong(hook, f"gave {_short(far)}, no FarSide")
        return
    for field in ("request_user", "to_user", "from_user"):
        user = getattr(far, field)
        if not isinstance(user, str) or not _USER.fullmatch(user):
            mend = "Only what a SIP URI's user may hold; everything else as %XX (RFC 3261, 25.1)"
            check.wrong(hook, f"{field} is {_short(user)}", mend)
    if called in SHORT_CODES and called not in far.request_user:
        said = f"{called} is written {far.request_user!r}"
        check.wrong(hook, said, "A short code stays as dialled")
    for name, value in far.headers:
        if not _TOKEN.fullmatch(name):
            check.wrong(hook, f"{_short(name)} is no name of a header")
        elif name.lower() in _NOT_THEIRS:
            mend = "From and To by from_user and to_user; the rest is the gateway's"
            said = "routes or frames the message, or tells of its past"
            if name.lower() == "diversion":
                mend = "Declare diversion = True: the gateway knows which calls are forwarded"
            check.wrong(hook, f"writes {name}, which {said}", mend)
        if not value.isprintable() or len(value) > 256:
            check.wrong(hook, f"{name}: {_short(value)} does not stay on one short line")
        if re.search(r"[{}]", value.replace("{us}", "")):
            check.wrong(hook, f"{name}: {_short(value)}", "Only {us} is filled in")


def judges_failures(carrier: Carrier) -> Check:
    """Each final status has a meaning, and a person's no is never carried elsewhere."""
    check = Check("failures")
    for status, cause in product((0, *range(300, 700), 999), (0, 17, 21, 34)):
        found = under_watch(check, carrier.failure, status, cause)
        if found and not isinstance(found[0], Failure):
            check.wrong("failure", f"gave {_short(found[0])}, no Failure")
        elif found and status in NEVER_ELSEWHERE and found[0] is Failure.ELSEWHERE:
            check.wrong("failure", f"{status} is tried elsewhere", "Trying again rings twice")
    return check


def reads_invoices(carrier: Carrier) -> Check:
    """Whatever file comes, an invoice or None."""
    check = Check("invoices")
    for data in hostile.INVOICES:
        check.cases += 1
        try:
            found, seconds = timed(partial(carrier.invoice, data, "invoice.dat"))
        except (TooSlow, ReachedOut, Exception) as error:
            check.wrong("invoice", f"{error!r} with {_short(data)}", "Answer None for what is none")
            continue
        check.took(seconds)
        if not isinstance(found, Invoice | None):
            check.wrong("invoice", f"gave {_short(found)}, neither an Invoice nor None")
        if seconds > INVOICE_LIMIT_S:
            check.wrong("invoice", f"took {seconds:.2f} s with {_short(data)}")
    return check


def remembers_nothing(carrier: Carrier) -> Check:
    """The same input gives the same output, in whatever order, and leaves nothing behind."""
    check = Check("deterministic")
    before = _state(carrier)
    cases = _cases(carrier)
    first = [_answer(case, carrier) for case in cases]
    fresh = type(carrier)()
    second = [_answer(case, fresh) for case in reversed(cases)][::-1]
    check.cases = len(cases)
    for one, two in zip(first, second, strict=True):
        if one != two:
            check.wrong("hooks", f"gave {_short(one)}, then {_short(two)}", "Hooks are pure")
    if _state(carrier) != before:
        check.wrong("hooks", "changed the carrier or its file's constants", "Hooks are pure")
    return check


Case = tuple[str, tuple[Any, ...]]  # name of a hook, and what it is called with


def _cases(carrier: Carrier) -> list[Case]:
    cases: list[Case] = [("failure", (status,)) for status in range(300, 700, 3)]
    cases += [("trunk_for", (number,)) for number in numbers(carrier)]
    for trunk in carrier.trunks:
        some = [*list(hostile.texts())[::4], *map(str, numbers(carrier))]
        cases += [("number", (text, trunk)) for text in some]
        cases += [("parties", (invite, trunk)) for invite in list(hostile.invites())[::9]]
        cases += [("far_side", (number, number, trunk)) for number in numbers(carrier)]
        cases += [("to_sim", (one, "4711", trunk)) for one in own_numbers(carrier)]
    return cases


def _answer(case: Case, carrier: Carrier) -> object:
    hook, arguments = case
    try:
        return timed(partial(getattr(carrier, hook), *arguments))[0]
    except (TooSlow, ReachedOut, Exception) as error:
        return repr(error)  # said by the other checks; here only whether it is always so


def _state(carrier: Carrier) -> str:
    """All that a hook could have changed: fields of the object, of its class, constants of its
    file.
    """
    own = type(carrier).__mro__[1]
    outside: dict[str, object] = {}
    for value in vars(own).values():
        outside.update(getattr(value, "__globals__", {}))
    constants = {name: outside[name] for name in sorted(outside) if not name.startswith("__")}
    fields = {name: value for name, value in vars(own).items() if not name.startswith("__")}
    return repr((vars(carrier), fields, constants))
