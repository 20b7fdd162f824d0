"""Messages for the tests of the fake."""

from __future__ import annotations

INVITE = """INVITE sip:100@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKa
From: "Name" <sip:caller@carrier.example>;tag=a
To: <sip:100@gw.example>
Call-ID: c
CSeq: 1 INVITE
Subject: hello
Content-Length: 0

"""
CANCEL = INVITE.replace("INVITE", "CANCEL")
BYE = """BYE sip:pbx@10.0.0.9 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKb
Route: <sip:127.0.0.1;lr>
From: <sip:caller@carrier.example>;tag=a
To: <sip:100@gw.example>;tag=b
Call-ID: c
CSeq: 2 BYE
Content-Length: 0

"""
OK = """SIP/2.0 200 OK
Via: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bKa
From: "Name" <sip:caller@carrier.example>;tag=a
To: <sip:100@gw.example>;tag=b
Call-ID: c
CSeq: 1 INVITE
Content-Length: 0

"""
BUSY = OK.replace("200 OK", "486 Busy Here")
