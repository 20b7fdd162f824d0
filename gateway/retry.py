"""The only retry policies, by name; nothing else in the gateway decides how often to try again.

Each policy waits on the duty's stop event, so that a daemon told to stop never sits in a pause.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg
import redis.exceptions
import structlog
from tenacity import AsyncRetrying, RetryCallState
from tenacity.retry import retry_if_exception, retry_if_exception_type
from tenacity.stop import stop_never
from tenacity.wait import wait_fixed, wait_random_exponential

_log = structlog.get_logger("gateway.retry")

# The server is away, starting, stopping, out of room or connections, or chose us as a deadlock's
# victim.
_POSTGRES_GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.InternalClientError,
)
_REDIS_GONE = (
    OSError,
    TimeoutError,
    redis.exceptions.ConnectionError,
    redis.exceptions.TimeoutError,
    redis.exceptions.BusyLoadingError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.OutOfMemoryError,
)


def postgres_gone(error: BaseException) -> bool:
    """Whether this error says "PostgreSQL cannot serve now" and not "what you ask is wrong"."""
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg says InterfaceError for a closed connection and, as ValueError, for a bad
        # argument.
        return not isinstance(error, ValueError)
    return isinstance(error, _POSTGRES_GONE)


def redis_gone(error: BaseException) -> bool:
    """Whether this error says "Redis cannot serve now"."""
    return isinstance(error, _REDIS_GONE)


def _pause(stop: asyncio.Event) -> Callable[[float], Any]:
    async def pause(seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return

    return pause


def _say(what: str) -> Callable[[RetryCallState], None]:
    def say(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        # Once at the first failure, then every tenth: an hour without PostgreSQL is not a full
        # disk.
        if state.attempt_number % 10 == 1:
            _log.warning(what, attempt=state.attempt_number, error=repr(error))

    return say


def _stopped(stop: asyncio.Event) -> Callable[[RetryCallState], bool]:
    return lambda state: stop.is_set()


def postgres_back(stop: asyncio.Event) -> AsyncRetrying:
    """Until PostgreSQL serves again or the daemon stops; from 50 ms up to a second apart.

    Raises the last error when `stop` is set.
    """
    return AsyncRetrying(
        retry=retry_if_exception(postgres_gone),
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        stop=_stopped(stop),
        sleep=_pause(stop),
        before_sleep=_say("postgresql does not serve"),
        reraise=True,
    )


def redis_back(stop: asyncio.Event) -> AsyncRetrying:
    """Until Redis serves again or the daemon stops; from 50 ms up to a second apart.

    Raises the last error when `stop` is set.
    """
    return AsyncRetrying(
        retry=retry_if_exception(redis_gone),
        wait=wait_random_exponential(multiplier=0.05, max=1.0),
        stop=_stopped(stop),
        sleep=_pause(stop),
        before_sleep=_say("redis does not serve"),
        reraise=True,
    )


def duty(stop: asyncio.Event, name: str) -> AsyncRetrying:
    """A duty of the daemon that ended with an error: again for ever, from 100 ms up to 2 s apart.

    Raises the last error when `stop` is set.
    """
    return AsyncRetrying(
        retry=retry_if_exception_type(Exception),
        wait=wait_random_exponential(multiplier=0.1, max=2.0),
        stop=_stopped(stop),
        sleep=_pause(stop),
        before_sleep=_say(f"{name} failed and is started again"),
        reraise=True,
    )


def redis_takes_writes() -> AsyncRetrying:
    """Until Redis takes a write, for ever, four times a second; cancel the task to stop."""
    return AsyncRetrying(
        retry=retry_if_exception_type(redis.exceptions.RedisError),
        wait=wait_fixed(0.25),
        stop=stop_never,
        before_sleep=_say("redis takes no writes"),
    )
