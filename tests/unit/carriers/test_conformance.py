"""The conformance suite: the carriers that come with Portgate pass, and each kind of fault in a
carrier's file is found and told where it stands.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from carrier_adapters.conformance import check_folder
from carrier_adapters.kit.report import Report
from carrier_adapters.loader import files

REPO = Path(__file__).parents[3] / "carrier_adapters"
# A carrier that passes as it is; HOOK is where a story puts its fault.
SOME = '''"""Test carrier."""
import re
import zipfile
from carrier_adapters.contract import *

SEEN = {}
BOMB = re.compile(r"^(\\d+)+$")


class Some(Carrier):
    name = "some"
    trunks = (Trunk("moscow", ("192.0.2.0/29",), ("sip:192.0.2.2:5060",), "495"),)

    HOOK
'''


@pytest.mark.parametrize("path", files(REPO), ids=lambda path: path.stem)
def test_a_carrier_that_comes_with_portgate_passes(path: Path) -> None:
    (report,) = check_folder(REPO, name=path.stem)
    assert report.findings == []
    assert [check.check for check in report.checks if not check.cases] == []


def test_all_carriers_are_checked_in_a_fraction_of_thirty_seconds() -> None:
    began = time.monotonic()
    reports = check_folder(REPO)
    assert len(reports) >= 5
    assert time.monotonic() - began < 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the captures of a carrier that writes plain E.164 numbers."""
    shutil.copytree(REPO / "captures" / "northline", tmp_path / "captures" / "some")
    return tmp_path


def checked(folder: Path, hook: str = "", text: str = SOME) -> Report:
    (folder / "some.py").write_text(text.replace("HOOK", hook))
    (report,) = check_folder(folder, name="some")
    return report


def test_the_carrier_of_these_stories_passes_without_a_fault(folder: Path) -> None:
    assert checked(folder).findings == []


NUMBER = "def number(self, digits, trunk):\n        "
PARTIES = "def parties(self, invite, trunk):\n        "
FAR = "def far_side(self, called, shown, trunk):\n        "
FAR += "far = super().far_side(called, shown, trunk)\n        "
SIM = "def to_sim(self, sim, shown, trunk):\n        "
SIM += "far = super().to_sim(sim, shown, trunk)\n        "
FAILURE = "def failure(self, status, cause=0):\n        "


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (NUMBER + "return E164(digits)", "number: raised BadNumberError"),
        (NUMBER + "return E164.maybe(str(int(digits)))", "number: raised ValueError"),
        (NUMBER + "return BOMB.match(digits) and super().number(digits, trunk)",
         "number: does not come to an end"),
        (NUMBER + "while True: pass", "number: does not come to an end with ''"),
        (NUMBER + "[digits.count('1') for _ in digits]\n        return None",
         "number: took"),
        (NUMBER + "return digits", "number: gave"),
        (NUMBER + "return super().number(digits[:11], trunk)", "number: trunk moscow: +"),
        (NUMBER + "zipfile.ZipFile(digits)", "number: has a side effect with"),
        (NUMBER + "SEEN[digits] = 1\n        return super().number(digits, trunk)",
         "hooks: changed the carrier or its file's constants"),
        (NUMBER + "SEEN[0] = not SEEN.get(0)\n        "
         "return SEEN[0] and E164('7495123000') or None", "hooks: gave"),
        (PARTIES + "return super().parties(invite, trunk)._replace(withheld=False)",
         "parties: shows a caller who asked for privacy"),
        (PARTIES + "return Parties(invite.request_user, invite.headers['From'], True)",
         "as the caller"),
        (PARTIES + "return None", "parties: gave None, no Parties"),
        (FAR + "return far._replace(headers=(('X-A', 'b\\r\\nVia: c'),))", "does not stay on one"),
        (FAR + "return far._replace(request_user=far.request_user + '\\0')", "request_user is"),
        (FAR + "return far._replace(from_user='<' + far.from_user)", "from_user is"),
        (FAR + "return far._replace(headers=(('contact', '<sip:x@y>'),))", "writes contact, which"),
        (FAR + "return far._replace(headers=(('m', '<sip:x@y>'),))", "writes m, which"),
        (FAR + "return far._replace(headers=(('X A', 'b'),))", "'X A' is no name of a header"),
        (FAR + "return far._replace(headers=(('X-A', '{host}'),))", "Only {us} is filled in"),
        (FAR + "return far._replace(request_user='1')", "far_side: 112 is written '1'"),
        (FAR + "return ('a', 'b', 'c')", "no FarSide"),
        (FAILURE + "return Failure.ELSEWHERE", "failure: 486 is tried elsewhere"),
        (FAILURE + "return status > 500", "failure: gave"),
        (FAILURE + "return 1 / 0", "failure: raised ZeroDivisionError"),
        ("def invoice(self, data, file_name):\n        return data[0]", "invoice: IndexError"),
        ("caller_header = 'Remote-Party-ID'", "in_mobile: caller is read as"),
        (FAR + "return far._replace(headers=(('Diversion', '<sip:1@x>'),))", "Declare diversion"),
        (SIM + "return super().to_sim(sim, '+' + sim, trunk)", "4711 is to be shown"),
        (SIM + "return far._replace(headers=(('X-Caller', f'<sip:{sim}@{{us}}>'),))",
         "to_sim: trunk moscow: 4711 is to be"),
        (SIM + "return far._replace(from_user='1' + shown)", "to_sim: trunk moscow: 4711"),
        (SIM + "return None", "to_sim: gave None, no FarSide"),
        (SIM + "return int(shown)", "to_sim: gave 4711, no FarSide"),
        ("diversion = True", "diversion is True, and no INVITE that is forwarded = true"),
        ("diversion = 1", "diversion: 1 is neither True nor False"),
        ("number_format = 'national'", "out_mobile: Request-URI is written '89160000001'"),
    ],
)  # fmt: skip
def test_a_fault_is_found(folder: Path, hook: str, said: str) -> None:
    report = checked(folder, hook)
    told = [f"{one.where}: {one.what} ({one.mend})" for one in report.findings]
    assert any(said in line for line in told), told


