"""Roots of other Debian suites with one program inside, built once and kept; nothing in them runs
by itself, and this machine's own packages stay as they are.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT = Path("/var/tmp/portgate-debian-roots")  # some 450 MB each; safe to remove at any time
BUILD_S = 600
_MARK = "portgate.root"  # written last: a root without it was cut short


class NoRootError(Exception):
    """This machine cannot have the root; the text says why."""


def root(suite: str, package: str, tell: Callable[[str], None]) -> Path:
    """The folder of a minimal Debian of this suite that holds this package.

    Built where it is missing, which takes about a minute, of which `tell` is told now and then.
    Raises NoRootError.
    """
    if os.getuid() != 0:
        raise NoRootError("only root can build and enter a Debian root")
    if shutil.which("debootstrap") is None:
        raise NoRootError("debootstrap is not installed")
    KEPT.mkdir(parents=True, exist_ok=True)
    kept = KEPT / f"{suite}-{package}"
    with _alone(kept.with_suffix(".lock")):
        if not (kept / _MARK).exists():
            _build(suite, package, kept, tell)
    return kept


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Two test runs do not build the same root twice."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(suite: str, package: str, kept: Path, tell: Callable[[str], None]) -> None:
    began = time.monotonic()
    tell(f"building a root of Debian {suite} with {package} in {kept}, once")
    beside = kept.with_suffix(".new")
    for old in (beside, kept):
        if old.exists():
            shutil.rmtree(old)
    words = ["debootstrap", "--variant=minbase", f"--include={package}", suite]
    run = subprocess.Popen(
        ["timeout", "-k", "5", str(BUILD_S), *words, str(beside), _mirror()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.stdout is not None
    last, told = "nothing", began
    for line in run.stdout:
        last = line.strip()
        if time.monotonic() - told > 10:
            told = time.monotonic()
            tell(f"{suite}, {told - began:.0f} s: {last}")
    if run.wait() != 0:
        raise NoRootError(f"debootstrap of {suite} ended in {run.returncode}: {last}")
    (beside / _MARK).write_text(f"{suite} {package}\n", "utf-8")
    beside.rename(kept)
    tell(f"root of Debian {suite} ready after {time.monotonic() - began:.0f} s")


def _mirror() -> str:
    """Where this machine's apt has Debian itself from. Raises NoRootError."""
    asked = ["apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(SITE)"]
    listed = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        origin, label, site = line.split("|")
        if origin == label == "Debian" and site:
            return site
    raise NoRootError("apt knows no mirror of Debian; apt-get update may help")
