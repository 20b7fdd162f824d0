"""Ural Link: we register there with digest; our number is in To, the caller in Remote-Party-ID, and
numbers are international without a plus.
"""

from carrier_adapters.contract import (
    E164,
    Carrier,
    Failure,
    FarSide,
    Gateway,
    Registration,
    Trunk,
)

ALL_LINES_BUSY = 34  # Q.850: no circuit available; they say it with 500


class UralLink(Carrier):
    name = "ural_link"
    title = "Ural Link"
    trunks = (
        Trunk(
            "ekaterinburg",
            sources=("198.51.100.136/29",),
            gateways=(
                Gateway("sip:198.51.100.138:5060;transport=tcp", "out", weight=3),
                Gateway("sip:198.51.100.139:5060;transport=tcp", "out", weight=1),
                Gateway("sip:sbc.ural.example;transport=tls", "out", priority=1),
            ),
            area_code="343",
            auth=Registration("portgate-343", "ural_343", "sip:sbc.ural.example;transport=tcp"),
            codecs=("PCMA", "G729", "telephone-event"),
            channels=30,
            calls_per_second=5,
        ),
        Trunk(
            "ufa",
            sources=("198.51.100.144/29",),
            proxies=("sip:198.51.100.146:5060;transport=tcp",),
            area_code="347",
            auth=Registration("portgate-347", "ural_347", "sip:sbc.ural.example;transport=tcp"),
            codecs=("PCMA", "G729", "telephone-event"),
            channels=10,
        ),
    )
    # They call where we registered: the Request-URI holds the user of our Contact.
    called_in = "to"
    caller_header = "Remote-Party-ID"
    number_format = "digits"

    def far_side(self, called: str, shown: E164, trunk: Trunk) -> FarSide:
        far = super().far_side(called, shown, trunk)
        caller = f"<sip:{far.from_user}@{{us}}>;party=calling;screen=yes"
        return far._replace(headers=((self.caller_header, caller),))

    def failure(self, status: int, cause: int = 0) -> Failure:
        if status == 500 and cause in (0, ALL_LINES_BUSY):
            return Failure.ELSEWHERE
        return super().failure(status, cause)
