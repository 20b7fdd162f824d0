"""Writes a session description anew out of the lines and values that are known to be harmless
(RFC 8866, RFC 3264); pure, and it raises nothing for what others sent.

The media relay is given what comes out of here, and what it makes of that is sent: so neither its
memory, nor its recordings, nor the far side can hold more.
"""

from __future__ import annotations

import re

LONGEST = 16_000  # characters; no honest offer has more, and nobody can make a reading slow
MOST_MEDIA = 8

_ADDRESS = re.compile(r"IN IP[46] [0-9A-Fa-f:.]{2,45}\Z")
_M_LINE = re.compile(
    r"(audio|video|image|application|text|message) (\d{1,5})(?:/\d{1,2})? "
    r"([A-Za-z0-9/]{3,20}) ([A-Za-z0-9 ]{1,200})\Z"
)
_PAYLOAD = re.compile(r"\d{1,3}\Z")
_RTP = frozenset({"RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVPF"})
_BANDWIDTH = re.compile(r"(?:AS|TIAS|CT|RS|RR):\d{1,7}\Z")
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
_RTPMAP = re.compile(r"(\d{1,3}) ([A-Za-z0-9.-]{1,20})/(\d{4,6})(/\d)?\Z")
# By their names: a made up codec could spell anything.
CODECS = frozenset(
    {
        *("pcma", "pcmu", "g722", "g723", "g726-16", "g726-24", "g726-32", "g726-40", "g728"),
        *("g729", "g729d", "g729e", "g7221", "gsm", "gsm-efr", "gsm-hr-08", "amr", "amr-wb"),
        *("evs", "ilbc", "isac", "opus", "speex", "silk", "l16", "l8", "l24", "lpc", "qcelp"),
        *("telephone-event", "cn", "red", "t38", "vdvi", "dvi4", "clearmode", "aal2-g726-32"),
    }
)
# Format parameters whose values are numbers, lists of small numbers, or words of this list.
_FMTP = re.compile(r"(\d{1,3}) (.{1,200})\Z")
_EVENTS = re.compile(r"[0-9]{1,3}(?:-[0-9]{1,3})?(?:,[0-9]{1,3}(?:-[0-9]{1,3})?){0,16}\Z")
_NUMBERS = re.compile(r"\d{1,6}(?:,\d{1,6}){0,8}\Z")
_FORMAT_NAMES = frozenset(
    {
        *("annexb", "annexa", "bitrate", "mode", "mode-set", "mode-change-period"),
        *("mode-change-capability", "mode-change-neighbor", "max-red", "octet-align", "crc"),
        *("robust-sorting", "interleaving", "channels", "maxplaybackrate", "sprop-maxcapturerate"),
        *("maxaveragebitrate", "stereo", "sprop-stereo", "cbr", "useinbandfec", "usedtx", "vbr"),
        *("cng", "penh", "dtx", "dtx-recv", "hf-only", "evs-mode-switch", "br", "bw", "ch-aw-recv"),
        *("cmr", "ptime", "maxptime", "minptime", "emphasis"),
    }
)
_FORMAT_WORDS = frozenset({"yes", "no", "on", "off", "any", "nb", "wb", "swb", "fb", "nb-wb"})
_TIME = re.compile(r"(ptime|maxptime):(\d{1,3})(?:\.\d{1,2})?\Z")
_T38 = re.compile(
    r"(T38FaxVersion|T38MaxBitRate|T38FaxMaxBuffer|T38FaxMaxDatagram|T38FaxMaxIFP"
    r"|T38FaxUdpECDepth|T38FaxUdpFECMaxSpan|T38ModemType):(\d{1,6})\Z"
)
_T38_WORDS = re.compile(
    r"(T38FaxFillBitRemoval|T38FaxTranscodingMMR|T38FaxTranscodingJBIG)(?::([01]))?\Z"
)
_T38_RATES = re.compile(r"T38FaxRateManagement:(transferredTCF|localTCF)\Z", re.IGNORECASE)
_T38_ERRORS = re.compile(r"T38FaxUdpEC:(t38UDPRedundancy|t38UDPFEC|t38UDPNoEC)\Z", re.IGNORECASE)
# Keys that are used as they stand in the offer (RFC 4568): the relay ends them on either side.
_CRYPTO = re.compile(
    r"crypto:(\d{1,2}) (AES_CM_128_HMAC_SHA1_(?:80|32)|AES_256_CM_HMAC_SHA1_(?:80|32)"
    r"|AES_192_CM_HMAC_SHA1_(?:80|32)|AEAD_AES_(?:128|256)_GCM) inline:([A-Za-z0-9+/=]{20,90})"
    r"(?:\|2\^\d{1,2})?(?:\|\d{1,4}:\d{1,2})?\Z"
)
_FINGERPRINT = re.compile(r"fingerprint:(sha-(?:1|256|384|512)) ([0-9A-Fa-f:]{40,200})\Z")
_SETUP = re.compile(r"setup:(active|passive|actpass|holdconn)\Z")


