"""Whether a request inside a call is of one that we know, and leads to somebody we know; it sends
nothing on.
"""

from __future__ import annotations

from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.worker import Worker


def of_no_call(method: str) -> None:
    """Answer one that is of none."""
    if method == "ACK":
        # the ACK to a negative final answer ends in tm; any other is of no call of ours
        do.is_retransmission()
    else:
        do.answer(481, "Call/Transaction Does Not Exist")


def leads_to_neighbour(worker: Worker, call: str, guests: str) -> bool:
    """Whether the request at hand goes on to a neighbour: Request-URI, Route, alias and Contact are
    their sender's word, and must not make a messenger to anywhere of us. ``guests``: see Sealed.
    """
    hop = message.next_hop()
    if worker.knows(hop) or (guests and hop in guests.split(",")):
        return True
    do.log_warning(
        f"call {call}: a request inside it leads to {hop or 'nobody'}, which is no "
        "neighbour's; if it is one, add it to the sources of its carrier or PBX"
    )
    return False
