"""A gateway whose carrier in Moscow wants a password: its file is the demo company's, with
`auth` and `called_in` filled in.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.home import Home
from tests.sip.authentication.carrier import PASSWORD, USER
from tests.sip.people import CARRIERS
from tests.sip.stack import REPO, Stack, running_stack

ADAPTERS = REPO / "carrier_adapters"
SECRET = "city_495"
DIGEST = f'Digest("{USER}", "{SECRET}")'


def registering(net: str, transport: str = "udp") -> str:
    """``auth`` of a trunk that registers with the carrier's own Kamailio."""
    registrar = f"sip:{net}.{CARRIERS['northline']}:5060;transport={transport}"
    return f'Registration("{USER}", "{SECRET}", "{registrar}", expires_s=60)'


def with_auth(
    auth: Callable[[str], str], password: str = PASSWORD, called_in: str = "request"
) -> Callable[[Home, str], str]:
    """`more` of running_stack: carriers' files of its own, and the secret in its place."""

    def more(home: Home, net: str) -> str:
        folder = edited(home)
        folder.mkdir()
        for path in ADAPTERS.glob("*.py"):
            shutil.copy(path, folder)
        shutil.copytree(ADAPTERS / "captures", folder / "captures")
        edit(folder, auth(net), called_in)
        home.carrier_secrets.mkdir(mode=0o700, parents=True)
        (home.carrier_secrets / SECRET).touch(0o600)
        (home.carrier_secrets / SECRET).write_text(password + "\n")
        return f'[carriers]\nfolder = "{folder}"'

    return more


def edited(home: Home) -> Path:
    """The folder of carriers' files that a person of this home edits."""
    return home.path.with_name(f"{home.path.name}-edited")


@contextmanager
def gateway(
    name: str, auth: Callable[[str], str], password: str = PASSWORD, called_in: str = "request"
) -> Iterator[Stack]:
    """A running stack whose carrier in Moscow wants this ``auth``, by its loopback net."""
    homes: list[Home] = []

    def more(home: Home, net: str) -> str:
        homes.append(home)
        return with_auth(auth, password, called_in)(home, net)

    try:
        with running_stack(name, more=more) as found:
            yield found
    finally:
        for home in homes:
            shutil.rmtree(edited(home), ignore_errors=True)


def edit(folder: Path, auth: str, called_in: str = "request") -> None:
    """Write the carrier's file anew, with this ``auth``."""
    text = (ADAPTERS / "northline.py").read_text()
    text = text.replace("import Carrier, Trunk", "import Carrier, Digest, Registration, Trunk")
    text = text.replace('area_code="495"', f'area_code="495", auth={auth}')
    text = text.replace('"plus"', f'"plus"\n    called_in = "{called_in}"')
    (folder / "northline.py").write_text(text)
