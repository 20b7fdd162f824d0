"""Tells the media relay that a call is over, without waiting for its answer; it asks for nothing.

A BYE has nothing to learn from the relay, so a SIP worker must not wait for it there. Should the
datagram be lost, the relay's own time-out for a call without packets frees the ports.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

SMALLEST_BUFFER = 1  # the kernel makes its minimum of it: answers nobody reads are dropped at once


class MediaRelease:
    """One per process. ``address``: ``udp:127.0.0.1:2223``, rtpengine's ng port; ``before``: of one
    that goes on with the calls it has, told as well, since nobody remembers which has which.
    """

    def __init__(self, address: str, warn: Callable[[str], None], before: str = "") -> None:
        host, _, port = address.removeprefix("udp:").rpartition(":")
        self._before = MediaRelease(before, lambda text: None) if before else None
        self._warn = warn
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALLEST_BUFFER)
        self._socket.connect((host, int(port)))
        self._number = 0
        self.lost = 0

    def release(self, call: str, called_tag: str = "") -> None:
        """Free the ports of the call with this id, or those of one answer to it, and all with the
        last one. ng protocol: cookie, then a bencoded command.
        """
        self._number += 1
        text = f"{self._number}-{call} d7:call-id{len(call)}:{call}7:command6:delete"
        if called_tag:
            text += f"8:from-tag{len(called_tag.encode())}:{called_tag}"
        try:
            self._socket.send(f"{text}e".encode())
        except OSError as error:
            # Refused: what was sent before found nobody. Either way this one is not delivered.
            self.lost += 1
            self._warn(f"media relay: {self.lost} releases were lost, the last: {error}")
        if self._before is not None:
            self._before.release(call, called_tag)

    def close(self) -> None:
        self._socket.close()
        if self._before is not None:
            self._before.close()
