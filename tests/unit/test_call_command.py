"""What `call` draws from the messages of both ends."""

from __future__ import annotations

from gateway.cli.call import causes_first
from gateway.ladder import Arrow


def test_a_message_stands_before_what_it_caused_though_its_time_was_noted_later() -> None:
    noted_late = Arrow(10.0004, 0, 1, "INVITE")
    passed_on = Arrow(10.0001, 1, 2, "INVITE")
    before, after = sorted(causes_first([noted_late, passed_on]), key=lambda arrow: arrow.at)
    assert (before.from_, after.from_) == (0, 1)


def test_messages_that_have_nothing_to_do_with_each_other_keep_their_times() -> None:
    first, second = Arrow(10.0, 1, 2, "INVITE"), Arrow(14.0, 0, 1, "INVITE")
    assert causes_first([first, second]) == [first, second]
