"""A PBX's profile holds only what can be done, and says what is wrong with anything else."""

from __future__ import annotations

from typing import Any

import pytest

from number_registry.errors import BadValueError
from number_registry.operations import presets
from number_registry.pbx_profile import Profile, Trust


def test_an_ordinary_pbx_stores_nothing() -> None:
    assert Profile.of({}).raw() == {}
    assert Profile.of({}).plain_writing


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"colour": "red"}, "'colour' is unknown"),
        ({"trust": "friendship"}, "'friendship' is none of address, digest, register"),
        ({"did_format": "local"}, "none of plus, digits, national"),
        ({"did_in": []}, "at least one of request, to, called_party"),
        ({"did_in": ["to", "to"]}, "twice"),
        ({"caller_in": "from, diversion"}, "'diversion' is none of"),
        ({"codecs": ["MP3"]}, "'MP3' is none of"),
        ({"codecs": ["AMR"]}, 'AMR cannot be transcoded to; leave it out, or set codec_rule'),
        ({"dtmf": "info"}, "cannot be turned into INFO"),
        ({"dtmf": "inband", "codecs": ["G729"]}, "do not survive"),
        ({"session_timer_s": 30}, "neither 0 nor 90"),
        ({"session_timer_s": "soon"}, "not a whole number"),
        ({"national_length": True}, "not a whole number"),
        ({"trunk_prefix": "8a"}, "not up to 8 digits"),
        ({"transfer": "a b"}, "is no name"),
        ({"country_code": 7}, "put it in quotes"),
        ({"codecs": 7}, "a list of words"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_field(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(BadValueError, match=said.replace('"', ".").replace("(", r"\(")):
        Profile.of(raw)


def test_a_codec_that_cannot_be_made_may_be_demanded() -> None:
    assert Profile.of({"codecs": "AMR", "codec_rule": "refuse"}).codecs == ("AMR",)


def test_a_profile_survives_being_stored() -> None:
    raw = {
        "trust": "register",
        "did_format": "national",
        "did_in": ["to", "called_party"],
        "own_caller_in": ["asserted", "from"],
        "codecs": ["PCMA"],
        "session_timer_s": 1800,
        "area_code": "495",
    }
    profile = Profile.of(raw)
    assert profile.raw() == raw and Profile.of(profile.all()) == profile
    assert (profile.trust, profile.plan.area_code) == (Trust.REGISTER, "495")
    assert not profile.plain_writing


@pytest.mark.parametrize("name", presets.PRESETS)
def test_every_preset_is_a_profile(name: str) -> None:
    assert Profile.of(presets.preset(name))
    assert presets.title(name)
