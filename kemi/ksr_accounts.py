"""Asks PBXs for their password and keeps where they register from, through KSR; it decides
nothing.
"""

from __future__ import annotations

import json

import KSR

# A branch flag of bindings, and what nathelper's parameter sipping_bflag names: they are asked.
FLAG_ASKED = 7
BINDINGS = "location"
PROVED, STALE, UNPROVED = 1, 0, -1
_IS_DIGEST, _QOP_AUTH, _SAY_STALE = 1, 1, 16  # flags of the module auth
_STALE_OR_USED = (-4, -6)  # AUTH_STALE_NONCE, AUTH_NONCE_REUSED (auth/api.h)


def proved(realm: str, digest: str) -> int:
    """PROVED where the request's credentials were made with this digest of name, realm and
    password, for a nonce of ours that is fresh and was not used with this count before; STALE where
    only the nonce is to blame.
    """
    result = KSR.auth.pv_auth_check(realm, digest, _IS_DIGEST, 0)
    return PROVED if result > 0 else STALE if result in _STALE_OR_USED else UNPROVED


def challenge(realm: str, stale: bool) -> None:
    """401 to a REGISTER, 407 to anything else. ``stale``: the password may well be right."""
    KSR.auth.auth_challenge(realm, _QOP_AUTH | _SAY_STALE if stale else _QOP_AUTH)


def drop_credentials() -> None:
    """They were for us and go no further (RFC 3261, section 22.3)."""
    KSR.hdr.remove("Authorization")
    KSR.hdr.remove("Proxy-Authorization")


def begin_transaction() -> bool:
    """False for a retransmission, which tm has answered as before."""
    return KSR.tm.t_newtran() > 0


def name_source_of_binding() -> None:
    """The binding that `save_binding` makes is reached where its REGISTER came from."""
    KSR.nathelper.fix_nated_register()


def save_binding(user: str, realm: str) -> bool:
    """Do what the REGISTER at hand asks, and answer it (RFC 3261, section 10.3)."""
    KSR.setbflag(FLAG_ASKED)
    return KSR.registrar.save_uri(BINDINGS, 0, f"sip:{user}@{realm}") > 0


def restore_binding(user: str, contact: str, received: str, socket: str, left_s: int) -> bool:
    """Give Kamailio back what it held before its restart; works before it has forked, so no message
    can come in between.
    """
    place = [BINDINGS, user, contact, left_s, 1.0, "", 0, 1 << FLAG_ASKED, -1, received, socket]
    asked = {"jsonrpc": "2.0", "id": 1, "method": "ul.add", "params": place}
    return KSR.jsonrpcs.exec(json.dumps(asked)) > 0
