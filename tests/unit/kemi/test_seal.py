"""The token that carries a call: comes back whole, serves in its own call only, and never lets
anything foreign in.
"""

from __future__ import annotations

import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from kemi.pace import MOST_TRIES, Pace
from kemi.seal import NONCE_BYTES, Sealed, Sealer, tag_crc

KEY = os.urandom(32)
uris = st.from_regex(
    r"sips?:[A-Za-z0-9+._-]{0,40}@[a-z0-9.-]{1,40}(:[0-9]{1,5})?(;[a-z]+=[a-z]+)?", fullmatch=True
)
tokens = st.builds(
    Sealed,
    st.binary(min_size=16, max_size=16).map(bytes.hex),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    uris,
    uris,
    uris,
    uris,
    st.booleans(),
    st.booleans(),
    st.lists(st.ip_addresses(v=4).map(str), max_size=3).map(",".join),
    st.booleans(),
    st.sampled_from(["", "tAUe/", "/tAi"]),
    st.none()
    | st.builds(
        Pace,
        st.sampled_from("ab"),
        st.from_regex("[a-z][a-z0-9_]{0,20}", fullmatch=True),
        st.from_regex("[a-z][a-z0-9_-]{0,20}", fullmatch=True),
        st.integers(-1, 2**32 - 1),
        st.integers(0, MOST_TRIES),
    ),
)


@given(tokens, st.text(max_size=60))
def test_a_token_comes_back_whole_in_another_process(sealed: Sealed, call_id: str) -> None:
    token = Sealer(KEY).token(sealed, call_id)
    assert Sealer(KEY).read(token, call_id) == sealed
    assert token.replace("-", "").replace("_", "").isalnum()


@given(tokens, st.integers(0, 10_000), st.integers(1, 63))
def test_a_changed_token_is_not_read(sealed: Sealed, at: int, by: int) -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = Sealer(KEY).token(sealed, "call")
    at %= len(token) - 1  # the last character may hold bits that base64 does not use
    other = alphabet[(alphabet.index(token[at]) + by) % 64]
    assert Sealer(KEY).read(token[:at] + other + token[at + 1 :], "call") is None


@given(st.text(max_size=400))
def test_foreign_text_is_not_read(text: str) -> None:
    assert Sealer(KEY).read(text, "call") is None


def test_a_token_serves_in_its_own_call_only() -> None:
    sealed = Sealed("ab" * 16, tag_crc("tag"), True, "sip:a@b", "sip:c@d", "sip:e@f", "sip:g@h")
    sealer = Sealer(KEY)
    token = sealer.token(sealed, "call-1")
    assert sealer.read(token, "call-1") == sealed
    assert sealer.read(token, "call-2") is None
    assert Sealer(os.urandom(32)).read(token, "call-1") is None


def test_two_tokens_of_the_same_call_have_nothing_in_common() -> None:
    sealed = Sealed("ab" * 16, 1, True, "sip:a@b", "sip:c@d", "sip:e@f", "sip:g@h")
    first, second = (Sealer(KEY).token(sealed, "call") for _ in range(2))
    assert first[:16] != second[:16]
    assert first != second


@given(st.binary(min_size=1, max_size=500), st.binary(max_size=80))
def test_our_use_of_libcrypto_is_the_named_construction(plain: bytes, bound: bytes) -> None:
    """AES-256-GCM as python3-cryptography computes it, both ways."""
    box = Sealer(KEY).encrypt(plain, bound)
    assert AESGCM(KEY).decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], bound) == plain
    nonce = os.urandom(NONCE_BYTES)
    assert Sealer(KEY).decrypt(nonce + AESGCM(KEY).encrypt(nonce, plain, bound), bound) == plain


def test_an_ordinary_token_stays_under_300_characters() -> None:
    uri = "sip:+74951230001@gateway.example.com:5060"
    sealed = Sealed("ab" * 16, 1, True, uri, uri, uri, uri)
    assert len(Sealer(KEY).token(sealed, "call")) < 300


def test_a_key_of_the_wrong_length_stops_the_start() -> None:
    with pytest.raises(ValueError, match="31 bytes"):
        Sealer(KEY[:31])
