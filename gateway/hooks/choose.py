"""Which interface a PBX's profile names, with its secret; it asks nothing of it."""

from __future__ import annotations

import re
from pathlib import Path

from gateway.carrier_files.secrets import checked
from gateway.hooks.ami import Ami
from gateway.hooks.ari import Ari
from gateway.hooks.rest import Rest
from gateway.hooks.said import Hook, HookError, Place
from number_registry.errors import BadValueError
from number_registry.pbx_profile import Profile

KINDS: dict[str, type[Ami] | type[Ari] | type[Rest]] = {"ami": Ami, "ari": Ari, "rest": Rest}
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def secret_file(folder: Path, pbx: str) -> Path:
    """Where a PBX's password is kept: a file of its own, 0600, one line."""
    return folder / (pbx if _PLAIN.fullmatch(pbx) else "x-" + pbx.encode().hex())


def hook(pbx: str, profile: Profile, secrets: Path) -> Hook | None:
    """None where the PBX has none, or one that we do not speak. Raises HookError."""
    kind = KINDS.get(profile.transfer)
    if kind is None:
        return None
    if not profile.transfer_at:
        what = f"PBX {pbx} has {profile.transfer} and no place for it"
        raise HookError(f"{what}: ./portgate pbx set {pbx} --transfer-at ...")
    place = Place(
        profile.transfer_at,
        profile.transfer_user,
        _secret(secret_file(secrets, pbx), pbx),
        profile.transfer_context,
        profile.transfer_body,
    )
    return kind(place)


def _secret(path: Path, pbx: str) -> str:
    try:
        return checked(path.read_bytes())
    except FileNotFoundError:
        return ""
    except (OSError, BadValueError) as error:
        raise HookError(f"the secret of PBX {pbx} cannot be used: {error}") from error
