"""What all tests share: the switches for slow and destructive ones; every test keeps to itself."""

from __future__ import annotations

import pytest

SWITCHES = {
    "faults": "also kill, hang and corrupt parts of running stacks",
    "pbx": "also put real PBX programs of other Debian suites behind the gateway",
    "slow": "also run what takes more than ten seconds",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    for name, text in SWITCHES.items():
        parser.addoption(f"--{name}", action="store_true", help=text)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for name in SWITCHES:
        if not config.getoption(f"--{name}"):
            skip = pytest.mark.skip(reason=f"needs --{name}")
            for item in items:
                if name in item.keywords:
                    item.add_marker(skip)
