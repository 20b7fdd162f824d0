"""Carriers' files on their way to work: what differs, what is refused, what a skeleton lacks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from carrier_adapters import loader
from gateway.carrier_files import checking, new, work
from gateway.carrier_files.overview import overview, spoken
from gateway.carrier_files.work import Change
from gateway.home import Home
from gateway.settings import Settings
from gateway.settings_sections import Carriers
from gateway.stack.problems import StackError
from gateway.stack.report import Lines
from gateway.stack.steps import bring_carriers

REPO = Path(__file__).parents[3] / "carrier_adapters"
HANGS = "\n    def number(self, digits, trunk):\n        return 10 ** 10 ** 10 and None\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder that people edit, with one carrier."""
    folder = tmp_path / "source"
    shutil.copytree(REPO / "captures" / "northline", folder / "captures" / "northline")
    shutil.copy(REPO / "northline.py", folder)
    return folder


@pytest.fixture
def at_work(tmp_path: Path) -> Path:
    folder = tmp_path / "carriers"
    folder.mkdir()
    return folder


def apply(source: Path, at_work: Path) -> work.Outcome:
    return work.put(work.changes(source, at_work), source, at_work, {})


def test_a_new_file_is_put_to_work_and_is_then_no_change(source: Path, at_work: Path) -> None:
    assert work.changes(source, at_work) == [Change("+", "northline")]
    assert apply(source, at_work).refused == []
    assert work.changes(source, at_work) == []
    assert list(loader.load(at_work).carriers) == ["northline"]


def test_a_plan_refuses_what_applying_would_refuse_and_writes_nothing(
    source: Path, at_work: Path
) -> None:
    text = (source / "northline.py").read_text()
    shutil.copytree(source / "captures" / "northline", source / "captures" / "twin")
    (source / "twin.py").write_text(text.replace('"northline"', '"twin"'))
    (source / "half.py").write_text("class Half(:\n")
    found = work.changes(source, at_work)
    planned = work.put(found, source, at_work, {}, write=False)
    assert list(at_work.iterdir()) == []
    done = work.put(found, source, at_work, {})
    assert planned.done == done.done == [Change("+", "northline")]
    assert [one["name"] for one in planned.refused] == ["half", "twin"], "one twin is enough"
    (source / "northline.py").unlink()
    leaving = [one for one in work.changes(source, at_work) if one.sign == "-"]
    assert work.put(leaving, source, at_work, {}, write=False).done == leaving
    assert (at_work / "northline.py").exists()


def test_a_renamed_file_waits_until_the_carrier_of_its_old_name_is_taken_away(
    source: Path, at_work: Path
) -> None:
    apply(source, at_work)
    text = (source / "northline.py").read_text().replace('"northline"', '"northstar"')
    (source / "northline.py").rename(source / "northstar.py")
    (source / "captures" / "northline").rename(source / "captures" / "northstar")
    (source / "northstar.py").write_text(text)
    gone, renamed = work.changes(source, at_work)
    (report,) = work.put([renamed], source, at_work, {}).refused
    (finding,) = report["findings"]
    assert "of northline, trunk moscow overlaps" in finding["what"]
    assert "carriers apply ITS_NAME takes it away" in finding["mend"]
    work.put([gone], source, at_work, {})
    assert work.put([renamed], source, at_work, {}).done == [renamed]


@pytest.mark.parametrize("name", ["kit", "captures"])
def test_a_folder_of_the_contract_is_no_carriers_name(source: Path, name: str) -> None:
    with pytest.raises(StackError, match="is another thing"):
        new.write(source, new.Wanted(name))


def test_a_file_that_fails_a_check_changes_nothing_and_stops_no_other(
    source: Path, at_work: Path
) -> None:
    apply(source, at_work)
    good = (at_work / "northline.py").read_bytes()
    text = (source / "northline.py").read_text()
    (source / "northline.py").write_text(text + "    caller_header = 'Remote-Party-ID'\n")
    shutil.copy(REPO / "volga_city.py", source)
    shutil.copytree(REPO / "captures" / "volga_city", source / "captures" / "volga_city")
    outcome = apply(source, at_work)
    assert outcome.done == [Change("+", "volga_city")]
    (report,) = outcome.refused
    assert {finding["where"] for finding in report["findings"]} >= {"in_mobile"}
    assert (at_work / "northline.py").read_bytes() == good


def test_a_file_is_taken_away_when_it_is_gone(source: Path, at_work: Path) -> None:
    apply(source, at_work)
    (source / "northline.py").unlink()
    assert work.changes(source, at_work) == [Change("-", "northline")]
    apply(source, at_work)
    assert loader.files(at_work) == []


def test_a_start_takes_no_carrier_away_whose_file_is_gone(source: Path, tmp_path: Path) -> None:
    home, told = Home(tmp_path / "home"), Lines()
    home.carriers.mkdir(parents=True)
    shutil.copy(REPO / "volga_city.py", home.carriers)
    settings = Settings(carriers=Carriers(folder=str(source)))
    bring_carriers(home, settings, told)
    at_work = {path.stem for path in loader.files(home.carriers)}
    assert at_work == {"northline", "volga_city"}
    (problem,) = told.problems
    assert problem.warning and "volga_city.py is gone" in problem.what
    assert "./portgate carriers apply volga_city" in problem.mend


