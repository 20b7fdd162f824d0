"""The callbacks Kamailio calls, ten lines each; no rule lives here, and no exception leaves."""

from __future__ import annotations

import gc
import traceback
from typing import Any

from carrier_adapters.loader import load
from kemi import (
    announce,
    asked,
    in_dialog,
    invite,
    ksr_effects,
    ksr_message,
    late,
    own,
    registering,
    replies,
    strangers,
    writing,
)
from kemi.config import Config
from kemi.mask import answers, inside
from kemi.registered import Registered
from kemi.worker import Worker
from number_registry.call import Peer

CONTINUE = 1
INSIDE_CALLS_ONLY = frozenset({"BYE", "PRACK", "UPDATE", "INFO"})


class Router:
    """Made once before the fork (mod_init): a broken configuration or a folder without carriers
    stops the start here.
    """

    def __init__(self, config_file: str) -> None:
        self.config = Config.load(config_file)
        loaded = load(self.config.carriers_folder, self.config.carrier_overrides)
        for error in loaded.errors:
            ksr_effects.log_error(f"carrier not loaded, the others are: {error}")
        self.carriers = loaded.carriers
        self.worker: Worker
        strangers.restore(Registered(self.config.snapshot, ksr_effects.log_warning))

    def child_init(self, rank: int) -> int:
        """In each process after the fork; the sockets and files of a process are its own."""
        self.worker = Worker(self.config, self.carriers)
        # What was loaded stays for good: collections that walk all of it would each cost a call
        # some milliseconds.
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)
        return CONTINUE

    def failed(self, error: Exception, answering: bool) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        bad_bytes = isinstance(error, UnicodeDecodeError)
        what = "unreadable bytes" if bad_bytes else f"unexpected {type(error).__name__}"
        stranger = answering and self._is_stranger()
        if stranger and bad_bytes:
            return  # an unknown source writes no line of our log either
        ksr_effects.log_error(f"{what}: {error} ({where.filename}:{where.lineno})")
        if answering and not stranger:
            ksr_effects.answer_broken(
                *((400, "Bad Request") if bad_bytes else (503, "Service Unavailable"))
            )

    def _is_stranger(self) -> bool:
        """Whether the source is known to be nobody's; one that cannot be looked up is answered."""
        try:
            return self.worker.peer(ksr_message.source_ip()) is None
        except Exception:
            return False

    def ksr_request_route(self, msg: Any) -> int:
        """Every request. The try stands in each callback, because a wrapper would cost a frame on
        every message.
        """
        try:
            method, ip = ksr_message.method_and_source()
            peer = self.worker.peer(ip)
            if peer is None and not self._only_inside_calls(method, ip):
                # an unknown source learns not even that someone is here
                if self.worker.accounts:
                    strangers.handle(self.worker, method)
                return CONTINUE
            in_call = ksr_message.has_to_tag()
            if not ksr_effects.hops_left():
                if method != "ACK":
                    ksr_effects.answer(483, "Too Many Hops")
            elif in_call and method != "CANCEL":
                in_dialog.handle(self.worker, method)
            else:
                self._outside_dialogs(method, peer)
        except Exception as error:
            self.failed(error, answering=True)
        return CONTINUE

    def _only_inside_calls(self, method: str, ip: str) -> bool:
        """Of one that sends no calls: whether this is about a call that there is already."""
        if ip not in self.worker.inside_calls:
            return False
        return method == "CANCEL" or ksr_message.has_to_tag()

    def _outside_dialogs(self, method: str, peer: Peer | None) -> None:
        if not ksr_effects.well_formed():
            return  # sanity has answered
        elif method == "INVITE" and peer is not None:
            self._invite(peer)
        elif method == "CANCEL":
            if ksr_effects.matches_transaction():
                ksr_effects.relay()
                announce.cancelled(self.worker)
            else:
                ksr_effects.answer(481, "Call/Transaction Does Not Exist")
        elif method == "OPTIONS":
            ksr_effects.answer_options()
        elif method == "ACK":
            ksr_effects.is_retransmission()
        elif method in INSIDE_CALLS_ONLY:
            ksr_effects.answer(481, "Call/Transaction Does Not Exist")
        elif method == "REGISTER" and ksr_message.to_user() in self.worker.accounts:
            strangers.register(self.worker)
        else:
            ksr_effects.answer_method_not_allowed()

    def _invite(self, peer: Peer) -> None:
        facts = ksr_message.facts()
        if self.worker.holding and facts.proto == "udp":
            return  # sent again in half a second (RFC 3261, 17.1.1.2), to the Kamailio that comes
        if self.worker.ours.is_us(facts.ip, facts.port):
            ksr_effects.answer(482, "Loop Detected")  # a PBX whose address is our own
        else:
            invite.handle(self.worker, peer, facts)

    def ksr_reply_route(self, msg: Any) -> int:
        """Every answer, before tm. One to nothing that we sent would be forwarded by its second
        Via, for anybody and to anywhere: it is dropped (RFC 6026).
        """
        try:
            # One with our Via alone can go nowhere: nathelper's questions to PBXs that have
            # registered are no transactions, and it looks at their answers after us.
            # One that is not legible would carry past us what must stay here.
            if (
                not ksr_message.is_legible()
                or (late.any_given_up[0] and late.is_hung_up(self.worker))
                or not (
                    ksr_effects.matches_transaction()
                    or replies.of_before(self.worker)
                    or ksr_message.has_one_via()
                )
            ):
                ksr_effects.drop()
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_invite_reply(self, msg: Any) -> int:
        try:
            replies.invite_reply(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_dialog_reply(self, msg: Any) -> int:
        try:
            replies.dialog_reply(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_invite_branch(self, msg: Any) -> int:
        """An attempt is about to leave. What could not be written must not go out as it came in."""
        try:
            if not writing.write_branch(self.worker):
                ksr_effects.drop()
        except Exception as error:
            ksr_effects.drop()
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_asked_invite_reply(self, msg: Any) -> int:
        try:
            asked.invite_reply(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_asked_invite_failed(self, msg: Any) -> int:
        try:
            asked.invite_failed(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_asked_reply(self, msg: Any) -> int:
        try:
            asked.inside_reply(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_asked_failed(self, msg: Any) -> int:
        try:
            asked.inside_failed(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_asked_branch(self, msg: Any) -> int:
        try:
            asked.write_branch(self.worker)
        except Exception as error:
            ksr_effects.drop()
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_invite_failed(self, msg: Any) -> int:
        try:
            replies.invite_failed(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_announced(self, msg: Any) -> int:
        try:
            announce.over(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_masked_invite_reply(self, msg: Any) -> int:
        """What could not be written anew must not go on as it came."""
        try:
            replies.masked_invite_reply(self.worker)
        except Exception as error:
            answers.nothing_crosses()
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_masked_reply(self, msg: Any) -> int:
        try:
            inside.reply(self.worker)
        except Exception as error:
            answers.nothing_crosses()
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_masked_failed(self, msg: Any) -> int:
        try:
            inside.failed(self.worker)
        except Exception as error:
            ksr_effects.answer_failed(500, "Server Internal Error")
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_masked_branch(self, msg: Any) -> int:
        try:
            if not inside.write_branch(self.worker):
                ksr_effects.drop()
        except Exception as error:
            ksr_effects.drop()
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_register_reply(self, msg: Any) -> int:
        try:
            registering.answered(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_own_reply(self, msg: Any) -> int:
        try:
            own.answered(self.worker)
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE

    def ksr_local_request(self, msg: Any, event: str = "") -> int:
        """A request that the gateway itself sends: a REGISTER, or one inside a call, through
        tm.t_uac_start.
        """
        try:
            if ksr_message.method_and_source()[0] == "REGISTER":
                registering.asked()
            else:
                own.leaving()
        except Exception as error:
            self.failed(error, answering=False)
        return CONTINUE
