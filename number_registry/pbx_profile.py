"""How a PBX speaks, as a value that cannot be built wrong; it names no SIP header and no vendor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from number_registry.dialling import DialPlan
from number_registry.errors import BadValueError


class Trust(StrEnum):
    """By what we know a PBX: the network its calls come from, or its password; one that registers
    also tells us by that where its calls go.
    """

    ADDRESS = "address"
    DIGEST = "digest"
    REGISTER = "register"


NUMBER_FORMATS = ("plus", "digits", "national")
DID_PLACES = ("request", "to", "called_party")
CALLER_PLACES = ("from", "asserted", "remote_party")
OWN_CALLER_PLACES = ("from", "asserted", "remote_party", "diversion")
CODEC_RULES = ("transcode", "refuse")
DTMF_MODES = ("", "rfc4733", "inband", "info")
# As SDP names them (RFC 4855); those that the media relay can also make, so that a call whose
# other side has none of them can be transcoded.
MADE_CODECS = ("PCMA", "PCMU", "G722", "G729", "opus", "GSM", "speex")
CODECS = (*MADE_CODECS, "AMR", "AMR-WB", "iLBC", "G723")
# RFC 4028, section 4: shorter ones need not be accepted by anybody.
SHORTEST_TIMER_S = 90
LONGEST_TIMER_S = 86400
_CHOICES: dict[str, tuple[str, ...]] = {
    "trust": tuple(trust.value for trust in Trust),
    "did_format": NUMBER_FORMATS,
    "caller_format": ("", *NUMBER_FORMATS),
    "codec_rule": CODEC_RULES,
    "dtmf": DTMF_MODES,
}
_PLACES = {
    "did_in": DID_PLACES,
    "caller_in": CALLER_PLACES,
    "own_caller_in": OWN_CALLER_PLACES,
    "codecs": CODECS,
}
_DIGITS = ("country_code", "trunk_prefix", "international_prefix", "area_code")


@dataclass(frozen=True, slots=True)
class Profile:
    """Each field has the value of a PBX that speaks E.164 in the ordinary places.

    ``did_format``: how it wants the called number: plus (+7495...), digits (7495...), national (as
    dialled in its country). ``caller_format``: the caller; empty = as the DID. ``did_in``,
    ``caller_in``: where it looks for them; several are written at once. ``own_caller_in``: where it
    puts its own caller; the first place that holds one counts. ``country_code`` to ``area_code``:
    how to read what it dials. ``codecs``: the only ones it may be offered; empty = any; an offer
    with none of them is transcoded or refused by ``codec_rule``. ``dtmf``: how it wants digits
    pressed in a call; empty = as they come. ``session_timer_s``: what a call to it asks for
    (RFC 4028) where its caller did not; 0 = nothing. ``transfer``: name of the interface by which
    it can be asked to transfer; ``transfer_at``: HOST:PORT or URL of that; ``transfer_user``: our
    name there (the secret is a file); ``transfer_context``: the part of its dial plan that takes
    what its phones dial; ``transfer_body``: what is posted to it.
    """

    trust: Trust = Trust.ADDRESS
    did_format: str = "plus"
    caller_format: str = ""
    country_code: str = "7"
    trunk_prefix: str = "8"
    international_prefix: str = "810"
    national_length: int = 10
    area_code: str = ""
    did_in: tuple[str, ...] = ("request", "to")
    caller_in: tuple[str, ...] = ("from",)
    own_caller_in: tuple[str, ...] = ("from",)
    codecs: tuple[str, ...] = ()
    codec_rule: str = "transcode"
    dtmf: str = ""
    session_timer_s: int = 0
    transfer: str = ""
    transfer_at: str = ""
    transfer_user: str = ""
    transfer_context: str = "from-internal"
    transfer_body: str = ""
    plan: DialPlan = field(init=False, compare=False, repr=False, default=DialPlan())
    # Nothing but plus or digits in the ordinary places: asked for every call to a PBX.
    plain_writing: bool = field(init=False, compare=False, repr=False, default=True)

    def __post_init__(self) -> None:
        _check(self)
        plan = DialPlan(*(getattr(self, name) for name in DialPlan._fields))
        object.__setattr__(self, "plan", plan)
        object.__setattr__(self, "plain_writing", _is_plain(self))

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Profile:
        """From JSON or TOML. Raises BadValueError with the field that is unknown or wrong."""
        known = {one.name: one for one in fields(cls) if one.init}
        values: dict[str, Any] = {}
        for name, value in raw.items():
            if name not in known:
                raise BadValueError(f"profile: {name!r} is unknown; there are: {', '.join(known)}")
            values[name] = _read(name, value)
        return cls(**values)

    def raw(self) -> dict[str, Any]:
        """What differs from an ordinary PBX, as JSON holds it."""
        return {name: value for name, value in self.all().items() if value != _ORDINARY[name]}

    def all(self) -> dict[str, Any]:
        """Every field, as JSON holds it."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        return {
            name: list(value)
            if isinstance(value, tuple)
            else value.value
            if isinstance(value, Trust)
            else value
            for name, value in found.items()
        }


