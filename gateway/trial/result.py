"""What a trial call showed, for scripts and in words; it looks at no socket."""

from __future__ import annotations

from typing import Any

import msgspec

from number_registry.call import Drop, Reject, ToCarrier, ToPbx, ToSim, Verdict

KINDS: dict[type, str] = {
    ToPbx: "pbx", ToCarrier: "carrier", ToSim: "sim", Reject: "reject", Drop: "drop",
}  # fmt: skip

# What a person can do about a final status, beside its name in RFC 3261 section 21.
MEANING = {
    200: "answered",
    403: "refused by the gateway: this caller may not call there, or has no number to show",
    404: "nobody here under this number",
    408: "nobody answered in time",
    410: "the deal is closed or has expired",
    480: "the PBX is not reachable or not attached",
    486: "busy",
    487: "cancelled before it was answered",
    500: "the far side failed",
    503: "no way out: far side or media relay down",
    603: "declined",
}


class Step(msgspec.Struct, frozen=True):
    """One rule of the decision."""

    rule: str
    said: str


class Audio(msgspec.Struct, frozen=True):
    """Whether each side heard the tone of the other; a is the caller."""

    a_to_b: bool
    b_to_a: bool


class CallResult(msgspec.Struct, frozen=True, kw_only=True):
    """One trial call. `shown_caller` and `dialled` are what the far side really received.

    `call_id` and `call_record` are those of the table `calls`; null when no record came in time.
    """

    answered: bool
    final_status: int | None
    verdict: str
    carrier: str
    pbx: str
    shown_caller: str
    dialled: str
    audio: Audio
    post_dial_delay_ms: float | None
    call_id: str | None
    call_record: dict[str, Any] | None
    trace: list[Step]

    @property
    def worked(self) -> bool:
        """Answered, both sides heard each other, and the record is there."""
        heard = self.audio.a_to_b and self.audio.b_to_a
        return self.answered and heard and self.call_record is not None


def kind(verdict: Verdict) -> str:
    return KINDS[type(verdict)]


def in_words(result: CallResult) -> str:
    """One or two sentences for a person."""
    if not result.answered:
        status = result.final_status
        if status is None:
            return "No answer of any kind came: the gateway dropped the call or is not there."
        meaning = MEANING.get(status, "see RFC 3261 section 21")
        return f"Not answered: {status}, {meaning}."
    where = f"PBX {result.pbx}" if result.verdict == "pbx" else f"carrier {result.carrier}"
    delay = f"{result.post_dial_delay_ms:g} ms" if result.post_dial_delay_ms is not None else "?"
    sound = {
        (True, True): "Both sides heard each other.",
        (True, False): "The caller was heard, but heard nothing.",
        (False, True): "The caller heard the far side, but was not heard.",
        (False, False): "Neither side heard the other.",
    }[(result.audio.a_to_b, result.audio.b_to_a)]
    record = "" if result.call_record else " Its call record has not arrived."
    return f"Answered by {where}, first sign after {delay}. {sound}{record}"
