"""Takes the last operation, or a given one, back; it knows no noun's rules."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from number_registry.operations import ledger, moves, pbxs, waves
from number_registry.operations.values import Applied, Progress, silent
from number_registry.store.pool import Connection

NUMBERS = "^numbers "
MOVES = "^pbx (swap|share)$"
PBXS = "^pbx (add|set|suspend|resume)$"
WAVES = "^waves (plan|start|go|hold|resume|rollback|skip|cancel)$"
UNDOABLE = f"{NUMBERS}|{MOVES}|{PBXS}|{WAVES}"


async def undo(
    connection: Connection,
    actor: str,
    operation: int | None = None,
    verbs: str = UNDOABLE,
    progress: Progress = silent,
    now: datetime | None = None,
) -> Applied:
    """Everything as it was before the operation, or nothing at all.

    Without an id it is the newest one whose verb matches `verbs`. `now`: the time that the history
    of a migration tells, if not the clock's. Raises ConflictError when what it changed has changed
    again since, UnknownError, RefuseError when it was taken back already.
    """
    async with connection.transaction():
        found = await ledger.operation_to_undo(connection, operation, verbs)
        if re.search(WAVES, found["verb"]):
            return await waves.undo(connection, actor, found, now or datetime.now(UTC))
        if found["move_id"] is not None:
            return await moves.undo(connection, actor, found)
        if re.search(PBXS, found["verb"]):
            return await pbxs.undo(connection, actor, found)
        return await ledger.undo_numbers(connection, actor, found, progress)
