"""The attempts of a call, one after the other: gateways of a PBX or a trunk, then the next trunk,
then the next carrier; and what a reply or a failure must know to go on.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from carrier_adapters.contract import NEVER_ELSEWHERE, Failure
from kemi import events, late
from kemi import ksr_branches as branches
from kemi import ksr_effects as do
from kemi import ksr_mask as mask
from kemi.plan import Attempt, Plan, uris, user_of
from kemi.worker import Worker
from number_registry.call import Rule
from number_registry.model import Address

# From the INVITE on, for all silent far sides together, so that the last one is asked before the
# caller has waited six seconds.
SET_UP_MS = 5000
LEAST_MS = 500  # for one of very many: a gateway that lives says 100 within 200 ms (RFC 3261, 17.2)
NO_SIGN_MS = 2000  # before a far side has said anything at all
LAST_TRY_MS = 10000  # patience with a silent far side when there is nowhere else to go
# a PBX is as good a reason to try its next address as a carrier is
PBX_RETRY = frozenset({408, 480, 503, 504})
# Too long a silence after ringing is a person who does not answer: no other address is tried.
NO_ANSWER = (408, 480, 487)
PERSONS_NO = (486, 600, 603)
NOT_SENT = (0, 0)  # what is told of an attempt that could not even be sent

Step = tuple[int, Address]  # which of the plans, and where


class Pending(NamedTuple):
    """What is kept with the transaction, as text, because another worker may handle what follows.

    ``from_uri`` and ``to_uri``: as the caller wrote them, or empty where no attempt changes them.
    ``to``, ``trunk``, ``user``, ``at``: the attempt under way: whose, by which trunk (empty for a
    PBX), the user of its Request-URI, its address. ``tried``: its number, from 1. ``until``: when
    SET_UP_MS are over, in milliseconds of the steady clock. ``left``: the steps not tried yet.
    ``plans``: one for each trunk where there are several, else none, since then the INVITE itself
    is written for the only one. ``asked``: how often the attempt was repeated with credentials.
    """

    call: str
    from_uri: str
    to_uri: str
    to: str
    trunk: str
    user: str
    left: tuple[Step, ...]
    plans: tuple[Plan, ...] = ()
    at: str = ""
    tried: int = 0
    until: int = 0
    asked: int = 0

    def text(self) -> str:
        """The first three fields are all that a reply needs. No field but the last holds a bar."""
        call, from_uri, to_uri, to, trunk, user, left, plans, at, tried, until, asked = self
        steps = ",".join([f"{way} {address.text}" for way, address in left])
        written = _json(plans) if plans else ""
        return (
            f"{call}|{from_uri}|{to_uri}|{to}|{trunk}|{user}|{steps}|{at}|{tried}|{until}|{asked}"
            f"|{written}"
        )

    @classmethod
    def read(cls, text: str) -> Pending:
        """The inverse of `text`, but for the plans' own addresses, which are in the steps."""
        call, from_uri, to_uri, to, trunk, user, steps, at, tried, until, asked, plans = text.split(
            "|", 11
        )
        left = [step.split(" ") for step in steps.split(",")] if steps else []
        return cls(
            call,
            from_uri,
            to_uri,
            to,
            trunk,
            user,
            tuple([(int(way), Address.of_text(text)) for way, text in left]),
            tuple([Plan(*plan) for plan in json.loads(plans)]) if plans else (),
            at,
            int(tried),
            int(until),
            int(asked),
        )


def _json(plans: Sequence[Plan]) -> str:
    return json.dumps([plan._replace(addresses=()) for plan in plans])


def in_turn(plans: Sequence[Plan], down: frozenset[str]) -> tuple[Step, ...]:
    """Every address of every plan in the order to try: those that are down after all others."""
    if len(plans) == 1:
        steps = [(0, address) for address in plans[0].addresses]
    else:
        steps = [(way, address) for way, plan in enumerate(plans) for address in plan.addresses]
    if down:
        steps.sort(key=lambda step: step[1].uri in down)
    return tuple(steps)


