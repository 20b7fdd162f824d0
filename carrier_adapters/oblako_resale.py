"""Oblako: a PBX vendor that resells numbers of others. Every call carries our account before the
number (100777*7495...), a few lines only, and each INVITE of ours is challenged.
"""

from carrier_adapters.contract import E164, Carrier, Digest, Gateway, Trunk

ACCOUNT = "100777*"


class OblakoResale(Carrier):
    name = "oblako_resale"
    title = "Oblako PBX, resold numbers"
    trunks = (
        Trunk(
            "cloud",
            gateways=(
                Gateway("sip:203.0.113.130"),
                Gateway("sip:203.0.113.131", priority=1),
            ),
            auth=Digest("100777", "oblako_100777"),
            channels=4,
            calls_per_second=1,
        ),
    )
    number_format = "digits"

    def number(self, digits: str, trunk: Trunk) -> E164 | None:
        return super().number(digits.removeprefix(ACCOUNT), trunk)

    def written(self, number: E164, trunk: Trunk) -> str:
        return ACCOUNT + super().written(number, trunk)
