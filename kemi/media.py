"""What a PBX's profile or a carrier's trunk asks of the media relay, as a short code that a call's
token can carry, and as the relay's flags; pure.

A code is a letter for the rule, one for each codec allowed, and one for digits pressed: ``tAUe``.
The relay changes what is offered to the side the code is of; what the other side offered stays good
for it, so the relay decodes and encodes between them where it must.
"""

from __future__ import annotations

from carrier_adapters.kit.trunk import USUAL_CODECS, Trunk
from number_registry.pbx_profile import MADE_CODECS, Profile

LETTERS = {
    "PCMA": "A",
    "PCMU": "U",
    "G722": "G",
    "G729": "N",
    "opus": "O",
    "GSM": "M",
    "speex": "S",
    "AMR": "R",
    "AMR-WB": "W",
    "iLBC": "L",
    "G723": "H",
}
_CODECS = {letter: codec for codec, letter in LETTERS.items()}
_EVENTS, _INBAND = "e", "i"
_DTMF = {"rfc4733": _EVENTS, "inband": _INBAND, "": ""}
_RULES = {"transcode": "t", "refuse": "r"}
_TELEPHONE_EVENT = "telephone-event"


def code(profile: Profile) -> str:
    """Empty for a PBX that takes whatever comes."""
    if not profile.codecs and not profile.dtmf:
        return ""
    letters = "".join(LETTERS[codec] for codec in profile.codecs)
    return _RULES[profile.codec_rule] + letters + _DTMF[profile.dtmf]


def trunk_code(trunk: Trunk) -> str:
    """Empty for a trunk that says nothing of codecs. One with a codec that the relay cannot make is
    offered those of its codecs that the other side has.
    """
    if trunk.codecs == USUAL_CODECS:
        return ""
    codecs = [codec for codec in trunk.codecs if codec != _TELEPHONE_EVENT]
    rule = "transcode" if all(codec in MADE_CODECS for codec in codecs) else "refuse"
    return _RULES[rule] + "".join(LETTERS[codec] for codec in codecs)


def flags(towards: str, offering: str) -> str:
    """The relay's flags for an offer that goes to a side with the code `towards`, made by one with
    `offering`; with a space at the end, or empty.
    """
    words = _codecs(towards) + _events(towards, offering)
    return "".join(word + " " for word in words)


def _codecs(towards: str) -> list[str]:
    allowed = [_CODECS[letter] for letter in towards[1:] if letter in _CODECS]
    if not allowed:
        return []
    if towards[0] == "r":
        kept = ["codec-strip-all", *(f"codec-offer-{codec}" for codec in allowed)]
        return [*kept, f"codec-offer-{_TELEPHONE_EVENT}"]
    made = ["codec-mask-all", *(f"codec-transcode-{codec}" for codec in allowed)]
    return made if towards[-1] == _INBAND else [*made, f"codec-offer-{_TELEPHONE_EVENT}"]


def _events(towards: str, offering: str) -> list[str]:
    """Where one side has digits as events and the other as tones, the relay makes one of the
    other.
    """
    if towards[-1:] == _INBAND:
        return [f"codec-mask-{_TELEPHONE_EVENT}", "always-transcode"]
    if towards[-1:] == _EVENTS or offering[-1:] == _INBAND:
        return [f"codec-transcode-{_TELEPHONE_EVENT}"]
    return []
