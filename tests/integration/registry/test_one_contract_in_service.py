"""A number is in service under one contract at a time: what says otherwise is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from number_registry.errors import PortgateError

from .commands import Portgate, on_database

KAZAN, UNUSED = "+78432220000", "+78437770001"
OLD, NEW = "Old PBX, numbers in Kazan", "Volga City 4512"


@pytest.fixture
def portgate(dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Portgate:
    return on_database(dsn, tmp_path, monkeypatch)


def sheet(folder: Path, *rows: tuple[str, str, str]) -> Path:
    """Rows of number, contract, state."""
    path = folder / "numbers.csv"
    lines = (f'{number},Kazan,"{contract}",{state}' for number, contract, state in rows)
    path.write_text("\n".join(("number,city,contract,state", *lines)), "utf-8")
    return path


def states(portgate: Portgate) -> dict[str, str]:
    rows = portgate.json("numbers", "show", KAZAN)["tenancies"]
    return {row["contract"]: row["state"] for row in rows}


def test_no_state_puts_a_number_into_service_under_two_contracts(portgate: Portgate) -> None:
    portgate("numbers", "state", KAZAN, "porting_in", "--contract", NEW)
    mend = f"while it moves, '{OLD}' is porting_out and '{NEW}' porting_in"
    with pytest.raises(PortgateError, match=mend):
        portgate("numbers", "state", KAZAN, "in_service", "--contract", NEW)
    assert states(portgate) == {OLD: "in_service", NEW: "porting_in"}

    portgate("numbers", "state", KAZAN, "porting_out", "--contract", OLD)
    portgate("numbers", "state", KAZAN, "in_service", "--contract", NEW)
    with pytest.raises(PortgateError, match="at once"):
        portgate("numbers", "state", KAZAN, "in_service", "--contract", OLD)
    assert states(portgate) == {OLD: "porting_out", NEW: "in_service"}


def test_a_sheet_that_puts_it_under_two_is_refused_at_its_rows(
    portgate: Portgate, tmp_path: Path
) -> None:
    before = portgate.numbers()
    twice = sheet(
        tmp_path,
        (KAZAN, NEW, "in_service"),
        (UNUSED, OLD, "in_service"),
        (UNUSED, NEW, "in_service"),
    )
    refused = portgate("numbers", "import", twice, "--json")
    assert refused.exit_code == 1
    errors = json.loads(refused.stdout)["errors"]
    assert [(one["line"], one["column"]) for one in errors] == [(2, "state"), (4, "state")]
    for error, number in zip(errors, (KAZAN, UNUSED), strict=True):
        assert f"{number} would be in_service under '{OLD}' and '{NEW}'" in error["expected"]
        assert f"numbers state {number} porting_out --contract '{OLD}'" in error["expected"]
    assert portgate.numbers() == before


def test_the_row_that_ends_one_contract_may_come_after_the_row_that_begins_the_other(
    portgate: Portgate, tmp_path: Path
) -> None:
    before = portgate.numbers()
    moves = sheet(tmp_path, (KAZAN, NEW, "in_service"), (KAZAN, OLD, "porting_out"))
    assert portgate("numbers", "import", moves).exit_code == 0
    assert states(portgate) == {OLD: "porting_out", NEW: "in_service"}
    assert portgate("numbers", "undo").exit_code == 0
    assert portgate.numbers() == before
