"""Northline: plain E.164 with a plus sign everywhere; the caller is in From; one trunk for Moscow,
trusted by address.
"""

from carrier_adapters.contract import Carrier, Trunk


class Northline(Carrier):
    name = "northline"
    title = "Northline Telecom"
    trunks = (
        Trunk(
            "moscow", sources=("192.0.2.0/29",), proxies=("sip:192.0.2.2:5060",), area_code="495"
        ),
    )
    number_format = "plus"
