"""A stateful stand-in for Kamailio's KSR module, for tests; it is never loaded by Kamailio.

It has exactly the functions of api.json, checks names, number and types of arguments, holds one
real SIP message at a time, and records what was done. What exists in Kamailio but is not modelled
raises NotConfigured until a test gives it a result. tests/integration/kemi_stubs puts the same
questions to it and to a running Kamailio.

Measured on 5.6.3 (U = raises UnicodeDecodeError; pv.get, gete, getw, getvs, hdr.get*, kx.get_*
behave alike):

=====================  ==========================  ============================  ================
bytes in a field       that very field             the same, {s.encode.base64}   everything else
=====================  ==========================  ============================  ================
CP1251, 0xFF           U, also $hdr(X)             exact bytes, never raises     fine but $mb: U
UTF-8                  str                         exact bytes                   fine
NUL                    str with "\\x00", not cut   exact bytes                   fine
NUL in To              the message is dropped before any callback; nothing is answered
=====================  ==========================  ============================  ================

$fu $fU $fd $ft read well beside a foreign display name. A str with NUL or a lone surrogate as an
argument raises SystemError; so does every wrong argument (its cause is the TypeError).
Missing: get None, gete "", getw "<null>", geti 0, is_null True; $var 0; is_present -1; $tt None.
Reads with {...} of a missing header, and $route_uri without Route, also log an error each.
kx.get_conid ends Kamailio by a segmentation fault when TCP is off.

ns per call, tight loop in one callback: pv.get("$fu") 280, $hdr(X) 400, its base64 460, a missing
header 1190; kx.get_* 230-245; hdr.get 410, missing 730, is_present 210; pv.sets of $var 310;
hdr.append 1390, pv.sets("$fu") 1420, hdr.remove 1990; is_INVITE 95; isflagset 160; sht_get 260.

From and To ($fu $tu $fn $tn) can be written in request, branch, tm reply and core reply callbacks
and that is what goes out; reads keep giving the old value. A second write of one piece puts both
texts one after the other, but what a branch callback writes ends with its branch. A branch whose
callback calls set_drop is not sent, and t_relay gives -6 when it was the only one. CANCEL repeats
the branch's From but the caller's To, unless tm.t_use_uac_headers() was called before t_relay.
$T_req($fu) works in replies (`$T_req(fu)` does not). Flags set before t_relay read back in reply
and failure callbacks and can be changed there. t_set_fr in a reply callback changes the running
INVITE; 100 Trying reaches the reply callback.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from kemi.stubs.fake_core import Core
from kemi.stubs.fake_headers import Hdr, Siputils, Textops
from kemi.stubs.fake_kx import Kx
from kemi.stubs.fake_masking import Corex, Textopsx
from kemi.stubs.fake_message import Message
from kemi.stubs.fake_rooms import Room
from kemi.stubs.fake_routing import Maxfwd, Nathelper, Rr, Rtpengine, Sanity
from kemi.stubs.fake_signature import KsrArgumentError, check_arguments
from kemi.stubs.fake_tm import Sl, Tm, Tmx
from kemi.stubs.fake_values import Htable, Pv, Pvx
from kemi.stubs.fake_world import (
    Effect,
    FakeMisuse,
    NotConfigured,
    Reply,
    Sent,
    TooManyNames,
    WentOnAfterStop,
    World,
)
from kemi.stubs.generate import API_FILE, Functions

__all__ = [
    "Effect", "FakeKSR", "FakeMisuse", "KsrArgumentError", "NotConfigured", "Reply", "Sent",
    "TooManyNames", "WentOnAfterStop", "load_api",
]  # fmt: skip

ROOMS: tuple[type[Room], ...] = (
    Core, Pv, Pvx, Kx, Hdr, Textops, Siputils, Tm, Tmx, Sl, Rr, Maxfwd, Sanity, Nathelper,
    Rtpengine, Htable, Corex, Textopsx,
)  # fmt: skip
# Functions whose 0 is not "stop": counters, log, and what says how long something is.
_ZERO_IS_A_VALUE = {"htable", "kx", "pv", "pvx", "hdr", ""}


@functools.cache
def load_api() -> Functions:
    """The committed table of functions: {module: {name: [result, parameter, ...]}}."""
    functions: Functions = json.loads(API_FILE.read_text(encoding="utf-8"))["functions"]
    return functions


class FakeKSR:
    """A Kamailio with one message; `ksr` is what a script imports as KSR.

    `source` and `local` are (host, port); `script` has the callbacks. `results["tm.t_suspend"]`
    makes a function give that: a value, or a callable asked with the arguments; it takes the place
    of what the fake would do. `effects`, `sent`, `replies` and `log` grow; `receive`, `reply` and
    `fails` put another message before the script.
    """

    def __init__(
        self,
        raw: bytes | str,
        *,
        source: tuple[str, int] = ("127.0.0.2", 5060),
        local: tuple[str, int] = ("127.0.0.1", 5060),
        transport: str = "udp",
        script: object | None = None,
        api: Functions | None = None,
    ) -> None:
        message = _message(raw)
        self.world = World(message, source, local, transport)
        self.world.new_message(message, "request" if message.is_request else "reply")
        self.script = script
        self.world.run_branch = self._run_branch
        api = load_api() if api is None else api
        rooms = {room.module: room(self.world) for room in ROOMS}
        spaces: dict[str, dict[str, Any]] = {"": {}}
        for module, names in api.items():
            made: dict[str, Any] = {
                name: _function(self.world, module, name, kinds, rooms.get(module))
                for name, kinds in names.items()
            }
            spaces[module] = made
        for module, made in spaces.items():
            if module:
                spaces[""][module] = _Namespace(f"KSR.{module}", made)
        self.ksr: Any = _Namespace("KSR", spaces[""])

    def __getattr__(self, name: str) -> Any:
        """What the fake itself has not is KSR's: fake.tm is fake.ksr.tm."""
        if name.startswith("__") or name == "ksr":
            raise AttributeError(name)
        return getattr(self.ksr, name)

    # -- what a test looks at --------------------------------------------------------------------

    @property
    def results(self) -> dict[str, Any]:
        return self.world.results

    @property
    def effects(self) -> list[Effect]:
        return self.world.effects

    @property
    def sent(self) -> list[Sent]:
        return self.world.sent

    @property
    def replies(self) -> list[Reply]:
        return self.world.replies

    @property
    def log(self) -> list[tuple[str, str]]:
        return self.world.log

    def did(self, name: str) -> list[Effect]:
        """Every effect of this name, in order."""
        return [effect for effect in self.world.effects if effect.name == name]

    # -- what a test brings about ----------------------------------------------------------------

    def receive(self, raw: bytes | str, *, in_dialog: bool = False) -> None:
        """Another request comes in; without `in_dialog` the transaction before it is forgotten.

        A CANCEL, an ACK or a retransmission belongs to the transaction: say in_dialog=True.
        """
        self.world.new_message(_message(raw), "request")
        if not in_dialog:
            self.world.transaction = None
            self.world.avps, self.world.xavps = {}, {}

    def reply(self, raw: bytes | str) -> str:
        """A reply to the relayed request comes in; the name of its callback ("" for none)."""
        message = _message(raw)
        transaction = self.world.transaction
        if transaction is None or message.status is None:
            raise FakeMisuse("a reply needs a relayed request, and a status line")
        self.world.new_message(message, "onreply")
        transaction.replied = True
        transaction.status, transaction.last_reply = message.status, message
        return transaction.routes.get("onreply", "")

    def fails(self, status: int, *, cancelled: bool = False) -> str:
        """All branches failed (408: no answer); the name of the failure callback ("" for none)."""
        transaction = self.world.transaction
        if transaction is None:
            raise FakeMisuse("a failure needs a relayed request")
        last = transaction.last_reply
        transaction.timed_out = last is None or last.status != status
        self.world.new_message(transaction.request, "failure")
        self.world.request_uri = transaction.request_uri
        transaction.status, transaction.is_cancelled = status, cancelled
        callback = transaction.routes.pop("failure", "")
        self.world.routes = transaction.routes
        return callback

    def outgoing(self) -> bytes:
        """The message at hand with its edits, as t_relay or the reply route would send it now."""
        return self.world.message.sent(self.world.request_uri)

    def _run_branch(self, callback: str) -> None:
        if self.script is None:
            raise NotConfigured(f"the branch callback {callback!r}: give FakeKSR(script=...)")
        getattr(self.script, callback)(None)


