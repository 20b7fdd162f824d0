"""A PBX as people change it: values, checks and differences; no SQL, no I/O."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from number_registry.errors import BadValueError
from number_registry.model import Address
from number_registry.names import is_literal
from number_registry.pbx_profile import Profile, Trust

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,39}")


@dataclass(frozen=True, slots=True)
class PbxFacts:
    """All of a PBX that a person may change. ``addresses``: in the order to try; ``sources``:
    networks that its calls come from; ``account``: its user name, changed by no plan.
    """

    name: str
    addresses: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    profile: Profile = field(default_factory=Profile)
    state: str = "in_service"
    account: str = ""

    def image(self) -> dict[str, Any]:
        """Equal facts are equal JSON. The account is not in it: passwords are not taken back."""
        return {
            "name": self.name,
            "state": self.state,
            "addresses": list(self.addresses),
            "profile": self.stored_profile(),
        }

    def stored_profile(self) -> dict[str, Any]:
        """The column `pbxs.profile`: what differs from an ordinary PBX, and the sources."""
        return {"sources": list(self.sources), **self.profile.raw()}

    @classmethod
    def of(cls, image: Mapping[str, Any], account: str = "") -> PbxFacts:
        """The facts in an image."""
        profile = dict(image["profile"])
        sources = tuple(profile.pop("sources", ()))
        addresses = tuple(image["addresses"])
        return cls(image["name"], addresses, sources, Profile.of(profile), image["state"], account)

    def as_json(self) -> dict[str, Any]:
        """As `pbx show --json` tells it, every field of the profile spelled out."""
        return {
            "name": self.name,
            "state": self.state,
            "addresses": list(self.addresses),
            "sources": list(self.sources),
            "account": self.account or None,
            "profile": self.profile.all(),
        }


def fields(before: PbxFacts | None, after: PbxFacts | None) -> Iterator[tuple[str, str, str]]:
    """(field, before, after) of what differs; a new PBX differs from an ordinary one."""
    was, will = _flat(before), _flat(after)
    for name in will or was:
        one, two = was.get(name, ""), will.get(name, "")
        if one != two:
            yield name, one, two


def _flat(facts: PbxFacts | None) -> dict[str, str]:
    if facts is None:
        return {
            "state": "",
            "addresses": "",
            "sources": "",
            **{name: _text(value) for name, value in Profile().all().items()},
        }
    return {
        "state": facts.state,
        "addresses": ", ".join(facts.addresses),
        "sources": ", ".join(facts.sources),
        **{name: _text(value) for name, value in facts.profile.all().items()},
    }


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def checked(facts: PbxFacts) -> PbxFacts:
    """The same with networks in their usual spelling; without sources, an address-trusted PBX has
    the hosts of its addresses.

    Raises BadValueError with the value that is wrong and what to write.
    """
    trust = facts.profile.trust
    if not _NAME.fullmatch(facts.name):
        raise BadValueError(f"{facts.name!r} is no name: a-z, 0-9, _ . - are expected")
    if not facts.addresses and trust is not Trust.REGISTER:
        raise BadValueError(
            "a PBX needs an address, for instance sip:192.0.2.10:5060, unless it registers "
            "(--trust register)"
        )
    if facts.addresses and trust is Trust.REGISTER:
        raise BadValueError(
            "a PBX that registers has no addresses: its calls go where it registers from"
        )
    if facts.sources and trust is not Trust.ADDRESS:
        raise BadValueError(
            f"a PBX that is trusted by {trust.value} has no sources: its password lets it in, "
            "from anywhere"
        )
    if len(set(facts.addresses)) != len(facts.addresses):
        raise BadValueError("one of the addresses is there twice")
    hosts = [Address.parse(uri).host for uri in facts.addresses]
    # What a name leads to is trusted as it changes (kemi/peers.py), so it is no network here.
    networks = facts.sources or filter(is_literal, hosts)
    sources = tuple(map(_network, networks)) if trust is Trust.ADDRESS else ()
    return PbxFacts(facts.name, facts.addresses, sources, facts.profile, facts.state, facts.account)


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text.strip("[]")))
    except ValueError as error:
        raise BadValueError(
            f"{text!r} is no network ({error}); name them with --source, as 192.0.2.0/28"
        ) from error
