"""Messages put before the real Kamailio and before the fake, and which edit each of them gets."""

from __future__ import annotations

INVITE = """INVITE sip:+74951230001@127.0.0.1:PORT;user=phone SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:FROM;branch=z9hG4bKBRANCH;rport
From: "Ivan Petrov" <sip:+79161112233@carrier.example>;tag=fromtag
To: "Office" <sip:+74951230001@gw.example>
Call-ID: BRANCH@carrier.example
CSeq: 7 INVITE
Max-Forwards: 68
Contact: <sip:ivan@127.0.0.1:FROM;transport=udp>
Subject: a call
User-Agent: Phone 1.0
P-Asserted-Identity: "Ivan" <sip:+79161112233@carrier.example>
Supported: timer, 100rel
Content-Type: application/sdp
Content-Length: 37

v=0
o=- 1 1 IN IP4 127.0.0.1
s=-

"""
BYE = """BYE sip:pbx@127.0.0.9:5071 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:FROM;branch=z9hG4bKBRANCH;rport
ROUTES
From: <sip:+79161112233@carrier.example>;tag=fromtag
To: <sip:+74951230001@gw.example>;tag=totag
Call-ID: BRANCH@carrier.example
CSeq: 8 BYE
Max-Forwards: 70
Content-Length: 0

"""
REPLY = """SIP/2.0 200 OK
VIAS
From: "Ivan Petrov" <sip:+79161112233@carrier.example>;tag=fromtag
To: "Office" <sip:+74951230001@gw.example>;tag=totag
Call-ID: BRANCH@carrier.example
CSeq: 7 INVITE
Record-Route: <sip:10.0.0.1;lr>, <sip:10.0.0.2;lr>
Record-Route: <sip:10.0.0.3;lr>
Contact: <sip:pbx@127.0.0.1:5070>
Subject: a reply
User-Agent: PBX 2.0
Content-Length: 0

"""


_CONTACT = "Contact: <sip:ivan@127.0.0.1:FROM;transport=udp>"
_OURS = "Route: <sip:127.0.0.1:PORT;lr;pg=abc>"


def _with(old: str, new: str, base: str = INVITE) -> str:
    assert old in base, old
    return base.replace(old, new)