class _Namespace(SimpleNamespace):
    """KSR or KSR.<module>; what it has not is an AttributeError in Kamailio's words."""

    def __init__(self, name: str, members: Mapping[str, object]) -> None:
        super().__init__(**members)
        self._name = name

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"module '{self._name}' has no attribute '{name}'")


def _message(raw: bytes | str) -> Message:
    if isinstance(raw, str):
        raw = raw.replace("\r\n", "\n").replace("\n", "\r\n").encode()
    return Message(raw)


def _function(
    world: World, module: str, name: str, kinds: list[str], room: Room | None
) -> Callable[..., Any]:
    full = f"{module}.{name}" if module else name
    modelled = getattr(room, name, None)
    is_effect = modelled is None or getattr(modelled, "is_effect", False)

    def call(*arguments: Any) -> Any:
        check_arguments(full, kinds[1:], arguments)
        if is_effect and world.stopped_by:
            raise WentOnAfterStop(f"{full} after {world.stopped_by} gave 0")
        if full in world.results:
            given = world.results[full]
            result = given(*arguments) if callable(given) else given
        elif modelled is not None:
            result = modelled(*arguments)
        else:
            raise NotConfigured(f"KSR.{full} is not modelled: give results[{full!r}]")
        if is_effect:
            world.effects.append(Effect(full, arguments, result))
        if type(result) is int and result == 0 and module not in _ZERO_IS_A_VALUE:
            world.stopped_by = full
        return result

    return call
