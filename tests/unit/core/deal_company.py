"""A company with mobile agents, SIMs and deals, for the stories of its calls."""

from __future__ import annotations

from number_registry.call import Call, Peer, Side
from number_registry.conversations import NOBODY, Behind
from number_registry.deals import Deal
from number_registry.directory import MemoryDirectory, NumberRoute
from number_registry.e164 import E164
from number_registry.model import Address, Pbx, Person, Site, State

CITY, OTHER_CITY, OWN = E164("74951230000"), E164("78432220000"), E164("74951230001")
AD, SUSPENDED = E164("79360000500"), E164("74951230009")
CLIENT, CLIENT_OFFICE, OWNER = E164("79161111111"), E164("74957777777"), E164("79162222222")
STRANGER = E164("79163333333")
MARAT, LENA, BOSS = E164("79360000203"), E164("79360000204"), E164("79360000110")
NOBODYS_SIM = E164("79360000299")
NORTHLINE = Peer(Side.CARRIER, "northline", "moscow")
SIMS, ADS = Peer(Side.CARRIER, "steppe_mobile", "sims"), Peer(Side.CARRIER, "steppe_mobile", "ads")
OLD, NEW = Peer(Side.PBX, "old"), Peer(Side.PBX, "new")
ID = "ab" * 16
NOON = 1_800_000_000

AGENT, OPERATOR = ("operator",), ("anyone",)
STAFF = ("supervisor", "operator", "controller", "agent")


def person(
    extension: str,
    role: str,
    rung_by: tuple[str, ...],
    mobile: E164 | None = None,
    shown: E164 | None = CITY,
    **rest: str,
) -> Person:
    carrier = "steppe_mobile" if mobile else ""
    facts = {"site": "moscow", "pbx": "", "shows": "city"} | rest
    return Person(
        extension, extension, role, shown, mobile=mobile, mobile_carrier=carrier, rung_by=rung_by,
        **facts,
    )  # fmt: skip


PEOPLE = (
    person("111", "supervisor", OPERATOR, shown=OWN, shows="own", pbx="old"),
    person("110", "supervisor", OPERATOR, mobile=BOSS, shown=OWN, shows="own"),
    person("121", "operator", OPERATOR, pbx="old"),
    person("122", "operator", OPERATOR, pbx="new", shown=OTHER_CITY, site="kazan"),
    person("131", "controller", STAFF, pbx="old"),
    person("203", "agent", AGENT, mobile=MARAT, dials_outside="deals_only"),
    person("204", "agent", AGENT, mobile=LENA),
    person("205", "agent", AGENT),
)

DEALS = (
    Deal("4711", "203", CITY, ((CLIENT, CLIENT_OFFICE), (OWNER,))),
    Deal("0815", "203", CITY, ((STRANGER,),), closed=True),
    Deal("555", "203", CITY, ((STRANGER,),), expires=NOON),
    Deal("6001", "204", OTHER_CITY, ((CLIENT,),)),
    Deal("7001", "205", CITY, ((STRANGER,),)),
    Deal("8001", "203", CITY, ((OWN,),)),
    Deal("8002", "203", CITY, ((LENA,),)),
    Deal("8003", "203", SUSPENDED, ((E164("79164444444"),),)),
)


def company(*more: Deal, now: int = NOON) -> MemoryDirectory:
    """``more``: newer deals."""

    def route(carrier: str, pbx: str, state: State = State.IN_SERVICE) -> NumberRoute:
        return NumberRoute(((carrier, state),), pbx)

    return MemoryDirectory(
        numbers={
            CITY: route("northline", "old"),
            OWN: route("northline", "old"),
            OTHER_CITY: route("volga_city", "new"),
            AD: route("steppe_mobile", "new"),
            SUSPENDED: route("northline", "old", State.SUSPENDED),
        },
        pbxs={
            "old": Pbx("old", (Address("198.51.100.21"),)),
            "new": Pbx("new", (Address("198.51.100.31"),)),
        },
        people={one.extension: one for one in PEOPLE},
        sites={
            "kazan": Site("kazan", "volga_city", OTHER_CITY),
            "moscow": Site("moscow", "northline", CITY),
        },
        deals={deal.id: deal for deal in (*DEALS, *more)},
        sims={one.mobile: one for one in PEOPLE if one.mobile is not None},
        time=now,
    )


def dials(sim: E164, called: str, again: int = 0) -> Call:
    """A call made on a SIM."""
    number = E164.maybe(called.removeprefix("+"))
    return Call(SIMS, number or called, sim.plus, from_sim=True, again=again)


def sends(called: str, caller: str = "121", behind: Behind = NOBODY, pbx: Peer = OLD) -> Call:
    """A leg that a PBX sends."""
    return Call(pbx, E164.maybe(called.removeprefix("+")) or called, caller, behind=behind)
