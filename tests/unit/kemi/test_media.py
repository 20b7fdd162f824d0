"""What profiles ask of the media relay: short enough for a token, and right both ways."""

from __future__ import annotations

import pytest

from kemi.media import LETTERS, code, flags
from number_registry.pbx_profile import CODECS, Profile


def test_every_codec_of_a_profile_has_a_letter_of_its_own() -> None:
    assert set(LETTERS) == set(CODECS)
    assert len(set(LETTERS.values())) == len(LETTERS)
    assert not set(LETTERS.values()) & set("tr/")


def test_an_ordinary_pbx_asks_for_nothing() -> None:
    assert code(Profile()) == "" and flags("", "") == ""


@pytest.mark.parametrize(
    ("raw", "letters", "asked"),
    [
        ({"codecs": "PCMA"}, "tA",
         "codec-mask-all codec-transcode-PCMA codec-offer-telephone-event "),
        ({"codecs": "PCMU,G722", "codec_rule": "refuse"}, "rUG",
         "codec-strip-all codec-offer-PCMU codec-offer-G722 codec-offer-telephone-event "),
        ({"dtmf": "rfc4733"}, "te", "codec-transcode-telephone-event "),
        ({"dtmf": "inband"}, "ti", "codec-mask-telephone-event always-transcode "),
    ],
)  # fmt: skip
def test_what_is_offered_to_a_pbx(raw: dict[str, str], letters: str, asked: str) -> None:
    assert code(Profile.of(raw)) == letters
    assert flags(letters, "") == asked


def test_the_other_side_of_a_pbx_that_hears_tones_is_given_events() -> None:
    assert flags("", "ti") == "codec-transcode-telephone-event "
    assert flags("ti", "ti") == "codec-mask-telephone-event always-transcode "
