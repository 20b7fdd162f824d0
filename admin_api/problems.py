"""Every answer that is not what was asked for, as RFC 9457 problem+json with a stable code.

A problem says what is wrong and how to mend it; it never holds a traceback, a path of this machine
or SQL. The request id in it is also in the server's log.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import structlog
from sanic import HTTPResponse, Request
from sanic.exceptions import SanicException
from sanic.handlers import ErrorHandler

CONTENT_TYPE = "application/problem+json"

_log = structlog.get_logger("admin_api")
# Codes for what Sanic itself refuses before a handler is asked.
_CODES = {
    400: "bad-request",
    404: "no-such-page",
    405: "method-not-allowed",
    408: "request-too-slow",
    413: "body-too-large",
    417: "expectation-failed",
    431: "headers-too-large",
    503: "too-busy",
}


class Problem(Exception):
    """What to answer instead. `code` is stable and documented; `mend` says what to do."""

    def __init__(
        self, status: int, code: str, title: str, mend: str = "", headers: Mapping[str, str] = {}
    ) -> None:
        super().__init__(title)
        self.status, self.code, self.title, self.mend = status, code, title, mend
        self.headers = dict(headers)


def no_such(what: str) -> Problem:
    """404 for a thing that is asked for by its name."""
    return Problem(404, f"no-such-{what}", f"There is no such {what}.")


def registry_away() -> Problem:
    """PostgreSQL does not answer: reading waits, calls go on."""
    return Problem(
        503,
        "registry-away",
        "The registry does not answer at the moment; calls are not affected.",
        "Try again in some seconds; `portgate status` tells what is down.",
        {"Retry-After": "2"},
    )


def render(request: Request, problem: Problem) -> HTTPResponse:
    """The response for a problem."""
    body = {
        "type": f"urn:portgate:problem:{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "code": problem.code,
        "request_id": str(request.id),
    }
    if problem.mend:
        body["mend"] = problem.mend
    return HTTPResponse(
        msgspec.json.encode(body),
        status=problem.status,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )


class Errors(ErrorHandler):
    """Takes the place of Sanic's error pages."""

    def default(self, request: Request, exception: Exception) -> HTTPResponse:
        """Any exception that left a handler, or that Sanic raised before one."""
        if isinstance(exception, Problem):
            return render(request, exception)
        if isinstance(exception, SanicException) and exception.status_code < 500:
            status = exception.status_code
            headers = {
                name: str(value)
                for name, value in (exception.headers or {}).items()
                if name.lower() == "allow"
            }
            code = _CODES.get(status, "bad-request")
            return render(request, Problem(status, code, _title(code), headers=headers))
        _log.error("request failed", request=str(request.id), path=request.path, exc_info=exception)
        title = "Something failed that should not have."
        return render(request, Problem(500, "internal", title, "Report it with the request id."))

    @staticmethod
    def log(request: Request, exception: Exception) -> None:
        """Sanic would write each refusal with a traceback; `default` logs what is worth it."""


def _title(code: str) -> str:
    return code.replace("-", " ").capitalize() + "."
