"""Steppe Mobile: a fixed-mobile operator. Calls that our SIMs make come to us first, with the
dialled digits untouched; so do calls to the mobile numbers printed on notices.
"""

from carrier_adapters.contract import Carrier, Gateway, Invite, Parties, Trunk

# What a phone sends before a number to hide, or to show, its own for one call (3GPP TS 22.030); #
# may not stand in a URI as it is.
HIDE, SHOW = ("#31#", "%2331%23"), ("*31#", "*31%23")


class SteppeMobile(Carrier):
    name = "steppe_mobile"
    title = "Steppe Mobile"
    trunks = (
        Trunk(
            "ads",
            gateways=(
                Gateway("sip:198.51.100.170", "in"),
                Gateway("sip:198.51.100.171", "out"),
            ),
            channels=20,
        ),
        Trunk(
            "sims",
            sources=("198.51.100.160/29",),
            gateways=(Gateway("sip:198.51.100.162"),),
            serves="sims",
            channels=60,
            calls_per_second=10,
        ),
    )
    caller_header = "P-Asserted-Identity"

    def parties(self, invite: Invite, trunk: Trunk) -> Parties:
        dialled = invite.request_user
        for prefix in (*HIDE, *SHOW):
            if dialled.startswith(prefix):
                rest = dialled.removeprefix(prefix)
                read = super().parties(invite._replace(request_user=rest), trunk)
                hidden = read.withheld or prefix in HIDE
                return read._replace(withheld=hidden, dialled=dialled)
        return super().parties(invite, trunk)
