"""States move along the ways of the model whoever asks, and a difference, applied, is what was
asked for: properties over made-up numbers, without a database.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from number_registry.errors import RefuseError, StateMoveError
from number_registry.model import ALLOWED_MOVES, State
from number_registry.operations import imports, numbers
from number_registry.operations.imports import ImportFacts, ImportRequest, Row
from number_registry.operations.numbers import LIVE, STATES, SetFields, SetState
from number_registry.operations.selection import Names
from number_registry.operations.values import Change, Facts, Tenancy

N = 74951230000
NAMES = Names(
    cities=frozenset({"Moscow", "Kazan"}),
    departments=frozenset({"Sales", "Service"}),
    carriers=frozenset({"one", "two"}),
    pbxs=frozenset({"old", "new"}),
    attachments={"old": ("old", False), "new": ("new", False), "gathered": ("old", True)},
    contracts={"A": ("one", ""), "B": ("two", ""), "C": ("one", "old")},
)  # fmt: skip
labels = st.sampled_from(sorted(STATES))


@st.composite
def some_facts(draw: st.DrawFn) -> Facts:
    """A number as the database could hold it: at most two live tenancies, in different slots, one
    of them in service.
    """
    chosen = draw(st.lists(st.sampled_from("ABC"), unique=True))
    tenancies, live = [], 0
    for contract in chosen:
        state = draw(labels)
        if state in LIVE:
            live += 1
            if live > 2:
                state = "released"
        if state == "in_service" and any(one.state == state for one in tenancies):
            state = "porting_out"
        tenancies.append(
            Tenancy(contract, state, draw(st.sampled_from(["", "7"])), min(max(live, 1), 2))
        )
    return Facts(
        draw(st.sampled_from(["Moscow", "Kazan"])),
        draw(st.sampled_from(["", "Sales", "Service"])),
        draw(st.sampled_from(["", "old", "new", "gathered"])),
        draw(st.sampled_from(["script", "direct"])),
        draw(st.sampled_from(["by_role", "always", "never"])),
        tuple(sorted(tenancies)),
    )


def sound(facts: Facts) -> bool:
    """What the database holds numbers to."""
    live = [one.slot for one in facts.tenancies if one.state in LIVE]
    contracts = [one.contract for one in facts.tenancies]
    serving = [one for one in facts.tenancies if one.state == "in_service"]
    one_each = len(set(live)) == len(live) <= 2 and len(set(contracts)) == len(contracts)
    return one_each and len(serving) <= 1


@given(some_facts(), labels, st.sampled_from(["A", "B", "C", None]))
def test_a_state_moves_along_an_edge_of_the_model_or_not_at_all(
    facts: Facts, state: str, contract: str | None
) -> None:
    try:
        plan = numbers.plan_state("anna", SetState(state, contract), {N: facts}, NAMES)
    except RefuseError:
        return
    for change in plan.changes:
        assert change.before == facts and change.after is not None and sound(change.after)
        before = {one.contract: one.state for one in facts.tenancies}
        for one in change.after.tenancies:
            was = before.get(one.contract)
            if was is None:
                assert one.state in ("reserved", "porting_in")
            elif was != one.state:
                assert STATES[one.state] in ALLOWED_MOVES[STATES[was]]
                assert one.state == state
    assert bool(plan.changes) == bool(plan.counts()["~"])


@given(labels, labels)
def test_a_refusal_names_every_way_that_there_is(old: str, new: str) -> None:
    facts = Facts("Moscow", tenancies=(Tenancy("A", old),))
    ways = {state.label for state in ALLOWED_MOVES[STATES[old]]}
    try:
        numbers.plan_state("anna", SetState(new), {N: facts}, NAMES)
        assert new in ways or new == old
    except StateMoveError as error:
        assert new not in ways
        assert all(way in str(error) for way in ways)


def test_every_state_of_the_model_is_one_that_people_can_name() -> None:
    assert set(STATES.values()) == set(State)


@given(some_facts())
def test_facts_come_back_from_their_image(facts: Facts) -> None:
    assert Facts.of(facts.image()) == facts


@given(some_facts(), some_facts())
def test_a_change_tells_exactly_what_differs(before: Facts, after: Facts) -> None:
    told = {name: (was, will) for name, was, will in Change(N, before, after).fields()}
    assert ("city" in told) == (before.city != after.city)
    for contract in "ABC":
        one, two = before.tenancy(contract), after.tenancy(contract)
        states = (one.state if one else "", two.state if two else "")
        assert told.get(f"state with {contract}", states) == states
        assert (f"state with {contract}" in told) == (states[0] != states[1])


@given(st.dictionaries(st.integers(N, N + 9), some_facts(), min_size=1),
       st.sampled_from([None, "Moscow"]), st.sampled_from([None, "", "Sales"]),
       st.sampled_from([None, "", "old", "new"]))  # fmt: skip
def test_setting_sets_what_was_asked_and_nothing_else_and_twice_is_once(
    facts: dict[int, Facts], city: str | None, department: str | None, pbx: str | None
) -> None:
    wanted = SetFields(city=city, department=department, pbx=pbx)
    plan = numbers.plan_set("anna", wanted, facts, NAMES)
    assert len(plan.changes) + plan.unchanged == len(facts)
    after = dict(facts) | {change.e164: change.after for change in plan.changes if change.after}
    for e164, will in after.items():
        was = facts[e164]
        assert will.city == (was.city if city is None else city)
        assert will.department == (was.department if department is None else department)
        if pbx is not None:
            assert numbers.pbx_of(will, NAMES) == pbx
        same = replace(will, city=was.city, department=was.department, attachment=was.attachment)
        assert same == was
    assert numbers.plan_set("anna", wanted, after, NAMES).empty


def _rows(facts: dict[int, Facts]) -> tuple[Row, ...]:
    """Rows as an export writes them."""
    rows = []
    for e164, one in sorted(facts.items()):
        for tenancy in one.tenancies or (Tenancy("", ""),):
            carrier, through = NAMES.contracts.get(tenancy.contract, ("", ""))
            rows.append({
                "number": e164, "city": one.city, "department": one.department,
                "attachment": one.attachment, "pbx": numbers.pbx_of(one, NAMES),
                "scenario": one.scenario, "recording": one.recording, "contract": tenancy.contract,
                "carrier": carrier, "rented_through": through, "addendum": tenancy.addendum,
                "state": tenancy.state,
            })  # fmt: skip
    return tuple(
        Row(line, row.pop("number"), row)  # type: ignore[arg-type]
        for line, row in enumerate(rows, 2)
    )


@given(st.dictionaries(st.integers(N, N + 9), some_facts()))
def test_an_export_imports_unchanged(facts: dict[int, Facts]) -> None:
    request = ImportRequest("all.csv", _rows(facts))
    plan, errors = imports.plan("anna", request, ImportFacts(facts, NAMES))
    assert errors == () and plan.empty and plan.unchanged == len(facts)


@given(st.dictionaries(st.integers(N, N + 9), some_facts()))
def test_what_is_imported_anew_is_what_was_exported(facts: dict[int, Facts]) -> None:
    request = ImportRequest("all.csv", _rows(facts))
    plan, errors = imports.plan("anna", request, ImportFacts({}, NAMES))
    assert errors == () and plan.counts()["+"] == len(facts)
    for change in plan.changes:
        assert change.after is not None and sound(change.after)
        was = facts[change.e164]
        assert replace(change.after, tenancies=()) == replace(was, tenancies=())
        told = {(one.contract, one.state, one.addendum) for one in change.after.tenancies}
        assert told == {(one.contract, one.state, one.addendum) for one in was.tenancies}


sheets = st.lists(
    st.dictionaries(st.sampled_from(imports.COLUMNS[1:]), st.text(max_size=5), max_size=6),
    max_size=5,
)


@given(sheets, st.dictionaries(st.integers(N, N + 3), some_facts()))
def test_a_hostile_sheet_gives_errors_with_a_place_and_never_an_exception(
    cells: list[dict[str, str]], facts: dict[int, Facts]
) -> None:
    rows = tuple(Row(line, N + line % 4, row) for line, row in enumerate(cells, 2))
    for add_missing in (False, True):
        request = ImportRequest("x.csv", rows, add_missing=add_missing)
        plan, errors = imports.plan("anna", request, ImportFacts(facts, NAMES))
        assert all(
            one.line >= 2 and one.column in imports.COLUMNS and one.expected for one in errors
        )
        if not errors:
            assert all(change.after and sound(change.after) for change in plan.changes)


@pytest.mark.parametrize("pbx", ["old", "new"])
def test_a_number_attached_one_by_one_never_joins_a_group_that_was_gathered_for_a_move(
    pbx: str,
) -> None:
    only_gathered = replace(NAMES, attachments={"gathered": (pbx, True)})
    group, made = numbers.attachment_for(pbx, only_gathered)
    assert group == pbx and [one.needs for one in made] == [(pbx,)]
