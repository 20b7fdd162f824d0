"""City Telecom: say in a sentence or two how this carrier speaks and where it is odd.

The file only declares: it is not run as a program, and imports little beside the contract. What is
not written here has the default of carrier_adapters/contract.py. `./portgate carriers check` tells
what is still wrong, with line and mend; `./portgate carriers apply` puts it to work.
"""

from carrier_adapters.contract import Carrier, Trunk


class CityTelecom(Carrier):
    name = "city_telecom"  # equals the file's name
    title = "City Telecom"
    trunks = (
        Trunk(
            "main",
            # Networks that their calls come from; no other carrier's may overlap.
            sources=("127.0.64.0/29",),
            # Where our calls go, in the order to try.
            proxies=("sip:127.0.64.2:5060",),
            # Completes short local numbers, and chooses this trunk for the city's numbers.
            area_code="",
            # What the contract allows at once; 0: nothing agreed.
            channels=0,
            calls_per_second=0,
            # Gateways that only call us, only take calls, or share them by weight (import Gateway):
            # gateways=(Gateway("sip:192.0.2.9;transport=tcp", "out", priority=1, weight=2),),
            # Trust by more than the address (import Digest or Registration). The secret's name
            # only: secrets never stand in this file.
            # auth=Digest("account", "name_of_the_secret"),
        ),
    )
    # plus (+7495..), digits (7495..) or national (8495..): how numbers are written for them
    number_format = "plus"
    # Where the caller stands: From, P-Asserted-Identity, Remote-Party-ID or P-Preferred-Identity
    caller_header = "From"
    # request or to: where their INVITE names our number
    called_in = "request"

    # Whether they want Diversion with a call that a PBX forwards: it names our number, never the
    # caller. Needs a capture with forwarded = true.
    diversion = False

    # Hooks, only where the carrier is odd; each is pure and never raises for what others sent:
    # number, parties (read theirs), written, far_side (write ours), trunk_for, failure, invoice.
    # def number(self, digits: str, trunk: Trunk) -> E164 | None:
    #     return super().number(digits.removeprefix("77*"), trunk)
