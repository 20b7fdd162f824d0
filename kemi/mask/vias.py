"""The Via headers of a request as its sender gets them back in an answer (RFC 3261, 8.2.6.2 and
18.2.1; RFC 3581, section 4); pure.
"""

from __future__ import annotations

import re

_SENT_BY = re.compile(r"\s*SIP\s*/\s*2\.0\s*/\s*\w+\s+(\[[^\]]*\]|[^:;,\s]+)", re.IGNORECASE)
_TOPMOST = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,"])*')
_RPORT = re.compile(r";\s*rport\s*(?:=\s*\d*)?\s*(?=;|\Z)", re.IGNORECASE)
_RECEIVED = re.compile(r";\s*received\s*=\s*[^;,\s]*\s*(?=;|\Z)", re.IGNORECASE)


def returned(vias: str, ip: str, port: int) -> str:
    """``vias``: all of them, with commas, topmost first. ``ip``, ``port``: where the request came
    from, which the topmost one is told.
    """
    found = _TOPMOST.match(vias)
    top = found[0] if found else vias
    rest = vias[len(top) :]
    asked = _RPORT.search(top) is not None
    sent_by = _SENT_BY.match(top)
    top = _RECEIVED.sub("", _RPORT.sub("", top)).rstrip()
    if asked:
        top += f";rport={port}"
    if asked or sent_by is None or sent_by[1].strip("[]") != ip:
        top += f";received={ip}"
    return top + rest
