"""Where a PBX that registers with us can be called now; it decides nothing else of a call."""

from __future__ import annotations

from time import time

from kemi.worker import Worker
from number_registry.call import Reject, ToPbx
from number_registry.model import Pbx


def where_registered(worker: Worker, verdict: ToPbx, pbx: Pbx) -> ToPbx | Reject:
    """The verdict with the addresses that the PBX has registered from, in the order to try."""
    worker.registered.refresh()
    user = pbx.account.user if pbx.account else ""
    in_request = "request" in pbx.profile.did_in
    found = worker.registered.of(user, time())
    reached = [(one, one.address(did_in_request=in_request)) for one in found]
    # A Contact is the PBX's word. From where it registered it may be called; a carrier would take
    # the call for one of ours, to whatever number the Contact names.
    addresses = tuple(
        address
        for one, address in reached
        if address is not None and (one.received or not worker.is_carriers_or_ours(address.host))
    )
    if addresses:
        return verdict._replace(addresses=addresses)
    said = f"PBX {pbx.name} is not registered" + " where it can be called" * bool(found)
    return Reject(480, said, (*verdict.trace, ("refused", f"480: {said}")))
