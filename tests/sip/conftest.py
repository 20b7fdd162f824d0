"""One private stack for the SIP stories of a test process; after each its log must be calm."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.sip.people import World
from tests.sip.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    with running_stack(os.environ.get("PYTEST_XDIST_WORKER", "alone")) as found:
        yield found


@pytest.fixture
def world(stack: Stack) -> Iterator[World]:
    """The demo company, its carriers and its PBXs."""
    yield World(stack)
    assert stack.new_complaints() == []
