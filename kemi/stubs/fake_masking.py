"""Rooms of the fake for messages that are put together anew: corex and textopsx; the parts of hdr
and textops that they need are in fake_headers.
"""

from __future__ import annotations

from kemi.stubs.fake_rooms import Room, effect


class Corex(Room):
    """KSR.corex: where a message is said to have come from."""

    module = "corex"

    @effect
    def set_source_address(self, address: str) -> int:
        """Only what is built afterwards sees it; this fake builds no Via."""
        return 1 if address.count(":") == 2 else -1


class Textopsx(Room):
    """KSR.textopsx: another status line, and no body."""

    module = "textopsx"

    @effect
    def change_reply_status(self, status: int, reason: str) -> int:
        """Only within the class of the status (measured)."""
        known = self.world.message.status
        if known is None or known // 100 != status // 100:
            return -1
        self.world.message.start_instead = f"SIP/2.0 {status} {reason}".encode()
        return 1

    @effect
    def remove_body(self) -> int:
        if self.world.message.body_instead is None:  # what was put there by set_body stays
            self.world.message.body_instead = b""
        return 1
