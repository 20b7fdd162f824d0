"""How a call to one of our SIMs is tried: the operator's trunks, then, where operators are to take
it after all, the PBX; it decides nothing.
"""

from __future__ import annotations

from kemi import ksr_effects as do
from kemi.conversation import correlation
from kemi.plan import Plan, to_pbx, to_sim
from kemi.where import where_registered
from kemi.worker import Worker
from number_registry.call import Call, Reject, ToSim
from number_registry.directory import Directory


def sim_plans(
    worker: Worker, ident: str, call: Call, verdict: ToSim, directory: Directory, seed: str
) -> tuple[Plan, ...]:
    """The plans in the order to try; the last one of those where operators stand in. ``ident``: our
    id of the call; ``seed``: its Call-ID.
    """
    ours = worker.ours
    plans = to_sim(verdict, worker.carriers, ours.us, seed, ours.us_on)
    instead = verdict.operators
    if instead is None:
        return plans
    pbx = directory.pbx(instead.pbx)
    if pbx is not None and not pbx.addresses:
        reached = where_registered(worker, instead, pbx)
        if isinstance(reached, Reject):
            return plans
        instead = reached
    told = correlation(worker.sealer, ident, call, instead)
    do.flag(do.FLAG_INSTEAD)
    last = to_pbx(instead, pbx, ours.us, told)
    return (*plans, last._replace(turn=1, anyway=True))