def rebuild(text: str, session: int) -> str | None:
    """The description as it may cross; None where it is none, or where its media cannot be told.
    ``session``: the id that stands in its origin, which says nothing of the sender's.

    A stream that is neither audio nor a fax is offered as refused (port 0, RFC 3264, section 6): it
    has to keep its place.
    """
    if len(text) > LONGEST:
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    at = next((place for place, line in enumerate(lines) if line[:2] == "m="), len(lines))
    if "v=0" not in (line.strip() for line in lines[:at]):
        return None
    media = _sections(lines[at:])
    if len(media) > MOST_MEDIA:
        return None
    address = _address(lines[:at])
    written = []
    for section in media:
        rebuilt = _media(section, address)
        if rebuilt is None:
            return None
        written += rebuilt
    origin = address or "IN IP4 0.0.0.0"
    head = ["v=0", f"o=- {session} 1 {origin}", "s=-"]
    if address:
        head.append(f"c={address}")
    head += [*_bandwidths(lines[:at]), "t=0 0", *_direction(lines[:at])]
    head += _keys(lines[:at])
    return "\r\n".join([*head, *written, ""])


def _sections(lines: list[str]) -> list[list[str]]:
    sections: list[list[str]] = []
    for line in lines:
        if line[:2] == "m=":
            sections.append([])
        if sections:
            sections[-1].append(line.rstrip())
    return sections


def _address(lines: list[str]) -> str:
    """The connection address (RFC 8866, section 5.7); the relay puts its own in its place."""
    for line in lines:
        if line[:2] == "c=":
            value = line[2:].strip().partition("/")[0]
            if _ADDRESS.match(value):
                return value
    return ""


def _bandwidths(lines: list[str]) -> list[str]:
    values = [line[2:].strip() for line in lines if line[:2] == "b="]
    return [f"b={value}" for value in values if _BANDWIDTH.match(value)]


def _attributes(lines: list[str]) -> list[str]:
    return [line[2:].strip() for line in lines if line[:2] == "a="]


def _direction(lines: list[str]) -> list[str]:
    """The last one that says it, as there may be one only (RFC 8866, section 6.7)."""
    found = [value for value in _attributes(lines) if value in _DIRECTIONS]
    return [f"a={found[-1]}"] if found else []


def _keys(lines: list[str]) -> list[str]:
    found = []
    for value in _attributes(lines):
        if match := _CRYPTO.match(value):
            found.append(f"a=crypto:{match[1]} {match[2]} inline:{match[3]}")
        elif match := _FINGERPRINT.match(value):
            found.append(f"a=fingerprint:{match[1]} {match[2].upper()}")
        elif match := _SETUP.match(value):
            found.append(f"a=setup:{match[1]}")
    return found


