"""Challenges read and answered: the examples of the RFCs, and what is no challenge for us."""

from __future__ import annotations

import re

import pytest

from kemi import digest

# RFC 7616, section 3.9.1 (its HTTP example: the same arithmetic)
REALM, USER, SECRET = "http-auth@example.org", "Mufasa", "Circle of Life"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def challenge(algorithm: str, more: str = 'qop="auth, auth-int"') -> str:
    return (
        f'Digest realm="{REALM}", {more}, algorithm={algorithm}, nonce="{NONCE}", opaque="{OPAQUE}"'
    )


def answered(text: str, status: int = 401) -> str:
    found = digest.choose([text], "")
    assert found is not None
    return digest.header(found, status, USER, SECRET, "GET", "/dir/index.html", CNONCE)


def response(header: str) -> str:
    found = re.search(r'response="([0-9a-f]+)"', header)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616(algorithm: str, expected: str) -> None:
    assert response(answered(challenge(algorithm))) == expected


def test_the_example_of_rfc_2617_without_qop_is_that_of_rfc_2069() -> None:
    text = 'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'
    found = digest.choose([text], "")
    assert found is not None
    header = digest.header(
        found, 407, "Mufasa", "Circle Of Life", "GET", "/dir/index.html", "unused"
    )
    assert response(header) == "670fd8c2df070c60b045671b8b24ff02"
    assert "qop" not in header and "cnonce" not in header and "algorithm" not in header


def test_a_407_is_answered_in_another_header_and_opaque_comes_back() -> None:
    assert answered(challenge("MD5"), 401).startswith("Authorization: Digest ")
    header = answered(challenge("MD5"), 407)
    assert header.startswith("Proxy-Authorization: Digest ")
    assert f'opaque="{OPAQUE}"' in header and "qop=auth, nc=00000001" in header


def test_the_first_that_we_know_is_taken_as_rfc_8760_wants_it() -> None:
    texts = [challenge("SHA-999"), challenge("SHA-256"), challenge("MD5")]
    found = digest.choose(texts, "")
    assert found is not None and found.algorithm == "SHA-256"


def test_a_realm_that_we_have_no_password_for_is_passed_over() -> None:
    other = challenge("MD5").replace(REALM, "city.example")
    found = digest.choose([challenge("MD5"), other], "city.example")
    assert found is not None and found.realm == "city.example"
    assert digest.choose([challenge("MD5")], "city.example") is None


def test_session_variants_hash_the_nonces_into_the_password() -> None:
    assert response(answered(challenge("MD5-sess"))) != response(answered(challenge("MD5")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        'Basic realm="x"',
        "Digest",
        'Digest realm="x"',
        'Digest realm="x", nonce="y", qop="auth-int"',
        'Digest realm="x", nonce="y", algorithm=CRC32',
        'Digest realm="x", nonce="y\r\nInjected: yes"',
        'Digest realm="x", nonce="unclosed',
        'Digest realm="x", nonce="' + "n" * 2000 + '"',
        "Digest " + "a=1," * 400,
    ],
)
def test_what_is_no_challenge_for_us_is_none(text: str) -> None:
    assert digest.choose([text], "") is None


def test_stale_and_spellings() -> None:
    text = 'digest REALM = "a b" , Nonce="n\\"q",STALE=TRUE, qop=auth'
    found = digest.read(text)
    assert found is not None
    assert (found.realm, found.nonce, found.stale, found.qop) == ("a b", 'n\\"q', True, "auth")