def test_of_two_that_clash_the_newcomer_is_refused(source: Path, at_work: Path) -> None:
    apply(source, at_work)
    text = (source / "northline.py").read_text()
    (source / "alpha.py").write_text(text.replace("northline", "alpha"))
    shutil.copytree(source / "captures" / "northline", source / "captures" / "alpha")
    outcome = apply(source, at_work)
    (report,) = outcome.refused
    assert (report["name"], outcome.done) == ("alpha", [])
    assert "overlaps" in report["findings"][0]["what"]


def test_an_address_that_this_machine_does_not_have_is_refused(source: Path, at_work: Path) -> None:
    text = (source / "northline.py").read_text()
    text = text.replace('area_code="495"', 'area_code="495", receives_on="192.0.2.100"')
    (source / "northline.py").write_text(text)
    (report,) = apply(source, at_work).refused
    assert "receives_on is 192.0.2.100" in report["findings"][0]["what"]


def test_a_hook_that_no_signal_interrupts_is_a_finding_after_the_deadline(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checking, "DEADLINE_S", 1.5)
    with (source / "northline.py").open("a") as file:
        file.write(HANGS)
    report = checking.report(source, "northline", {})
    assert not report["ok"]
    # Which watch speaks first, the one inside or the deadline, is up to the interpreter.
    assert "come to an end" in report["findings"][0]["what"]


def test_a_skeleton_passes_once_it_is_filled_in(source: Path) -> None:
    written = new.write(source, new.Wanted("city_telecom"))
    assert [path.name for path in written] == [
        "city_telecom.py", "in_call.sip", "in_call.toml", "out_call.sip", "out_call.toml",
    ]  # fmt: skip
    report = checking.report(source, "city_telecom", {})
    (finding,) = report["findings"]
    assert (finding["where"], finding["line"]) == ("trunk main: sources", 15)
    text = written[0].read_text()
    text = text.replace('("FILL-IN",)', '("203.0.113.0/29",)', 1)
    written[0].write_text(text)
    (finding,) = checking.report(source, "city_telecom", {})["findings"]
    assert "'FILL-IN' is not a SIP address" in finding["what"]
    written[0].write_text(text.replace("FILL-IN", "sip:203.0.113.2:5060"))
    assert checking.report(source, "city_telecom", {})["findings"] == []


def test_a_skeleton_with_its_addresses_passes_at_once(source: Path) -> None:
    wanted = new.Wanted("city", "City", "203.0.113.0/29", "sip:203.0.113.2", "843")
    new.write(source, wanted)
    report = checking.report(source, "city", {})
    assert report["findings"] == []


def test_a_skeleton_keeps_the_rules_for_text_whatever_its_name(source: Path) -> None:
    wanted = new.Wanted("a_regional_operator", "", "203.0.113.0/29", "sip:203.0.113.2", "843")
    for path in new.write(source, wanted):
        if path.suffix == ".py":
            assert max(map(len, path.read_text().splitlines())) <= 100


def test_a_skeleton_overwrites_nothing(source: Path) -> None:
    with pytest.raises(StackError, match="is there already"):
        new.write(source, new.Wanted("northline"))
    with pytest.raises(StackError, match="cannot be a carrier's name"):
        new.write(source, new.Wanted("../evil"))


def test_the_overview_tells_what_to_do_about_each_carrier(source: Path, at_work: Path) -> None:
    apply(source, at_work)
    with (source / "northline.py").open("a") as file:
        file.write("# changed\n")
    (source / "broken.py").write_text("class Broken(\n")
    new.write(source, new.Wanted("fresh", source="203.0.113.0/29", proxy="sip:203.0.113.2"))
    rows = [{"name": "northline", "title": "Northline", "numbers": 3, "cities": [], "used": 2}]
    rows.append({"name": "paper", "title": "", "numbers": 0, "cities": [], "used": 0})
    entries = {entry["name"]: entry for entry in overview(rows, source, at_work, {})}
    states = {name: entry["state"] for name, entry in entries.items()}
    assert states == {
        "broken": "refused", "fresh": "new", "northline": "changed", "paper": "no file",
    }  # fmt: skip
    assert "broken.py: line 1" in entries["broken"]["why"]
    assert "carriers apply northline" in entries["northline"]["why"]
    assert entries["northline"]["channels"] == {"used": 2, "limit": None}


def test_what_the_gateway_does_not_do_yet_is_said() -> None:
    carriers = loader.load(REPO).carriers
    assert work.notes(carriers["northline"]) == []
    assert work.notes(carriers["ural_link"]) == []
    assert "SIMs make" in " ".join(work.notes(carriers["steppe_mobile"]))


def test_a_trunk_over_tls_says_what_it_takes_where_tls_is_off() -> None:
    carriers = loader.load(REPO).carriers
    assert work.wants_tls(carriers["northline"]) == []
    assert "sip.tls_port = 5061" in work.wants_tls(carriers["ural_link"])[0]


def test_a_carrier_is_shown_by_how_a_call_to_a_mobile_is_written() -> None:
    written = spoken(loader.load(REPO).carriers["volga_city"])
    assert written["Request-URI"] == "sip:89161234567@192.0.2.18:5060"
    assert written["P-Asserted-Identity"] == "<sip:88432222222@us>"
