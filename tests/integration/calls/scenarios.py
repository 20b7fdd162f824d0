"""What SIPp plays on the two sides of a call that a third party ends. The tags are known."""

from __future__ import annotations

_HEAD = '<?xml version="1.0" encoding="UTF-8"?><scenario name="x">'
_SDP = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 6000 RTP/AVP 8\n"

# A side checks the BYE as its dialog would: who speaks, in which order, by which way.
_BYE = r"""
<recv request="BYE"><action>
  <ereg regexp="tag={tag}$" search_in="hdr" header="From:" check_it="true" assign_to="1"/>
  <ereg regexp="tag={own}$" search_in="hdr" header="To:" check_it="true" assign_to="1"/>
  <ereg regexp="^ *{cseq} BYE" search_in="hdr" header="CSeq:" check_it="true" assign_to="1"/>
  <ereg regexp="Record-Route" search_in="msg" check_it_inverse="true" assign_to="1"/>
  <ereg regexp="Reason: Q.850;cause={cause}" search_in="msg" check_it="true" assign_to="1"/>
</action></recv>
<send><![CDATA[
SIP/2.0 {answer}
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
<Reference variables="1"/>
</scenario>"""


def _with_bye(text: str, tag: str, own: str, cseq: int, cause: int, answer: str) -> str:
    bye = _BYE
    for name, value in {
        "tag": tag, "own": own, "cseq": str(cseq), "cause": str(cause), "answer": answer,
    }.items():  # fmt: skip
        bye = bye.replace("{" + name + "}", value)
    return _HEAD + text + bye


def _invite(call_id: str) -> str:
    return f"""
<send retrans="500"><![CDATA[
INVITE sip:called@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:caller@near.example>;tag=from-1
To: <sip:called@near.example>
Call-ID: {call_id}
CSeq: 7 INVITE
Contact: <sip:caller@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

{_SDP}
]]></send>
"""


def caller(call_id: str, cseq: int, cause: int = 16, answer: str = "200 OK") -> str:
    """Calls, is answered, and is hung up by a BYE with this CSeq that looks like the far side's."""
    text = f"""{_invite(call_id)}
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:caller@near.example>;tag=from-1
To: <sip:called@near.example>;tag=to-1
[routes]
Call-ID: {call_id}
CSeq: 7 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""
    return _with_bye(text, "to-1", "from-1", cseq, cause, answer)


def called(cseq: int, cause: int = 16, answer: str = "200 OK", *, rings_only: bool = False) -> str:
    """Is called, answers, and is hung up by a BYE with this CSeq that looks like the caller's."""
    reply = """
<send{retrans}><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=to-1
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:called@[local_ip]:[local_port]>
Content-Length: 0

]]></send>"""

    def send(status: str, retrans: str = "") -> str:
        return reply.replace("{status}", status).replace("{retrans}", retrans)

    text = '<recv request="INVITE" rrs="true"/>' + send("180 Ringing")
    if rings_only:
        cancelled = send("200 OK").replace(";tag=to-1", "")
        return (
            _HEAD + text + '<recv request="CANCEL"/>' + cancelled
            + send("487 Gone", ' retrans="500"').replace("[last_CSeq:]", "CSeq: 7 INVITE")
            + '<recv request="ACK"/></scenario>'
        )  # fmt: skip
    text += send("200 OK", ' retrans="500"') + '<recv request="ACK"/>'
    return _with_bye(text, "from-1", "to-1", cseq, cause, answer)


def caller_cancelled(call_id: str) -> str:
    """Calls, hears ringing, and is told 487 in the end."""
    return f"""{_HEAD}{_invite(call_id)}
<recv response="100" optional="true"/>
<recv response="180"/>
<recv response="487" rrs="true"/>
<send><![CDATA[
ACK sip:called@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch-3]
From: <sip:caller@near.example>;tag=from-1
To: <sip:called@near.example>;tag=to-1
Call-ID: {call_id}
CSeq: 7 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
</scenario>"""