def try_next(worker: Worker, pending: Pending, failed: tuple[int, int] = NOT_SENT) -> bool:
    """Relay to the next address that can be sent to at all; False when none is left. ``failed``:
    status and Q.850 cause of the attempt before.
    """
    call, from_uri, to_uri, to, trunk, user, left, plans, at, tried, until, _ = pending
    given_up = failed[0] == 408  # by our timer, as far as can be told: it may yet answer
    while left:
        (way, address), left = left[0], left[1:]
        tried, at = tried + 1, address.uri
        plan = None
        if plans:
            plan = plans[way]
            if tried > 1 and (plan.to, plan.trunk) != (to, trunk) and worker.limits.of:
                worker.limits.leave(call, to, trunk)
                to, trunk = plan.to, plan.trunk
                if why := worker.limits.take(call, to, trunk, plan.emergency):
                    events.full(worker.journal, call, to, trunk, why)
                    left, tried = elsewhere(left, way), tried - 1
                    continue
            to, trunk, user = plan.to, plan.trunk, plan.user
            if plan.anyway:
                do.unflag(do.FLAG_INSTEAD)
            worker.attempt = Attempt(call, plan)
        wait = silent_ms = worker.config.silent_trunk_ms
        if not left:
            if wait < LAST_TRY_MS:
                wait = LAST_TRY_MS
        elif tried > 1 or len(left) > 1:
            now = time.monotonic_ns() // 1_000_000
            until = until or now + SET_UP_MS
            wait = min(silent_ms, share(until - now, left, worker.health.down))
        elif wait > SET_UP_MS:  # the first of two, as nearly all are: nothing to share out
            wait = SET_UP_MS
        do.aim(user, address)
        pending = Pending(call, from_uri, to_uri, to, trunk, user, left, plans, at, tried, until)
        do.remember(pending.text(), again=tried > 1)
        do.patience(wait, NO_SIGN_MS if wait > NO_SIGN_MS else wait)
        _watch(plan)
        if tried > 1:
            written = _written(plan, from_uri, to_uri) if plan else ("", "")
            events.attempt(worker.journal, call, to, trunk, tried, at, failed, written)
            failed = NOT_SENT
        if given_up:
            late.give_up(call, branches.next_branch())
        if do.relay():
            return True
    return False


def again(worker: Worker, pending: Pending, plan: Plan, credentials: str) -> bool:
    """Repeat the attempt under way with this header line."""
    asked, wait = pending.asked + 1, worker.config.silent_trunk_ms
    if not pending.left and wait < LAST_TRY_MS:
        wait = LAST_TRY_MS
    worker.attempt = Attempt(pending.call, plan, asked, credentials)
    do.aim(pending.user, Address.parse(pending.at))
    do.remember(pending._replace(asked=asked).text(), again=True)
    do.patience(wait, NO_SIGN_MS if wait > NO_SIGN_MS else wait)
    _watch(plan)
    return do.relay()


def _watch(plan: Plan | None) -> None:
    """``plan``: of an attempt that is written in a branch of its own."""
    if plan is not None and plan.masked:
        mask.watch_invite(plan.asks)
    else:
        do.watch_invite(branch=plan is not None, asks=plan is not None and plan.asks)


def with_room(
    worker: Worker, call: str, plans: Sequence[Plan], steps: tuple[Step, ...]
) -> tuple[tuple[Step, ...], tuple[Rule, ...]]:
    """The steps from the first one on whose trunk has a channel for the call, which is taken; none
    where all are full. And what was passed over, and why.
    """
    passed: list[Rule] = []
    while steps:
        plan = plans[steps[0][0]]
        why = worker.limits.take(call, plan.to, plan.trunk, plan.emergency)
        if not why:
            break
        passed.append(("full", f"{plan.to}, trunk {plan.trunk}: {why}"))
        steps = elsewhere(steps, steps[0][0])
    return steps, tuple(passed)


def elsewhere(steps: Sequence[Step], way: int) -> tuple[Step, ...]:
    """The steps by other trunks than this one."""
    return tuple([step for step in steps if step[0] != way])


def _written(plan: Plan, own_from: str, own_to: str) -> tuple[str, str]:
    """From and To as the far side gets them."""
    _, _, far_from, far_to = uris(plan, own_from, user_of(own_from), own_to, user_of(own_to))
    return far_from or own_from, far_to or own_to


def share(remaining_ms: int, left: Sequence[Step], down: frozenset[str]) -> int:
    """How long to wait for the attempt at hand: an even part of what remains until the last of
    those that live is to be asked. Those that are down get what is left.
    """
    living = len(left)
    if down:
        living = sum(address.uri not in down for _, address in left)
    return max(LEAST_MS, remaining_ms // (living or 1))


def goes_on(
    worker: Worker, pending: Pending, status: int, cause: int, rang: bool
) -> Pending | None:
    """What may still be tried after this final status; None: nothing may. ``rang``: somebody let it
    ring. Another gateway is another way to the same phone; another phone rings where the one before
    cannot be reached, or in any case where its plan says so.
    """
    if not (rang and status in NO_ANSWER) and is_elsewhere(worker, pending, status, cause):
        return pending
    plans, way = pending.plans, (pending.to, pending.trunk, pending.user)
    turn = next((one.turn for one in plans if (one.to, one.trunk, one.user) == way), 0)
    wanted = not rang and status not in PERSONS_NO
    left = [
        step
        for step in pending.left
        if plans and plans[step[0]].turn > turn and (wanted or plans[step[0]].anyway)
    ]
    return pending._replace(left=tuple(left)) if left else None


def is_elsewhere(worker: Worker, pending: Pending, status: int, cause: int) -> bool:
    """Whether another attempt may do better than this final status; ``cause``: of Q.850, or 0."""
    carrier = worker.carriers.get(pending.to) if pending.trunk else None
    if carrier is None:
        return status in PBX_RETRY
    return status not in NEVER_ELSEWHERE and carrier.failure(status, cause) is Failure.ELSEWHERE
