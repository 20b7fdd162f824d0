"""The HTTP server: puts configuration, guard, database and routes together; it answers nothing
itself. `python -m admin_api.server`, one process, stopped by SIGTERM.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias

import structlog
from sanic import HTTPResponse, Request, Sanic
from sanic.config import Config as SanicConfig

from admin_api import config
from admin_api.auth import Guard
from admin_api.config import Config, ConfigError
from admin_api.database import Database
from admin_api.problems import Errors
from admin_api.routes import v1

OPEN = frozenset({"/v1/health"})

App: TypeAlias = Sanic[SanicConfig, SimpleNamespace]

_log = structlog.get_logger("admin_api")


class _Request(Request):
    """A request whose id is ours: what a client sends must not reach the log as it is."""

    @classmethod
    def generate_id(cls, *_: object) -> str:
        return secrets.token_hex(8)

    @property
    def id(self) -> str:
        if self._id is None:
            self._id = self.generate_id()
        return str(self._id)


def create_app(found: Config) -> App:
    """The application; nothing listens yet."""
    app = Sanic("portgate", error_handler=Errors(), request_class=_Request, configure_logging=False)
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.REQUEST_MAX_SIZE = 65_536
    app.config.REQUEST_TIMEOUT = 10
    app.config.RESPONSE_TIMEOUT = 15
    app.config.KEEP_ALIVE_TIMEOUT = 30
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 3.0
    app.config.ACCESS_LOG = False
    app.ctx.database = Database(found.postgres_dsn)
    guard = Guard(Path(found.token_file))

    @app.on_request
    async def let_in(request: Request) -> None:
        """Before routing, so that strangers cannot tell which addresses exist."""
        if request.path not in OPEN:
            guard.check(request.headers.get("authorization"))

    @app.on_response
    async def close_up(request: Request, response: HTTPResponse) -> None:
        response.headers["X-Request-ID"] = str(request.id)
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"

    @app.after_server_start
    async def say(app: App) -> None:
        _log.info("listening", address=found.address, port=found.port)

    @app.before_server_stop
    async def leave(app: App) -> None:
        await app.ctx.database.close()

    app.blueprint(v1)
    return app


def configure_logs() -> None:
    """One JSON object per line on stderr; Sanic's own warnings as they come."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(name)s: %(message)s")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
    )


def main() -> int:
    """Serve until SIGTERM or SIGINT; 1 when the configuration cannot be used."""
    configure_logs()
    try:
        found = config.load(os.environ)
    except ConfigError as error:
        _log.error("not started", error=str(error))
        return 1
    app = create_app(found)
    app.run(found.address, found.port, single_process=True, motd=False, access_log=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
