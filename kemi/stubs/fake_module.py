"""Puts a FakeKSR where `import KSR` finds it; knows nothing of what the fake does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from kemi.stubs.fake_ksr import FakeKSR


class _Module(ModuleType):
    """What `import KSR` finds: every attribute is asked of the fake of the moment."""

    def __init__(self) -> None:
        super().__init__("KSR")
        self.__dict__["fake"] = None

    def __getattr__(self, name: str) -> Any:
        fake = self.__dict__["fake"]
        if fake is None:
            raise AttributeError("module 'KSR' is a fake that no test has installed")
        return getattr(fake.ksr, name)


_MODULE = _Module()


@contextmanager
def installed(fake: FakeKSR) -> Iterator[FakeKSR]:
    """Inside, `import KSR` gives this fake, also to modules that were imported before."""
    before = _MODULE.__dict__["fake"]
    module_before = sys.modules.get("KSR")
    sys.modules["KSR"] = _MODULE
    _MODULE.__dict__["fake"] = fake
    try:
        yield fake
    finally:
        _MODULE.__dict__["fake"] = before
        if module_before is None:
            del sys.modules["KSR"]
        else:
            sys.modules["KSR"] = module_before
