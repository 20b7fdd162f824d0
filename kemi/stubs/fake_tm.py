"""Rooms of the fake for transactions and replies: tm, tmx and sl.

A transaction is begun by t_newtran or t_relay and lasts until the test brings a new request.
"""

from __future__ import annotations

import re

from kemi.stubs.fake_rooms import Room, effect, truth
from kemi.stubs.fake_world import Reply, Sent

_LOG_NO_TRANSACTION = "no T-state has been established"


class Tm(Room):
    """KSR.tm. Timers are not run: a test says `fake.fails(408)` when they would have fired."""

    module = "tm"

    def t_check_trans(self) -> int:
        """0 for what tm deals with by itself, as long as this fake can know it.

        A retransmission looks like a new request here: say results["tm.t_check_trans"] = 0.
        """
        transaction = self.world.transaction
        method = self.world.message.method
        if transaction is None:
            return -1
        if self.world.message is transaction.request:
            return 0
        if method == b"ACK":
            return 0 if transaction.answered >= 300 else -1
        return truth(method == b"CANCEL" or self.world.route == "onreply")

    def t_lookup_request(self) -> int:
        transaction = self.world.transaction
        return truth(transaction is not None and self.world.message is transaction.request)

    def t_lookup_cancel(self) -> int:
        return truth(self.world.transaction is not None and self.world.message.method == b"CANCEL")

    @effect
    def t_newtran(self) -> int:
        transaction = self.world.transaction
        if transaction is not None and transaction.request is self.world.message:
            return -10  # measured
        self.world.begin_transaction()
        return 1

    @effect
    def t_relay(self) -> int:
        world = self.world
        if world.message.method in (b"ACK", b"CANCEL") and world.route == "request":
            self._send(self.world.routes.get("branch", ""))
            return 1
        transaction = world.transaction
        if transaction is None or transaction.request.raw is not world.message.raw:
            transaction = world.begin_transaction()
        if world.route == "request":  # as flags are now, not as at t_newtran (measured)
            transaction.flags = set(world.flags)
        transaction.branches += 1
        self._send(self.world.routes.get("branch", ""))
        return 1

    def _send(self, branch_callback: str) -> None:
        """Send the message with its edits; a branch callback edits a copy of its own."""
        world = self.world
        before = world.message, world.route, world.request_uri, world.next_hop
        if branch_callback and world.run_branch is not None:
            world.message, world.route = world.message.fork(), "branch"
            world.run_branch(branch_callback)
        hop = world.next_hop
        world.sent.append(
            Sent(world.message.sent(world.request_uri), hop.decode("latin-1") if hop else None)
        )
        world.message, world.route, world.request_uri, world.next_hop = before

    @effect
    def t_reply(self, status: int, reason: str) -> int:
        transaction = self.world.transaction
        if transaction is None:
            self.world.log.append(("ERROR", _LOG_NO_TRANSACTION))
            return -1
        if transaction.answered >= 200:
            return -1
        transaction.answered = status
        answer(self, status, reason, stateful=True)
        return 1

    @effect
    def t_on_reply(self, callback: str) -> int:
        return self._route("onreply", callback)

    @effect
    def t_on_failure(self, callback: str) -> int:
        return self._route("failure", callback)

    @effect
    def t_on_branch(self, callback: str) -> int:
        return self._route("branch", callback)

    @effect
    def t_on_branch_failure(self, callback: str) -> int:
        return self._route("branch_failure", callback)

    def _route(self, kind: str, callback: str) -> int:
        self.world.routes[kind] = callback
        return 1

    def t_is_set(self, target: str) -> int:
        kind = target.removesuffix("_route")
        return truth(bool(self.world.routes.get("onreply" if kind == "onreply" else kind)))

    @effect
    def t_set_fr(self, _invite_ms: int, _first_ms: int) -> int:
        return 1

    @effect
    def t_set_fr_inv(self, _invite_ms: int) -> int:
        return 1

    @effect
    def t_reset_fr(self) -> int:
        return 1

    @effect
    def t_set_max_lifetime(self, _invite_ms: int, _other_ms: int) -> int:
        return 1

    @effect
    def t_use_uac_headers(self) -> int:
        return 1

    @effect
    def t_set_no_e2e_cancel_reason(self, _yes: int) -> int:
        return 1

    def t_is_canceled(self) -> int:
        transaction = self.world.transaction
        return truth(transaction is not None and transaction.is_cancelled)

    def t_check_status(self, pattern: str) -> int:
        """Of the reply at hand in a reply callback, of the winning one in a failure callback."""
        if self.world.transaction is None:
            self.world.log.append(("ERROR", _LOG_NO_TRANSACTION))
            return -1
        status = self.t_get_status_code()
        return truth(status > 0 and re.match(pattern, str(status)) is not None)

    def t_get_status_code(self) -> int:
        if self.world.route == "onreply":
            return self.world.message.status or -1
        transaction = self.world.transaction
        return transaction.status if transaction is not None and transaction.status else -1

    def t_branch_timeout(self) -> int:
        transaction = self.world.transaction
        return truth(transaction is not None and transaction.timed_out)

    def t_branch_replied(self) -> int:
        transaction = self.world.transaction
        return truth(transaction is not None and transaction.replied)


class Tmx(Room):
    """KSR.tmx: in which route are we."""

    module = "tmx"

    def t_is_request_route(self) -> int:
        return truth(self.world.route == "request")

    def t_is_reply_route(self) -> int:
        return truth(self.world.route == "onreply")

    def t_is_failure_route(self) -> int:
        return truth(self.world.route == "failure")

    def t_is_branch_route(self) -> int:
        return truth(self.world.route == "branch")


class Sl(Room):
    """KSR.sl: send_reply goes through the transaction when there is one."""

    module = "sl"

    @effect
    def send_reply(self, status: int, reason: str) -> int:
        transaction = self.world.transaction
        in_transaction = transaction is not None and transaction.request is self.world.message
        if transaction is not None and in_transaction:
            if transaction.answered >= 200:
                self.world.log.append(("ERROR", "failed to reply stateful (tm)"))
                return -1
            transaction.answered = status
        answer(self, status, reason, stateful=in_transaction)
        return 1

    @effect
    def sl_send_reply(self, status: int, reason: str) -> int:
        answer(self, status, reason, stateful=False)
        return 1


def answer(room: Room, status: int, reason: str, stateful: bool) -> None:
    """Note a reply of our own with the headers collected for it, which are spent by it."""
    room.world.replies.append(Reply(status, reason, room.world.reply_headers, stateful))
    room.world.reply_headers = b""
