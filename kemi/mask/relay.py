"""Asks the media relay for the other side's view of a session description; it reads none.

Not by Kamailio's module: that one takes the description out of the message at hand, where what may
not cross still stands.
"""

from __future__ import annotations

from collections.abc import Callable

from kemi.ng import Ng, NgError, Value

# RTCP names its sender (RFC 3550, section 6.5): what a side sends ends at the relay, which makes
# its own for the other one.
_FLAGS = ("trust-address", "generate-RTCP")
_REPLACED = ("origin", "session-connection", "SDP-version")


class MediaRelay:
    """One per process; it says why there is no answer, and gives None then."""

    def __init__(self, ng: Ng, warn: Callable[[str], None]) -> None:
        self._ng, self._warn = ng, warn

    def offer(self, call: str, from_tag: str, to_tag: str, sdp: str, asked: str) -> str | None:
        """The offer as the other side may see it; None where there is no relay, or it says no.
        ``asked``: flags with spaces (kemi/media.py), ``direction=X`` among them.
        """
        words = asked.split()
        flags = [word for word in words if "=" not in word and not word.startswith("codec-")]
        more: dict[str, Value] = {"flags": [*_FLAGS, *flags]}
        if codecs := _codecs(words):
            more["codec"] = codecs
        if ways := [word.partition("=")[2] for word in words if word.startswith("direction=")]:
            more["direction"] = ways
        return self._ask("offer", call, from_tag, to_tag, sdp, more)

    def answer(self, call: str, from_tag: str, to_tag: str, sdp: str) -> str | None:
        """The answer to the offer of ``from_tag``."""
        return self._ask("answer", call, from_tag, to_tag, sdp, {"flags": _FLAGS})

    def _ask(
        self,
        command: str,
        call: str,
        from_tag: str,
        to_tag: str,
        sdp: str,
        more: dict[str, Value],
    ) -> str | None:
        said: dict[str, Value] = {
            "call-id": call,
            "from-tag": from_tag,
            "sdp": sdp,
            "ICE": "remove",
            "replace": _REPLACED,
            **more,
        }
        if to_tag:
            said["to-tag"] = to_tag
        try:
            found = self._ng.ask(command, said).get("sdp")
        except NgError as error:
            self._warn(f"call {call}: {error}")
            return None
        return found if isinstance(found, str) else None


def _codecs(words: list[str]) -> dict[str, list[str]]:
    """``codec-mask-all codec-transcode-PCMA`` as the protocol has it: what is done, to which."""
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("codec-"):
            what, _, codec = word.removeprefix("codec-").partition("-")
            found.setdefault(what, []).append(codec)
    return found
