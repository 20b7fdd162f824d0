"""Requests from a source that is nobody's: dropped in silence, unless the account of a PBX that is
known by its password stands behind them; it decides no call.

What a stranger may learn is this alone: whether an account name, which nobody can guess, exists.
A request that names none hears nothing, whatever it is. One that does is asked for its password,
with the same answer for a wrong one as for none.
"""

from __future__ import annotations

import time

from kemi import announce, in_dialog, invite
from kemi import ksr_accounts as accounts
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.facts import Source
from kemi.nat import is_behind_nat
from kemi.plan import host_of
from kemi.registered import Binding, Registered
from kemi.worker import Worker
from number_registry.call import Peer, Side
from number_registry.model import Account, Pbx
from number_registry.names import is_literal


def handle(worker: Worker, method: str) -> None:
    """A request from an unknown source, where there are accounts at all."""
    worker.registered.refresh()
    inside = message.has_to_tag()
    if inside and method != "CANCEL":
        # Its token must say that its source belongs to the call.
        if do.hops_left():
            in_dialog.handle(worker, method, message.source_ip())
    elif method == "INVITE":
        _invite(worker)
    elif method == "REGISTER":
        register(worker)
    elif method == "CANCEL":
        # It cannot be asked for a password (RFC 3261, section 22.1): it must come from where the
        # INVITE came from.
        if message.invite_source() == message.source_ip() and do.matches_transaction():
            do.relay()
            announce.cancelled(worker)
    elif method == "ACK":
        do.is_retransmission()
    elif method == "OPTIONS" and _registered_at(worker, message.source()):
        do.answer_options()


def _invite(worker: Worker) -> None:
    facts = message.facts()
    pbx = _whose(worker, facts.from_user, Source(facts.ip, facts.port, facts.proto))
    if pbx is None or pbx.account is None or do.is_retransmission():
        return
    if not _proves(worker, pbx.account) or not do.well_formed():
        return  # it has been challenged, or sanity has answered
    if not do.hops_left():
        do.answer(483, "Too Many Hops")
        return
    accounts.drop_credentials()
    invite.handle(worker, Peer(Side.PBX, pbx.name), facts, facts.ip)


def _whose(worker: Worker, from_user: str, source: Source) -> Pbx | None:
    """The PBX whose account this is: named by its credentials, else by From, else by where it has
    registered from.
    """
    user = message.login_user()
    if user:
        return worker.accounts.get(user)
    return worker.accounts.get(from_user) or _registered_at(worker, source)


def _registered_at(worker: Worker, source: Source) -> Pbx | None:
    user = worker.registered.account_at(source.ip, source.port, time.time())
    return worker.accounts.get(user) if user else None


def _proves(worker: Worker, account: Account) -> bool:
    """Whether the request holds this account's password; else it is asked for it."""
    proved = accounts.proved(account.realm, _secret(account))
    if proved == accounts.PROVED and not message.is_login_for_this():
        proved = accounts.UNPROVED  # overheard: made for a call to somebody else
    if proved != accounts.PROVED:
        accounts.challenge(account.realm, proved == accounts.STALE)
    return proved == accounts.PROVED


def _secret(account: Account) -> str:
    return account.md5


def register(worker: Worker) -> None:
    """REGISTER, from a stranger or a neighbour: only of an account for itself."""
    worker.registered.refresh()
    pbx = worker.accounts.get(message.to_user())
    if pbx is None or pbx.account is None or not pbx.registers:
        return
    if message.login_user() not in ("", pbx.account.user):
        return
    if not do.well_formed() or not accounts.begin_transaction():
        return  # sanity has answered, or tm as before
    if not _proves(worker, pbx.account):
        return
    source, contact = message.source(), message.contact()
    do.follow_reply_path()
    hidden = _is_hidden(contact, source.ip) or worker.is_carriers_or_ours(source.ip)
    if hidden or source.proto != "udp":
        accounts.name_source_of_binding()
    user = pbx.account.user
    if accounts.save_binding(user, pbx.account.realm):
        worker.registered.note(user, lambda: bindings(user))


def _is_hidden(contact: str, ip: str) -> bool:
    """Whether the Contact cannot be reached as it is written, so that the source must do."""
    return is_behind_nat(contact, ip) or not is_literal(host_of(contact))


def bindings(user: str) -> list[Binding]:
    """What Kamailio holds of this account."""
    return [Binding(*values) for values in message.bindings(user)]


def restore(registered: Registered) -> None:
    """Before the first message: what PBXs had registered when Kamailio ended."""
    registered.refresh()
    now = time.time()
    for user, (contact, received, socket, expires, *_) in registered.everything(now):
        if not accounts.restore_binding(user, contact, received, socket, int(expires - now)):
            do.log_error(f"what {user} had registered could not be restored: {contact}")
