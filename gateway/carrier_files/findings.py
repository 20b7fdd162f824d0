"""What `doctor` says of the carriers at work: secrets that are missing, registrations that are not
there; it mends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from carrier_adapters.contract import Carrier
from gateway.carrier_files.secrets import Secrets
from gateway.registrations.standing import Standing
from gateway.stack.health import Finding


def findings(
    carriers: Mapping[str, Carrier],
    secrets: Secrets,
    registrations: Iterable[Standing] = (),
    *,
    demo: bool,
) -> list[Finding]:
    """One for each trunk that is not well, and for each that is registered. ``demo``: the carriers
    of the demo company exist on paper only, so that nothing of theirs can be mended.
    """
    found = [
        Finding(f"carrier {name}", False, f"trunk {lack.trunk}: {lack.what}", lack.mend, demo)
        for name, carrier in carriers.items()
        for lack in secrets.lacks(carrier)
    ]
    return found + [
        _registration(one, demo) for one in registrations if one.state != "impossible" or not found
    ]


def without_file(carriers: Mapping[str, Carrier], rented: Mapping[str, int]) -> list[Finding]:
    """Carriers that numbers (so many) are rented from, and that no file at work speaks for."""
    return [
        Finding(
            f"carrier {name}",
            False,
            f"no file of it is at work, and calls of its {count} numbers are refused",
            f"Put {name}.py back, then: ./portgate carriers apply {name}",
        )
        for name, count in rented.items()
        if name not in carriers
    ]


def _registration(one: Standing, demo: bool) -> Finding:
    well = one.state == "registered"
    mend = "" if well else _MENDS.get(one.status, f"See: ./portgate carriers show {one.carrier}")
    return Finding(f"carrier {one.carrier}", well, str(one), mend, demo)


_MENDS = dict.fromkeys(
    (401, 403, 407), "Compare user and realm in its file, and set its secret anew"
)
