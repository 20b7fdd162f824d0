"""Carriers' passwords: kept for root alone, told to nobody, missed by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from carrier_adapters.contract import ByAddress, Carrier, Digest, Registration, Trunk
from gateway.carrier_files.findings import findings, without_file
from gateway.carrier_files.secrets import Secrets, wanted
from number_registry.errors import BadValueError

SECRET = "tr0ub4dor & 3"


class City(Carrier):
    name = "city"
    trunks = (
        Trunk("north", auth=Digest("ours", "city_north")),
        Trunk("south", auth=Registration("ours", "city_south", "sip:192.0.2.1")),
        Trunk("west", auth=ByAddress()),
    )


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path / "secrets" / "carriers")


def test_what_is_kept_is_read_back_and_for_root_alone(secrets: Secrets, tmp_path: Path) -> None:
    secrets.put("city_north", SECRET)
    path = tmp_path / "secrets" / "carriers" / "city_north"
    assert secrets.value("city_north") == SECRET
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert secrets.names() == ["city_north"]


def test_a_trunk_misses_its_secret_by_name_and_the_others_do_not(secrets: Secrets) -> None:
    secrets.put("city_north", SECRET)
    (lack,) = secrets.lacks(City())
    assert lack.trunk == "south"
    assert str(lack).endswith("Run: ./portgate carriers secret set city_south")


def test_a_secret_that_others_may_read_is_said(secrets: Secrets, tmp_path: Path) -> None:
    secrets.put("city_north", SECRET)
    secrets.put("city_south", SECRET)
    assert secrets.lacks(City()) == []
    (tmp_path / "secrets" / "carriers" / "city_south").chmod(0o640)
    (lack,) = secrets.lacks(City())
    assert "may be read by others" in lack.what and "chmod" in lack.mend


@pytest.mark.parametrize("value", ["", "x", "two\nlines", "a\tb", "n" * 129, "nul\0"])
def test_what_cannot_be_a_secret_is_refused_and_not_repeated(secrets: Secrets, value: str) -> None:
    with pytest.raises(BadValueError) as refused:
        secrets.put("city_north", value)
    assert len(value) < 2 or value not in str(refused.value)
    assert secrets.names() == []


@pytest.mark.parametrize("name", ["../token", "token.key", "City", ""])
def test_a_name_is_no_path(secrets: Secrets, name: str) -> None:
    with pytest.raises(BadValueError):
        secrets.put(name, SECRET)


def test_a_file_that_holds_no_secret_is_a_lack_and_no_crash(
    secrets: Secrets, tmp_path: Path
) -> None:
    secrets.put("city_north", SECRET)
    secrets.put("city_south", SECRET)
    (tmp_path / "secrets" / "carriers" / "city_south").write_bytes(b"\xff\xfe")
    (lack,) = secrets.lacks(City())
    assert "UTF-8" in lack.what


def test_the_list_names_who_wants_each_and_what_nobody_wants(secrets: Secrets) -> None:
    secrets.put("city_north", SECRET)
    secrets.put("left_over", SECRET)
    found = wanted([{"city": City()}, {"city": City()}], secrets)
    assert [(one.name, one.trunks, one.present) for one in found] == [
        ("city_north", ("city north",), True),
        ("city_south", ("city south",), False),
        ("left_over", (), True),
    ]


def test_the_doctor_says_what_is_missing_and_forgives_the_demo_company(secrets: Secrets) -> None:
    secrets.put("city_north", SECRET)
    (finding,) = findings({"city": City()}, secrets, demo=False)
    assert (finding.name, finding.ok, finding.note) == ("carrier city", False, False)
    assert "city_south is missing" in finding.seen and "secret set city_south" in finding.mend
    (finding,) = findings({"city": City()}, secrets, demo=True)
    assert finding.note


def test_bytes_that_are_no_text_are_refused_like_any_bad_value(secrets: Secrets) -> None:
    with pytest.raises(BadValueError, match="one line of UTF-8 text"):
        secrets.put("city_north", b"pass\xffword".decode(errors="surrogateescape"))


def test_the_list_calls_nothing_set_that_cannot_be_used(secrets: Secrets, tmp_path: Path) -> None:
    secrets.put("city_north", "secret")
    (tmp_path / "secrets" / "carriers" / "a_folder").mkdir()
    (tmp_path / "secrets" / "carriers" / "broken").write_text("a")
    (tmp_path / "secrets" / "carriers" / "nowhere").symlink_to("nowhere-at-all")
    found = {one.name: one for one in wanted([], secrets)}
    assert {name for name, one in found.items() if one.present} == {"city_north"}
    assert found["a_folder"].why == "Is a directory"
    assert "printable" in found["broken"].why and found["nowhere"].why == ""


def test_the_doctor_says_whose_file_is_missing_where_numbers_are_rented() -> None:
    (one,) = without_file({}, {"zz_tel": 3})
    assert not one.ok and "3 numbers are refused" in one.seen and "zz_tel.py" in one.mend
