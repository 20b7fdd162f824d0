"""What ties the legs through a PBX together: the sealed header that goes with a call to it, and
what a leg that it sends says of the one before; it decides nothing.
"""

from __future__ import annotations

from time import time

from kemi import ksr_effects as do
from kemi import ksr_history as history
from kemi import ksr_message as message
from kemi.seal import Sealer
from number_registry import dialling
from number_registry.call import Call, Side, ToPbx
from number_registry.conversations import (
    NOBODY,
    RETURNED,
    Behind,
    Correlation,
    behind,
    packed,
    unpacked,
)
from number_registry.dialling import DialPlan
from number_registry.e164 import E164


def correlation(sealer: Sealer, ident: str, call: Call, verdict: ToPbx) -> str:
    """What the PBX may return on legs that it sends for this call. ``ident``: our id of it."""
    known = call.behind
    first, client, rounds = known.conversation or ident, known.client or call.caller, known.rounds
    if call.peer.side is Side.PBX:
        rounds += 1
    return sealer.seal_text(packed(first, verdict.did, client, rounds, int(time()), verdict.pbx))


class Reader:
    """Reads what a PBX's leg says of what stands behind it. One per worker; it counts correlations
    that were not ours.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer
        self.ignored = 0

    def behind(self, pbx: str, plan: DialPlan, caller: E164 | None, called: str) -> Behind:
        """Of the INVITE at hand. ``plan``: how this PBX writes numbers. ``caller``: its caller as a
        full number, None for an extension.
        """
        text, users = history.correlation(), history.diverting_users()
        asserted = None
        if caller is None and (user := message.asserted_user()):
            asserted = dialling.read(user, plan)
        if text is None and not users and caller is None and asserted is None:
            return NOBODY
        said = self._opened(text, pbx) if text else None
        read = [dialling.read(user, plan) for user in users]
        # A history of requests ends with the one at hand (RFC 7044).
        diverted = tuple([number for number in read if number is not None and number != called])
        found = behind(said, text is not None, int(time()), caller, asserted, diverted)
        if found.mark not in ("", RETURNED):
            self._say(pbx, found.mark)
        return found

    def _opened(self, text: str, pbx: str) -> Correlation | None:
        plain = self._sealer.open_text(text)
        return unpacked(plain, pbx) if plain is not None else None

    def _say(self, pbx: str, mark: str) -> None:
        """Each one stands in its call's record; the log tells of the 1st, 2nd, 4th, 8th, .."""
        self.ignored += 1
        if self.ignored & (self.ignored - 1) == 0:
            do.log_warning(
                f"PBX {pbx} sent a correlation that is {mark}: ignored, {self.ignored} in all"
            )