# name -> (message, edit). PORT, FROM and BRANCH are filled in later; "\n" becomes CRLF.
REQUESTS: dict[str, tuple[str, str]] = {
    "plain": (INVITE, "nothing"),
    "identities": (INVITE, "identities"),
    "display names": (INVITE, "names"),
    "an identity written twice": (INVITE, "twice"),
    "parts of a URI": (INVITE, "parts"),
    "headers": (INVITE, "headers"),
    "addresses": (INVITE, "addresses"),
    "state": (INVITE, "state"),
    "hops": (INVITE, "hops"),
    "transaction": (INVITE, "transaction"),
    "misuse": (INVITE, "misuse"),
    "record route": (INVITE, "routing"),
    "record route with a long parameter": (INVITE, "a long parameter"),
    "no display name": (
        _with('"Ivan Petrov" ', "", _with('"Office" ', "")),
        "names",
    ),
    "names removed where there are none": (
        _with('"Ivan Petrov" ', "", _with('"Office" ', "")),
        "identities",
    ),
    "display name without quotes": (_with('"Ivan Petrov"', "Ivan Petrov"), "identities"),
    "addr-spec without brackets": (
        _with('"Office" <sip:+74951230001@gw.example>', "sip:+74951230001@gw.example"),
        "identities",
    ),
    "tel URI": (
        _with("<sip:+79161112233@carrier.example>;tag", "<tel:+79161112233>;tag"),
        "nothing",
    ),
    "password, port and parameters": (
        _with("sip:+79161112233@carrier.example>;tag", "sip:u:pw@h.example:5070;a=b>;tag"),
        "identities",
    ),
    "compact names": (
        INVITE.replace("From:", "f:")
        .replace("To:", "t:")
        .replace("Subject:", "s:")
        .replace("Contact:", "m:")
        .replace("Supported:", "k:")
        .replace("Content-Type:", "c:"),
        "headers",
    ),
    "folded line": (_with("Subject: a call", "Subject: a\n  call"), "headers"),
    "spaces around": (_with("Subject: a call", "Subject  :   a call  "), "nothing"),
    "empty header": (_with("Subject: a call", "Subject:"), "nothing"),
    "no contact": (_with(_CONTACT + "\n", ""), "nothing"),
    "star contact": (
        _with("Contact: <sip:ivan@127.0.0.1:FROM;transport=udp>", "Contact: *"),
        "nothing",
    ),
    "two contacts": (
        _with("Contact: <", "Contact: <sip:other@127.0.0.1>\nContact: <"),
        "nothing",
    ),
    "many record routes": (
        _with(
            "Subject",
            "Record-Route: <sip:10.0.0.1;lr>, <sip:10.0.0.2;lr>\nRecord-Route: <sip:10.0.0.3>\n"
            "X-A: 1\nX-B: 2\nSubject",
        ),
        "remove many",
    ),
    "a contact where it came from": (INVITE, "alias"),
    "a contact behind NAT": (_with(_CONTACT, "Contact: <sip:ivan@10.1.1.1:5070>"), "alias"),
    "a contact behind NAT with parameters": (
        _with(_CONTACT, 'Contact: "I" <sip:ivan@10.1.1.1;ob>;expires=60'),
        "alias",
    ),
    "no contact to alias": (_with(_CONTACT + "\n", ""), "alias"),
    "a request to an alias": (
        _with("ROUTES\n", "", BYE).replace(
            "pbx@127.0.0.9:5071", "pbx@10.1.1.1:5070;alias=127.0.0.9~5071~1"
        ),
        "alias",
    ),
    "a request to an alias over TCP": (
        _with("ROUTES\n", "", BYE).replace(
            "pbx@127.0.0.9:5071", "pbx@10.1.1.1;a=b;alias=127.0.0.9~5071~2;c=d"
        ),
        "alias",
    ),
    "no hops left": (_with("Max-Forwards: 68", "Max-Forwards: 0"), "hops"),
    "few hops left": (_with("Max-Forwards: 68", "Max-Forwards: 1"), "hops"),
    "no Max-Forwards": (_with("Max-Forwards: 68\n", ""), "hops"),
    "no User-Agent": (_with("User-Agent: Phone 1.0\n", ""), "headers"),
    "no body": (
        INVITE[: INVITE.index("Content-Type")] + "Content-Length: 0\n\n",
        "nothing",
    ),
    "BYE without Route": (_with("ROUTES\n", "", BYE), "routing"),
    "BYE with our Route": (
        _with("ROUTES", _OURS, BYE),
        "routing",
    ),
    "BYE with our Route and another": (
        _with("ROUTES", _OURS + ",<sip:127.0.0.1:FROM;lr>", BYE),
        "routing",
    ),
    "BYE with both Routes on lines of their own": (
        _with(
            "ROUTES", "Route: <sip:127.0.0.1:PORT;lr;pg=abc>\nRoute: <sip:127.0.0.1:FROM;lr>", BYE
        ),
        "routing",
    ),
    "BYE with a foreign Route": (
        _with("ROUTES", "Route: <sip:127.0.0.1:FROM;lr;pg=abc>", BYE),
        "routing",
    ),
    "BYE with our double Route": (
        _with(
            "ROUTES",
            "Route: <sip:127.0.0.1:PORT;r2=on;lr;pg=abc>,"
            "<sip:127.0.0.1:PORT;transport=tcp;r2=on;lr;pg=abc>",
            BYE,
        ),
        "routing",
    ),
}

FOREIGN_BYTES = {
    "CP1251": "Иван".encode("cp1251"),
    "0xFF": b"\xff",
    "UTF-8": "Иван".encode(),
    "NUL": b"a\0z",
}
# Where they are put: what stands there in INVITE.
PLACES = {
    "From's name": b"Ivan Petrov",
    "To's name": b"Office",
    "Call-ID": b"@carrier.example\r\nCSeq",
    "Contact's user": b"ivan",
    "Subject": b"a call",
    "User-Agent": b"Phone 1.0",
    "an asserted name": b'"Ivan"',
    "the body": b"s=-",
}

REPLIES: dict[str, tuple[str, str]] = {
    "plain": (REPLY, "nothing"),
    "identities": (REPLY, "identities"),
    "headers": (REPLY, "headers"),
    "state": (REPLY, "state"),
    "busy": (_with("200 OK", "486 Busy Here", REPLY), "names"),
    "remove many": (REPLY, "remove many"),
}


def filled(text: str, port: int, sender: int, branch: str) -> bytes:
    """The bytes of a message of this page."""
    text = text.replace("PORT", str(port)).replace("FROM", str(sender)).replace("BRANCH", branch)
    return text.replace("\n", "\r\n").encode()


def with_foreign_bytes(message: bytes, place: bytes, foreign: bytes) -> bytes:
    """The message with the foreign bytes inside what stands at that place, its length right."""
    assert place in message
    changed = message.replace(place, place[:1] + foreign + place[1:], 1)
    if place == PLACES["the body"]:
        changed = changed.replace(
            b"Content-Length: 37", b"Content-Length: %d" % (37 + len(foreign))
        )
    return changed
