"""Far ends for test calls, with real SIP and real audio; never part of a customer's call."""

from gateway.endpoints import tone
from gateway.endpoints.endpoint import Callee, Caller, Endpoint
from gateway.endpoints.leg import Leg
from gateway.endpoints.message import SipMessage
from gateway.endpoints.script import ANSWERS, AnswerScript, CallScript
from gateway.endpoints.sipp import EndpointError

__all__ = [
    "ANSWERS",
    "AnswerScript",
    "CallScript",
    "Callee",
    "Caller",
    "Endpoint",
    "EndpointError",
    "Leg",
    "SipMessage",
    "tone",
]
