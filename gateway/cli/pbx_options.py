"""The flags of a PBX's profile, for `pbx add` and `pbx set`; what they mean is pbx_profile's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from number_registry import pbx_profile
from number_registry.operations import presets
from number_registry.pbx_profile import Trust

_places = ", several with commas: "


def _any(names: Sequence[str]) -> str:
    return ", ".join(names) + "."


# flag, what it takes, help; the field's name is the flag's with underscores.
_FIELDS: tuple[tuple[str, click.ParamType | None, str], ...] = (
    (
        "--trust",
        click.Choice([one.value for one in Trust]),
        "By what its calls are known to be its.",
    ),
    (
        "--did-format",
        click.Choice(pbx_profile.NUMBER_FORMATS),
        "How it wants the called number: +7495.., 7495.., 495..",
    ),
    (
        "--caller-format",
        click.Choice(pbx_profile.NUMBER_FORMATS),
        "How it wants the caller; else as the called number.",
    ),
    (
        "--did-in",
        None,
        f"Where it looks for the called number{_places}{_any(pbx_profile.DID_PLACES)}",
    ),
    (
        "--caller-in",
        None,
        f"Where it looks for the caller{_places}{_any(pbx_profile.CALLER_PLACES)}",
    ),
    (
        "--own-caller-in",
        None,
        f"Where it puts its own caller{_places}{_any(pbx_profile.OWN_CALLER_PLACES)}",
    ),
    ("--codecs", None, f"The only ones it may be offered{_places}{_any(pbx_profile.CODECS)}"),
    (
        "--codec-rule",
        click.Choice(pbx_profile.CODEC_RULES),
        "For an offer with none of its codecs.",
    ),
    ("--dtmf", click.Choice(pbx_profile.DTMF_MODES[1:]), "How it wants digits in a call."),
    (
        "--session-timer-s",
        click.IntRange(0),
        "Session timer that calls to it ask for (RFC 4028); 0 for none.",
    ),
    ("--transfer", None, "Interface to ask it for a transfer: ami, ari, rest."),
    ("--transfer-at", None, "Where that is: HOST:PORT, or a URL with {call_id}, {to}, {client}."),
    ("--transfer-user", None, "Our name there; the secret is set by `pbx secret`."),
    ("--transfer-context", None, "Part of its dial plan for its phones; else from-internal."),
    ("--transfer-body", None, "JSON that is posted to it, with {call_id}, {to}, {client}."),
    ("--country-code", None, "Of the numbers that it dials; else 7."),
    ("--trunk-prefix", None, "Dialled before a national number; else 8."),
    ("--international-prefix", None, "Dialled before a foreign number; else 810."),
    ("--national-length", click.IntRange(4, 14), "Digits of a national number; else 10."),
    ("--area-code", None, "Completes its local numbers."),
)


def profile_options(command: Callable[..., None]) -> Callable[..., None]:
    """The flags of a profile; what is not given is None."""
    for flag, kind, text in reversed(_FIELDS):
        command = click.option(flag, type=kind, help=text)(command)
    command = click.option(
        "--account",
        "user",
        default="",
        help="A name for its account; the one made otherwise cannot be guessed.",
    )(command)
    command = click.option(
        "--preset", type=click.Choice(presets.PRESETS), help="A common PBX's profile to start from."
    )(command)
    return click.option(
        "--profile",
        "file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A TOML file with fields of the profile, addresses, sources, preset.",
    )(command)
