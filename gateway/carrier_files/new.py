"""Writes the skeleton of a carrier's file with its captures; it never overwrites anything."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from carrier_adapters.conformance import CAPTURES
from carrier_adapters.kit.trunk import Gateway
from gateway.stack.problems import Problem, StackError
from number_registry.errors import BadValueError

SKELETON = Path(__file__).parent / "skeleton"
FILL_IN = "FILL-IN"
_FOLDERS = frozenset({CAPTURES, "kit"})
_EXAMPLE_HOST = "192.0.2.2"


@dataclass(frozen=True)
class Wanted:
    """What is known of the carrier already; the rest says FILL-IN."""

    name: str
    title: str = ""
    source: str = FILL_IN
    proxy: str = FILL_IN
    area_code: str = ""


def write(folder: Path, wanted: Wanted) -> list[Path]:
    """The files written: the carrier's, then its captures. Raises StackError."""
    _refuse_name(wanted.name)
    captures = folder / CAPTURES / wanted.name
    targets = {folder / f"{wanted.name}.py": SKELETON / "carrier.txt"}
    for template in sorted(SKELETON.glob("*_call.*.txt")):
        targets[captures / template.stem] = template
    for path in targets:
        if path.exists():
            raise StackError(Problem(f"{path} is there already", "nothing was changed",
                                     "Choose another name, or edit that file"))  # fmt: skip
    captures.mkdir(parents=True, exist_ok=True)
    words = _words(wanted)
    for path, template in targets.items():
        text = template.read_text("utf-8")
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        path.write_text(text, "utf-8")
    return list(targets)


def _words(wanted: Wanted) -> dict[str, str]:
    area = wanted.area_code or "495"
    host = _EXAMPLE_HOST
    if wanted.proxy != FILL_IN:
        try:
            host = Gateway(wanted.proxy).address.host
        except BadValueError as error:
            problem = Problem(f"--proxy is {wanted.proxy}", str(error), "Write sip:host:port")
            raise StackError(problem) from error
    return {
        "NAME": wanted.name,
        "CLASS": "".join(part.capitalize() for part in wanted.name.split("_")),
        "TITLE": wanted.title or wanted.name.replace("_", " ").title(),
        "SOURCE": wanted.source,
        "PROXY": wanted.proxy,
        "AREA": wanted.area_code,
        "OURS": "7" + (area + "1230001230001")[:10],
        "HOST": host,
    }


def _refuse_name(name: str) -> None:
    if not re.fullmatch("[a-z][a-z0-9_]{0,62}", name):
        mend = "Use small letters, digits and _, beginning with a letter"
        raise StackError(Problem(f"`{name}` cannot be a carrier's name", "", mend))
    if name in _FOLDERS:
        problem = Problem(
            f"`{name}` cannot be a carrier's name",
            f"carrier_adapters/{name}/ is another thing",
            "Choose another name",
        )
        raise StackError(problem)
