"""The text ladder."""

from __future__ import annotations

from gateway.ladder import Arrow, ladder


def test_messages_stand_in_the_order_of_time_between_their_columns() -> None:
    lines = ladder(
        ["a", "gw", "b"],
        [Arrow(10.002, 1, 2, "INVITE"), Arrow(10.0, 0, 1, "INVITE"), Arrow(10.005, 2, 1, "180")],
    )
    assert [line.strip().split(" ")[0] for line in lines[1:]] == ["0.0", "2.0", "5.0"]
    assert lines[1].index("INVITE") < lines[2].index("INVITE")
    assert "▶" in lines[1] and "▶" in lines[2] and "◀" in lines[3]


def test_all_columns_stay_in_line() -> None:
    lines = ladder(
        ["a", "gw", "b"], [Arrow(0, 0, 1, "X"), Arrow(1, 1, 2, "Y"), Arrow(2, 1, 0, "Z")]
    )
    edges = [{n for n, sign in enumerate(line) if sign == "│"} for line in lines[1:]]
    assert set.intersection(*edges) and len(set.union(*edges)) == 3


def test_a_label_that_is_too_long_is_cut_and_the_line_stays_as_wide() -> None:
    short, long = (ladder(["a", "b"], [Arrow(0, 0, 1, label)])[1] for label in ("X", "X" * 99))
    assert len(short) == len(long)


def test_no_messages_are_no_lines() -> None:
    assert ladder(["a", "b"], []) == []
