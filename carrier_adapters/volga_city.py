"""Volga City Telephone: local calls come as seven digits, the caller in P-Asserted-Identity,
national calls begin with 8.
"""

from carrier_adapters.contract import Carrier, Trunk


class VolgaCity(Carrier):
    name = "volga_city"
    title = "Volga City Telephone"
    trunks = (
        Trunk(
            "kazan",
            sources=("192.0.2.16/29",),
            proxies=("sip:192.0.2.18:5060", "sip:192.0.2.19:5060"),
            area_code="843",
        ),
        Trunk("ufa", sources=("192.0.2.24/29",), proxies=("sip:192.0.2.26:5060",), area_code="347"),
    )
    caller_header = "P-Asserted-Identity"
    number_format = "national"
    diversion = True
