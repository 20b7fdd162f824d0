"""The certificate of SIP over TLS: made once, for root alone, and judged before it is used."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway import tls
from gateway.home import Home
from gateway.settings import Sip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.secrets.mkdir(mode=0o700)
    return made


def test_a_pair_is_made_once_and_only_root_reads_it(home: Home) -> None:
    sip = Sip(tls_port=5061, tls_verify=False)
    tls.make(home, sip)
    first = home.tls_certificate.read_bytes()
    tls.make(home, sip)
    assert home.tls_certificate.read_bytes() == first
    assert home.tls_key.stat().st_mode & 0o777 == 0o600
    assert tls.problems(home, sip) == []
    ends = tls.ends(home.tls_certificate)
    assert ends is not None and ends > datetime.now(UTC) + timedelta(days=3000)


def test_none_is_made_where_tls_is_off(home: Home) -> None:
    tls.make(home, Sip())
    assert not home.tls_certificate.exists()
    assert tls.context(Sip()) is None


def test_a_key_of_another_certificate_is_a_problem(home: Home, tmp_path: Path) -> None:
    tls.make(home, Sip(tls_port=5061))
    other = Home(tmp_path / "other")
    other.secrets.mkdir(parents=True)
    tls.make(other, Sip(tls_port=5061))
    mixed = Sip(
        tls_port=5061,
        tls_verify=False,
        tls_certificate=str(home.tls_certificate),
        tls_key=str(other.tls_key),
    )
    (problem,) = tls.problems(home, mixed)
    assert problem.why == "KEY_VALUES_MISMATCH"


def test_authorities_that_are_not_there_are_a_problem(home: Home) -> None:
    sip = Sip(tls_port=5061, tls_authorities="/nowhere/ca.pem")
    (problem,) = tls.problems(home, sip)
    assert "sip.tls_verify = false" in problem.mend
    assert tls.context(sip) is None
