"""A PBX that registers to us, made anew for a story: its account, and its numbers."""

from __future__ import annotations

import json
import time
from typing import Any

from gateway.endpoints.message import SipMessage
from tests.sip.digest import asked, credentials
from tests.sip.raw import Raw, request
from tests.sip.stack import Stack

NUMBER = "+74951230009"


def made(stack: Stack, name: str, *words: str) -> dict[str, str]:
    """Add the PBX `name` with these words; its login, once SIP workers can know it: until then it
    is a stranger, who hears nothing and, being raw, asks once only.
    """
    done = stack.command("pbx", "add", name, *words, "--json")
    assert done.returncode == 0, done.stderr
    limit = time.monotonic() + 10
    while name not in {one.name for one in stack.known().directory.pbxs()}:
        assert time.monotonic() < limit, f"SIP workers do not know {name}"
    login: dict[str, str] = json.loads(done.stdout)["login"]
    return login


def takes_number(stack: Stack, name: str, number: str = NUMBER) -> None:
    """The number rings this PBX from now on."""
    done = stack.command("pbx", "share", number, name, "100")
    assert done.returncode == 0, done.stderr


def account(stack: Stack, login: dict[str, str], *parameters: str) -> str:
    """As baresip's accounts file has it."""
    host, port = stack.address
    user, password = login["user"], login["password"]
    words = (f"auth_user={user}", f"auth_pass={password}", "regint=60", *parameters)
    return f"<sip:{user}@{host}:{port}>;" + ";".join(words)


def registered(stack: Stack, name: str, count: int, within: float = 5.0) -> list[dict[str, Any]]:
    """What `pbx list` says that this PBX has registered, once that are so many."""
    give_up = time.monotonic() + within
    while True:
        (row,) = [one for one in listed(stack) if one["name"] == name]
        if len(row["registered"]) == count or time.monotonic() > give_up:
            assert len(row["registered"]) == count, row
            return list(row["registered"])


def listed(stack: Stack) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(stack.command("pbx", "list", "--json").stdout)["pbxs"]
    return found


async def registers(pbx: Raw, stack: Stack, login: dict[str, str], **changes: str) -> SipMessage:
    """REGISTER with the password; the final answer."""
    uri = f"sip:{stack.address[0]}"
    user = f"sip:{login['user']}@{stack.address[0]}"
    own = {"From": f"<{user}>;tag=reg", "To": f"<{user}>", **changes}
    source = "{}:{}".format(*pbx.transport.get_extra_info("sockname"))
    challenge = await pbx.asks(request("REGISTER", uri, source, **own), stack.address)
    assert challenge.status == 401
    proof = credentials(asked(challenge), login["user"], login["password"], "REGISTER", uri)
    proved = request("REGISTER", uri, source, **own, Authorization=proof)
    return await pbx.asks(proved, stack.address)