def _read(name: str, value: object) -> object:
    if name == "trust" and value in _CHOICES["trust"]:
        return Trust(str(value))
    if name in _PLACES:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise BadValueError(f"profile: {name}: a list of words is expected")
        return tuple(value)
    if name in ("national_length", "session_timer_s"):
        if isinstance(value, bool) or not str(value).isdecimal():
            raise BadValueError(f"profile: {name}: {value!r} is not a whole number")
        return int(str(value))
    if not isinstance(value, str):
        raise BadValueError(f"profile: {name}: {value!r} is not text; put it in quotes")
    return value


def _check(profile: Profile) -> None:
    """Raises BadValueError with the field and what it may be."""
    for name, choices in _CHOICES.items():
        if getattr(profile, name) not in choices:
            told = ", ".join(choice or '""' for choice in choices)
            raise BadValueError(f"profile: {name}: {getattr(profile, name)!r} is none of {told}")
    for name, choices in _PLACES.items():
        _check_places(name, getattr(profile, name), choices)
    for name in _DIGITS:
        value = getattr(profile, name)
        if len(value) > 8 or (value and not (value.isascii() and value.isdigit())):
            raise BadValueError(f"profile: {name}: {value!r} is not up to 8 digits")
    if not 4 <= profile.national_length <= 14 or not profile.country_code:
        raise BadValueError("profile: national_length: 4 to 14 digits, and a country_code")
    timer = profile.session_timer_s
    if timer and not SHORTEST_TIMER_S <= timer <= LONGEST_TIMER_S:
        raise BadValueError(
            f"profile: session_timer_s: {timer} is neither 0 nor {SHORTEST_TIMER_S} to "
            f"{LONGEST_TIMER_S} (RFC 4028, section 4)"
        )
    transfer = profile.transfer
    if transfer and not (transfer.isascii() and transfer.isidentifier() and len(transfer) <= 40):
        raise BadValueError(f"profile: transfer: {transfer!r} is no name: a-z, 0-9, _ are expected")
    _check_interface(profile)
    _check_media(profile)


def _check_interface(profile: Profile) -> None:
    """These are written into requests to the PBX."""
    for name in ("transfer_at", "transfer_user", "transfer_context", "transfer_body"):
        value = getattr(profile, name)
        if len(value) > 500 or not value.isprintable():
            raise BadValueError(f"profile: {name}: one line of up to 500 characters is expected")
    for name in ("transfer_user", "transfer_context"):
        value = getattr(profile, name)
        if not all(sign.isalnum() or sign in "_.-@" for sign in value):
            raise BadValueError(f"profile: {name}: {value!r} is no name: letters, digits, _ . - @")


def _check_places(name: str, value: tuple[str, ...], choices: tuple[str, ...]) -> None:
    wrong = [one for one in value if one not in choices]
    if wrong:
        raise BadValueError(f"profile: {name}: {wrong[0]!r} is none of {', '.join(choices)}")
    if len(set(value)) != len(value):
        raise BadValueError(f"profile: {name}: one of them is there twice")
    if not value and name != "codecs":
        raise BadValueError(f"profile: {name}: at least one of {', '.join(choices)} is needed")


def _check_media(profile: Profile) -> None:
    """What the media relay cannot do is not promised."""
    unmade = [codec for codec in profile.codecs if codec not in MADE_CODECS]
    if unmade and profile.codec_rule == "transcode":
        raise BadValueError(
            f"profile: codecs: {unmade[0]} cannot be transcoded to; leave it out, or set "
            'codec_rule = "refuse"'
        )
    if profile.dtmf == "info":
        raise BadValueError(
            "profile: dtmf: digits that come as audio or events cannot be turned into INFO; say "
            '"rfc4733" or "inband" (INFO that the PBX sends is passed on as it is)'
        )
    audible = {"PCMA", "PCMU", "G722"}
    if profile.dtmf == "inband" and profile.codecs and audible.isdisjoint(profile.codecs):
        raise BadValueError(
            "profile: dtmf: inband digits do not survive these codecs; allow PCMA or PCMU"
        )


def _is_plain(profile: Profile) -> bool:
    return (
        profile.did_format != "national"
        and profile.caller_format in ("", profile.did_format)
        and profile.did_in == ("request", "to")
        and profile.caller_in == ("from",)
        and not profile.session_timer_s
    )


_ORDINARY = Profile().all()
