"""What README.md tells a person to type works, in its order, on a home of its own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from gateway.network.declared import legs
from gateway.settings import Settings, load
from tests.integration.stack.running import REPO, stack

README = (REPO / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.strip()]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_its_commands_work_one_after_the_other() -> None:
    typed = commands()
    assert typed[0] == ["up", "--detach"]
    assert len(typed) >= 10
    with stack() as one:
        for words in typed:
            if words == ["test"]:
                continue  # that is what runs this
            done = one.portgate(*words)
            assert done.returncode == 0, (words, done.stdout, done.stderr)
            assert done.stdout.strip() or done.stderr.strip(), words


def test_its_settings_are_the_defaults(tmp_path: Path) -> None:
    block, _ = blocks("toml")
    (tmp_path / "portgate.toml").write_text(block, "utf-8")
    assert load(tmp_path, {}) == Settings()


def test_its_hand_off_is_read(tmp_path: Path) -> None:
    _, block = blocks("toml")
    (tmp_path / "portgate.toml").write_text(block, "utf-8")
    (leg,) = legs(load(tmp_path, {}).network.hand_offs)
    assert (leg.names, leg.device) == (("CARRIER.TRUNK",), "eth1.120")


def test_its_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (REPO / target).exists(), target
