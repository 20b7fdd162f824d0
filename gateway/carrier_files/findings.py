"""What `doctor` says of the carriers at work: secrets that are missing; it mends nothing."""

from __future__ import annotations

from collections.abc import Mapping

from carrier_adapters.contract import Carrier
from gateway.carrier_files.secrets import Secrets
from gateway.stack.health import Finding


def findings(carriers: Mapping[str, Carrier], secrets: Secrets, *, demo: bool) -> list[Finding]:
    """One for each trunk that is not well. ``demo``: the carriers of the demo company exist on
    paper only, so that nothing of theirs can be mended.
    """
    return [
        Finding(f"carrier {name}", False, f"trunk {lack.trunk}: {lack.what}", lack.mend, demo)
        for name, carrier in carriers.items()
        for lack in secrets.lacks(carrier)
    ]
