"""Carriers' files are looked at before the start: what is broken or misplaced is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway.settings import Carriers, Settings, TrunkOverride
from gateway.stack.adapters import look
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
