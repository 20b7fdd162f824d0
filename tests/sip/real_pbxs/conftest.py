"""The roots that the real PBXs run in, made once, and a gateway that asks after their health."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.sip.people import World
from tests.sip.real_pbxs import debian_root
from tests.sip.real_pbxs.office import KINDS, Office
from tests.sip.stack import Stack, running_stack


@pytest.fixture(scope="session")
def roots(request: pytest.FixtureRequest) -> dict[str, Path]:
    """Folder of the root by suite. Skips, with the reason, where this machine cannot have them."""
    reporter = request.config.pluginmanager.getplugin("terminalreporter")  # none in a worker

    def tell(line: str) -> None:
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line)

    suites = sorted({kind.suite for kind in KINDS.values()})
    try:
        with ThreadPoolExecutor() as pool:
            found = pool.map(lambda suite: debian_root.root(suite, "asterisk", tell), suites)
            return dict(zip(suites, found, strict=True))
    except debian_root.NoRootError as error:
        pytest.skip(f"no real PBXs here: {error}")


@pytest.fixture(scope="session")
def stack(roots: dict[str, Path]) -> Iterator[Stack]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    with running_stack(f"pbx-{worker}", health=True) as found:
        yield found


@pytest.fixture
def office(world: World, roots: dict[str, Path]) -> Office:
    """The PBXs and the people behind them."""
    return Office(world, roots)
