"""What of the message at hand may cross, read and written anew; it changes no message."""

from __future__ import annotations

from kemi import ksr_mask as mask
from kemi import ksr_message as message
from kemi.mask import bodies, fields
from kemi.mask.bodies import Body
from kemi.mask.lines import ALLOW_LINE
from kemi.mask.token import Target
from kemi.nat import is_behind_nat
from kemi.worker import Worker


def body() -> Body:
    return bodies.read(*mask.body())


def of_request(method: str, cseq_shift: int = 0) -> str:
    """Header lines of a request. ``cseq_shift``: what the number of the INVITE that a PRACK speaks
    of is higher by on the far side.
    """
    said = ""
    if method in ("INVITE", "UPDATE"):
        said = ALLOW_LINE + _session()
        if method == "INVITE" and (expires := fields.digits(mask.header("Expires"))):
            said += f"Expires: {expires}\r\n"
    elif method == "PRACK":
        value = mask.header("RAck")
        number = fields.rack_cseq(value)
        if number is not None:
            said = f"RAck: {fields.rack(value, number + cseq_shift)}\r\n"
    elif method == "BYE" and (reason := fields.reason(mask.every("Reason"))):
        said = f"Reason: {reason}\r\n"
    return said + _options()


def of_answer(method: str) -> str:
    """Header lines of an answer."""
    if method not in ("INVITE", "UPDATE"):
        return _options()
    said = ALLOW_LINE + _session() + _options()
    if rseq := fields.digits(mask.header("RSeq")):
        said += f"RSeq: {rseq}\r\n"
    return said


def _session() -> str:
    """RFC 4028."""
    said = ""
    if expires := fields.session_expires(mask.header("Session-Expires")):
        said = f"Session-Expires: {expires}\r\n"
    if least := fields.digits(mask.header("Min-SE")):
        said += f"Min-SE: {least}\r\n"
    return said


def _options() -> str:
    said = ""
    if supported := fields.options(mask.every("Supported")):
        said = f"Supported: {supported}\r\n"
    if required := fields.options(mask.every("Require")):
        said += f"Require: {required}\r\n"
    return said


def foreign_requirement() -> str:
    """What the request requires that cannot cross, empty where there is nothing."""
    required = mask.every("Require")
    return required if fields.foreign_options(required) else ""


def target(worker: Worker) -> Target:
    """Where the sender of the message at hand wants to be reached, and where it really is."""
    contact, source = message.readable(message.contact), message.source()
    connected = source.proto != "udp" and contact and worker.is_guest(source.ip)
    if contact and (connected or is_behind_nat(contact, source.ip)):
        return Target(contact, f"sip:{source.ip}:{source.port};transport={source.proto}")
    return Target(contact)


def proto_of(uri: str) -> str:
    """The transport that a URI asks for (RFC 3261, section 19.1.1)."""
    value = uri.lower().partition("transport=")[2]
    return "tls" if value.startswith("tls") else "tcp" if value.startswith("tcp") else "udp"
