"""Carriers' files are looked at before the start: what is broken or misplaced is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from carrier_adapters import loader
from gateway.home import Home
from gateway.settings import FILE, Carriers, Settings, TrunkOverride, load
from gateway.stack.adapters import look, unknown_hand_offs
from gateway.stack.render import REPO


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in (REPO / "carrier_adapters").glob("*.py"):
        shutil.copy(path, tmp_path)
    return tmp_path


def carriers(folder: Path) -> list[str]:
    fixed = {"__init__", "contract", "loader", "conformance"}
    return sorted(path.stem for path in folder.glob("*.py") if path.stem not in fixed)


def settings(folder: Path, **overrides: dict[str, TrunkOverride]) -> Settings:
    return Settings(carriers=Carriers(folder=str(folder), overrides=overrides))


def test_the_carriers_that_come_with_it_are_well() -> None:
    assert look(Settings()) == []


def test_a_broken_file_is_named_with_its_line_and_stops_no_other(folder: Path) -> None:
    name = carriers(folder)[0]
    (folder / f"{name}.py").write_text("x = 1\ny = (\n")
    (problem,) = look(settings(folder))
    assert problem.warning
    assert problem.what == f"{folder}/{name}.py is not used"
    assert problem.why.startswith("line 2: ")
    assert problem.mend


def test_without_any_usable_file_nothing_starts(folder: Path) -> None:
    for name in carriers(folder):
        (folder / f"{name}.py").unlink()
    (problem,) = look(settings(folder))
    assert not problem.warning
    assert "no carrier can be used" in problem.what


def test_a_folder_that_is_not_there_is_named(folder: Path) -> None:
    (problem,) = look(settings(folder / "absent"))
    assert str(folder / "absent") in problem.what


def test_placing_a_carrier_that_is_not_there_is_refused_with_a_suggestion(folder: Path) -> None:
    name = carriers(folder)[0]
    (problem,) = look(settings(folder, **{name[:-1]: {"some": TrunkOverride()}}))
    assert not problem.warning
    assert f"Did you mean `{name}`?" in problem.mend


def test_placing_a_trunk_that_is_not_there_is_refused(folder: Path) -> None:
    name = carriers(folder)[0]
    (problem,) = look(settings(folder, **{name: {"nowhere": TrunkOverride()}}))
    assert f"[carriers.{name}.nowhere]" in problem.what


def handed_off(home: Path, folder: Path, *names: str) -> list[str]:
    """What is said of hand-offs of these `carrier.trunk`."""
    text = f'[carriers]\nfolder = "{folder}"\n'
    for at, name in enumerate(names):
        text += f'[network.{name}]\ninterface = "eth1"\naddress = "10.20.{at}.2/30"\n'
        text += 'sip = ["10.0.0.0/8"]\n'
    (home / FILE).write_text(text, "utf-8")
    problems = unknown_hand_offs(Home(home), load(home, {}))
    assert all(problem.warning and problem.mend for problem in problems)
    return [f"{problem.what}: {problem.why}. {problem.mend}" for problem in problems]


def test_a_hand_off_of_a_carrier_that_no_file_speaks_for_is_told_with_its_line(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    name = carriers(folder)[0]
    (trunk, *_) = (one.name for one in loader.load(folder).carriers[name].trunks)
    assert handed_off(home, folder, f"{name}.{trunk}") == []

    ghost, slip = handed_off(home, folder, "GHOST.x", f"{name[:-1]}.{trunk}")
    assert ghost.startswith("[network.GHOST.x] serves no trunk")
    assert f"{home / FILE}:3: no carrier's file is named `GHOST`" in ghost
    assert "carriers new GHOST" in ghost
    assert f"{home / FILE}:7: " in slip and f"Did you mean `{name}`?" in slip

    (nowhere,) = handed_off(home, folder, f"{name}.{trunk}", f"{name}.{trunk[:-1]}")
    assert f"{home / FILE}:7: {name} has no trunk `{trunk[:-1]}`" in nowhere
    assert f"Did you mean `{trunk}`?" in nowhere


def test_nothing_is_said_of_the_trunks_of_a_file_that_is_broken_itself(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = carriers(folder)[0]
    (folder / f"{name}.py").write_text("x = 1\ny = (\n")
    assert handed_off(tmp_path_factory.mktemp("home"), folder, f"{name}.anywhere") == []
