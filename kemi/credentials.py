"""Our answer when a carrier asks who we are: its file says how, the secret is read at that moment,
and nothing is said twice to one who has refused it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence

from carrier_adapters.contract import Digest, Registration
from kemi import digest
from kemi import ksr_answers as answers
from kemi import ksr_effects as do
from kemi.pace import MOST_TRIES
from kemi.worker import Worker

SAY_AGAIN_S = 60.0  # a trunk that refuses us would say so in the log with every call


def answer(
    worker: Worker,
    carrier: str,
    trunk: str,
    status: int,
    method: str,
    uri: str,
    asked: int,
    challenges: Sequence[str] | None = None,
) -> str:
    """The header line that answers the challenge, empty where there is no sense in it. ``uri``: the
    Request-URI as sent. ``asked``: how often they were answered already; once more only where the
    nonce was too old (RFC 7616, section 3.3, stale). ``challenges``: those at hand; in a failure
    callback, which is the default, they are found here.
    """
    auth = _declared(worker, carrier, trunk)
    if auth is None:
        return ""
    secret = worker.secret(auth.secret)
    if challenges is None:
        challenges = answers.readable_challenges(status)
    challenge = digest.choose(challenges, auth.realm)
    if not secret:
        why = f"its secret {auth.secret} is missing: ./portgate carriers secret set {auth.secret}"
    elif challenge is None:
        why = "it asks in a way or for a realm that we cannot answer"
    elif asked and not (challenge.stale and asked < MOST_TRIES):
        why = f"it refuses our user or the secret {auth.secret}"
    else:
        cnonce = secrets.token_hex(8)
        return digest.header(challenge, status, auth.user, secret, method, uri, cnonce)
    _say(worker, f"carrier {carrier}, trunk {trunk}: {why} ({status} to {method})")
    return ""


def _declared(worker: Worker, carrier: str, trunk: str) -> Digest | Registration | None:
    """How the trunk says that it asks; None where it does not, or is not there any more."""
    found = worker.carriers.get(carrier)
    for one in found.trunks if found else ():
        if one.name == trunk and isinstance(one.auth, Digest | Registration):
            return one.auth
    return None


def _say(worker: Worker, text: str) -> None:
    now = time.monotonic()
    if now >= worker.said.get(text, 0.0):
        worker.said[text] = now + SAY_AGAIN_S
        do.log_error(text)
