"""Named SQL blocks are found, and a name is given once."""

from __future__ import annotations

from pathlib import Path

import pytest

from number_registry.store.queries import SQL, load


def test_blocks_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text(
        "-- about\n\n-- name: one\n-- why\nSELECT 1;\n\n-- name: two\nSELECT\n 2;\n"
    )
    (tmp_path / "b.sql").write_text("-- name: three\nSELECT 3")
    assert load(tmp_path) == {"one": "-- why\nSELECT 1", "two": "SELECT\n 2", "three": "SELECT 3"}


def test_a_name_given_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("-- name: one\nSELECT 1;\n")
    (tmp_path / "b.sql").write_text("-- name: one\nSELECT 2;\n")
    with pytest.raises(ValueError, match="one exists already"):
        load(tmp_path)


def test_the_registrys_own_queries_are_there() -> None:
    assert {"all_numbers", "take_changes", "list_numbers"} <= SQL.keys()
