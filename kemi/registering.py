"""Notes down what registrars answer to our REGISTER, for the daemon; Kamailio's uac module does the
registering, and nothing here is asked during a call.
"""

from __future__ import annotations

import json

from kemi import ksr_answers as answers
from kemi import ksr_effects as do
from kemi import ksr_message as message
from kemi.plan import user_of
from kemi.worker import Worker

PREFIX = "registrar-"  # beside the snapshot, as gateway/registrations/heard.py looks for them


def asked() -> None:
    """A REGISTER of our own is about to leave: its answers shall come to `answered`."""
    do.remember(user_of(message.contact()))
    answers.watch_registration()


def answered(worker: Worker) -> None:
    """A file for each registration, named by the user of its Contact. Whole or not at all."""
    status, user = message.status(), do.remembered()
    if status < 200 or not user or "/" in user:
        return
    told = {"status": status, "reason": message.readable(message.reason)[:80]}
    path = worker.config.snapshot / f"{PREFIX}{user}"
    beside = path.with_name(f".{path.name}")
    try:
        beside.write_text(json.dumps(told), "ascii")
        beside.rename(path)
    except OSError as error:
        do.log_warning(f"what the registrar said to {user} cannot be told: {error}")
