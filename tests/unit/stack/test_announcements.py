"""The sound files that a home gets, and those that it keeps."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from gateway.stack import announcements


def test_every_announcement_that_a_refusal_may_name_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "announcements"
    assert announcements.make(folder, ("ru", "en")) == []
    made = {path.stem: path.read_bytes() for path in folder.iterdir()}
    assert made.keys() == {*announcements.WORDS, announcements.RINGING}
    (folder / "deal_closed.wav").write_bytes(b"our own")
    announcements.make(folder, ("en",))
    after = {path.stem: path.read_bytes() for path in folder.iterdir()}
    assert after == {**made, "deal_closed": b"our own"}


def test_words_follow_the_tones_in_each_language(tmp_path: Path) -> None:
    def seconds(*languages: str) -> float:
        folder = tmp_path / "-".join(languages)
        announcements.make(folder, languages)
        with wave.open(str(folder / "deal_closed.wav")) as file:
            return file.getnframes() / file.getframerate()

    russian, both = seconds("ru"), seconds("ru", "en")
    assert 2 < russian < both - 0.8 < 8


def test_where_nobody_speaks_there_are_the_tones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert sorted(announcements.make(tmp_path / "made", ("ru",))) == sorted(announcements.WORDS)
    with wave.open(str(tmp_path / "made" / "deal_closed.wav")) as file:
        assert file.getnframes() / file.getframerate() > 1