def _media(section: list[str], address: str) -> list[str] | None:
    found = _M_LINE.match(section[0][2:].strip())
    if found is None:
        return None
    kind, port, protocol, formats = found[1], int(found[2]), found[3], found[4].split()
    if port > 65535:
        return None
    if kind == "image" and protocol.lower() == "udptl":
        return _fax(section, port, address)
    payloads = [one for one in formats if _PAYLOAD.match(one) and int(one) < 128]
    if kind != "audio" or protocol not in _RTP or not payloads:
        return [f"m={kind} 0 {_refused_as(kind, protocol)}"]
    return _audio(section, port, protocol, payloads)


def _refused_as(kind: str, protocol: str) -> str:
    if protocol in _RTP:
        return f"{protocol} 0"
    return "udptl t38" if kind == "image" else "RTP/AVP 0"


def _audio(section: list[str], port: int, protocol: str, payloads: list[str]) -> list[str]:
    maps: dict[str, str] = {}
    refused = set()
    formats: list[tuple[str, str]] = []
    times = []
    for value in _attributes(section[1:]):
        if value[:7] == "rtpmap:":
            match = _RTPMAP.match(value[7:])
            if match and match[2].lower() in CODECS and match[1] in payloads:
                maps[match[1]] = f"a=rtpmap:{match[1]} {match[2]}/{match[3]}{match[4] or ''}"
            else:
                refused.add(value[7:].partition(" ")[0])
        elif value[:5] == "fmtp:" and (written := _format(value[5:])):
            formats.append(written)
        elif match := _TIME.match(value):
            times.append(f"a={match[1]}:{match[2]}")
    # One of the dynamic numbers means nothing without its name (RFC 3551, section 3).
    kept = [one for one in dict.fromkeys(payloads) if one in maps or _is_static(one, refused)]
    if not kept:
        return [f"m=audio 0 {protocol} 0"]
    lines = [f"m=audio {port} {protocol} {' '.join(kept)}", *_own_address(section)]
    lines += _bandwidths(section)
    lines += [maps[one] for one in kept if one in maps]
    lines += [f"a=fmtp:{one} {value}" for one, value in formats if one in kept]
    lines += [*times, *_direction(section), *_keys(section)]
    if "rtcp-mux" in _attributes(section):
        lines.append("a=rtcp-mux")
    return lines


def _own_address(section: list[str]) -> list[str]:
    own = _address(section)
    return [f"c={own}"] if own else []


def _is_static(payload: str, refused: set[str]) -> bool:
    return int(payload) < 35 and payload not in refused


def _format(text: str) -> tuple[str, str] | None:
    """``101 0-15`` or ``96 useinbandfec=1; stereo=0``, with what is known of it."""
    match = _FMTP.match(text)
    if match is None:
        return None
    payload, value = match[1], match[2].strip()
    if _EVENTS.match(value):
        return payload, value
    kept = []
    for part in value.split(";"):
        name, equals, said = part.strip().partition("=")
        name, said = name.strip().lower(), said.strip().lower()
        if equals and name in _FORMAT_NAMES and (_NUMBERS.match(said) or said in _FORMAT_WORDS):
            kept.append(f"{name}={said}")
    return (payload, ";".join(kept)) if kept else None


def _fax(section: list[str], port: int, address: str) -> list[str]:
    """A fax (ITU-T T.38, annex D)."""
    lines = [f"m=image {port} udptl t38", *_own_address(section)]
    for value in _attributes(section[1:]):
        if match := _T38.match(value):
            lines.append(f"a={match[1]}:{match[2]}")
        elif match := _T38_WORDS.match(value):
            lines.append(f"a={match[1]}" + (f":{match[2]}" if match[2] else ""))
        elif match := _T38_RATES.match(value) or _T38_ERRORS.match(value):
            name, _, _ = value.partition(":")
            lines.append(f"a={name}:{match[1]}")
    return [*lines, *_direction(section)]
