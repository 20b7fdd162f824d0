"""Looks at the carriers' files before Kamailio does, so that a broken one is told to a person."""

from __future__ import annotations

import difflib
from pathlib import Path

import msgspec

from carrier_adapters import loader
from gateway.home import Home
from gateway.settings import Settings
from gateway.settings_lines import line_of
from gateway.stack.problems import Problem
from gateway.stack.render import REPO


def folder(settings: Settings) -> Path:
    """Where the carriers' files lie."""
    return Path(settings.carriers.folder or REPO / "carrier_adapters")


def look(settings: Settings) -> list[Problem]:
    """A warning for each file that cannot be used: the other carriers go on without it.

    No usable file at all, or a placing of a carrier that is not there, stands in the way.
    """
    where = folder(settings)
    if not where.is_dir():
        mend = "Set carriers.folder in portgate.toml, or leave it out"
        return [Problem(f"carriers.folder is {where}", "there is no such folder", mend)]
    loaded = loader.load(where, msgspec.to_builtins(settings.carriers.overrides))
    problems = [
        Problem(
            f"{where / error.file} is not used",
            ": ".join(
                filter(None, (f"line {error.line}" * bool(error.line), error.field, error.problem))
            ),
            error.mend or "Mend the file and run the same again",
            warning=True,
        )
        for error in loaded.errors
    ]
    if not loaded.carriers:
        mend = "Put a carrier's file there, or leave carriers.folder out"
        problems.append(Problem(f"no carrier can be used from {where}", "calls need one", mend))
    broken = {Path(error.file).stem for error in loaded.errors}
    for carrier, trunks in settings.carriers.overrides.items():
        declared = settings.network.hand_offs.get(carrier, {})
        by_hand = [
            trunk
            for trunk, place in trunks.items()
            if trunk not in declared or place.sources or place.proxies
        ]
        if carrier in broken or not by_hand:
            continue  # a network may be declared before its carrier's file is there
        if carrier not in loaded.carriers:
            problems.append(_unknown(f"carriers.{carrier}", carrier, list(loaded.carriers)))
            continue
        known = [trunk.name for trunk in loaded.carriers[carrier].trunks]
        problems += [
            _unknown(f"carriers.{carrier}.{trunk}", trunk, known)
            for trunk in by_hand
            if trunk not in known
        ]
    return problems


def unknown_hand_offs(home: Home, settings: Settings) -> list[Problem]:
    """A warning for each `[network.<carrier>.<trunk>]` whose carrier or trunk no usable file
    declares: a network may be made before the carrier's file is there, and a slip looks the same.
    """
    hand_offs = settings.network.hand_offs
    where = folder(settings)
    if not hand_offs or not where.is_dir():
        return []
    places = msgspec.to_builtins(settings.carriers.overrides)
    loaded = loader.load(where, places)
    usable = {**loader.load(home.carriers, places).carriers, **loaded.carriers}
    trunks = {name: [one.name for one in carrier.trunks] for name, carrier in usable.items()}
    broken = {Path(error.file).stem for error in loaded.errors} - set(trunks)
    text = home.settings.read_text("utf-8-sig") if home.settings.exists() else ""
    problems = []
    for carrier, its in hand_offs.items():
        if carrier in broken:
            continue
        for trunk in its:
            if trunk in trunks.get(carrier, ()):
                continue
            at = ("network", carrier, trunk)
            what = f"[{'.'.join(at)}] serves no trunk"
            if carrier in trunks:
                why, mend = f"{carrier} has no trunk `{trunk}`", _meant(trunk, trunks[carrier])
            else:
                why = f"no carrier's file is named `{carrier}`"
                mend = f"{_meant(carrier, list(trunks))} Or: ./portgate carriers new {carrier}"
            line = f"{home.settings}:{line_of(text, at)}"
            problems.append(Problem(what, f"{line}: {why}", mend, warning=True))
    return problems


def _meant(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(known)}."


def _unknown(setting: str, name: str, known: list[str]) -> Problem:
    what = f"[{setting}] in portgate.toml places nothing"
    return Problem(what, f"there is no `{name}`", _meant(name, known))
