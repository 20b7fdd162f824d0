"""Runs named steps as soon as those they need are done; knows nothing of services."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Node:
    """An action and the nodes it needs. Names that are not in the graph count as done."""

    action: Callable[[], Awaitable[None]]
    after: tuple[str, ...] = ()


async def run(nodes: Mapping[str, Node]) -> None:
    """Run all nodes; the first failure cancels the rest and is raised as it was."""
    finished = {name: asyncio.Event() for name in nodes}

    async def one(name: str, node: Node) -> None:
        for needed in node.after:
            if needed in finished:
                await finished[needed].wait()
        await node.action()
        finished[name].set()

    try:
        async with asyncio.TaskGroup() as group:
            for name, node in nodes.items():
                group.create_task(one(name, node), name=name)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def levels(after: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """Names in layers for stopping: each layer is needed by none of those that come later.

    Raises ValueError for a circle.
    """
    left = dict(after)
    layers = []
    while left:
        needed = {name for needs in left.values() for name in needs}
        layer = [name for name in left if name not in needed]
        if not layer:
            raise ValueError(f"these need each other: {', '.join(sorted(left))}")
        layers.append(layer)
        for name in layer:
            del left[name]
    return layers