def test_a_fault_is_told_with_the_line_of_its_hook(folder: Path) -> None:
    report = checked(folder, NUMBER + "return E164(digits)")
    assert report.findings[0].line == 14
    assert len(report.findings) < 20, "of many alike the first few are enough"


@pytest.mark.parametrize(
    ("remove", "said"),
    [
        ("in_*", "no INVITE of theirs by trunk moscow"),
        ("out_*", "no INVITE that they take from us"),
        ("in_mobile.toml", "in_mobile.toml is missing"),
        ("in_mobile.sip", "in_mobile.sip is missing"),
        ("*", "no INVITE of theirs by trunk moscow in captures/some/"),
    ],
)
def test_a_missing_capture_is_a_failure(folder: Path, remove: str, said: str) -> None:
    for path in (folder / "captures" / "some").glob(remove):
        path.unlink()
    told = [finding.what for finding in checked(folder).findings]
    assert any(said in what for what in told), told


def test_a_trunk_that_takes_calls_to_sims_needs_a_capture_of_one(folder: Path) -> None:
    text = SOME.replace(
        '"495"),)', '"495"), Trunk("sims", proxies=("sip:192.0.2.3",), serves="sims"))'
    )
    told = [finding.what for finding in checked(folder, text=text).findings]
    assert any("no INVITE to a SIM of ours by trunk sims" in what for what in told), told


@pytest.mark.parametrize(
    ("change", "to", "said"),
    [
        ('called = "+74951230001"', 'called = "+74951230009"', "called is read as '+74951230001'"),
        ("withheld = false", "withheld = true", "withheld is read as False"),
        ('source = "192.0.2.2"', 'source = "203.0.113.9"', "came from 203.0.113.9"),
        ('trunk = "moscow"', 'trunk = "omsk"', "there is no trunk 'omsk'"),
        ("withheld", "whithheld", "missing ['withheld'], unknown ['whithheld']"),
        ('direction = "in"', 'direction = "up"', "direction is 'up'"),
        ("withheld = false", "withheld = maybe", "in_mobile"),
    ],
)
def test_a_capture_that_is_read_otherwise_is_a_failure(
    folder: Path, change: str, to: str, said: str
) -> None:
    path = folder / "captures" / "some" / "in_mobile.toml"
    path.write_text(path.read_text().replace(change, to))
    told = [finding.what for finding in checked(folder).findings]
    assert any(said in what for what in told), told


def test_a_file_that_does_not_load_is_reported_beside_those_that_do(folder: Path) -> None:
    (folder / "other.py").write_text("class Other(\n")
    (folder / "some.py").write_text(SOME.replace("HOOK", ""))
    other, some = check_folder(folder)
    assert (other.ok, some.ok) == (False, True)
    assert (other.findings[0].check, other.findings[0].line) == ("loads", 1)


def test_of_two_that_clash_the_new_one_is_at_fault(folder: Path) -> None:
    shutil.copy(REPO / "northline.py", folder)
    (folder / "some.py").write_text(SOME.replace("HOOK", ""))
    shutil.copytree(REPO / "captures" / "northline", folder / "captures" / "northline")
    for working, wrong in ((("some",), "northline"), (("northline",), "some")):
        reports = check_folder(folder, working=working)
        assert [report.name for report in reports if not report.ok] == [wrong]
