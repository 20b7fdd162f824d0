"""Carriers' files: those that are right are loaded, those that are wrong are named, and one bad
file stops no other.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from carrier_adapters.contract import Failure, Invite
from carrier_adapters.loader import load
from number_registry.e164 import E164

REPO = Path(__file__).parents[3] / "carrier_adapters"
GOOD = '''"""Test carrier."""
from carrier_adapters.contract import Carrier, Trunk

class Some(Carrier):
    name = "some"
    trunks = (Trunk("main", sources=("203.0.113.0/28",), proxies=("sip:203.0.113.1:5060",)),)
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(REPO / "northline.py", tmp_path)
    return tmp_path


def problem(folder: Path, text: str) -> str:
    (folder / "some.py").write_text(text)
    loaded = load(folder)
    assert "northline" in loaded.carriers, "one bad file must not stop the others"
    assert "some" not in loaded.carriers
    (error,) = loaded.errors
    return str(error)


def test_a_file_dropped_in_is_a_carrier(folder: Path) -> None:
    (folder / "some.py").write_text(GOOD)
    loaded = load(folder)
    assert (sorted(loaded.carriers), loaded.errors) == (["northline", "some"], ())


@pytest.mark.parametrize(
    ("change", "to", "said"),
    [
        (
            'name = "some"',
            'name = "other"',
            "some.py: line 5: name: is 'other', the file is 'some'",
        ),
        (
            'name = "some"',
            'name = "some"\n    caller_hedaer = "From"',
            "some.py: line 6: caller_hedaer: is not part",
        ),
        (
            'name = "some"',
            'name = "some"\n    caller_header = "Diversion"',
            "some.py: line 6: caller_header: 'Diversion'",
        ),
        (
            'name = "some"',
            'name = "some"\n    trunk_prefix = 8',
            "some.py: line 6: trunk_prefix: 8 is not a string",
        ),
        ("203.0.113.0/28", "203.0.113.0/33", "some.py: line 6: trunk main: sources: "),
        (
            "sip:203.0.113.1:5060",
            "203.0.113.1",
            "some.py: line 6: trunk main: proxies or gateways: ",
        ),
        (
            "203.0.113.0/28",
            "192.0.2.1/32",
            "line 6: trunk main: sources: 192.0.2.0/29 of northline, trunk moscow overlaps",
        ),
        ("class Some(Carrier):", "class Some(Carrier)", "some.py: line 4: expected ':'"),
        (
            "import Carrier, Trunk",
            "import Carrier, Trunk\nraise RuntimeError('boom')",
            "some.py: line 3: raise runs while the file is loaded",
        ),
        (
            "import Carrier, Trunk",
            "import Carrier, Trunk\nwhile True:\n    x = 1",
            "some.py: line 3: while runs while the file is loaded",
        ),
        ("class Some(", "import sys\nsys.exit(3)\nclass Some(", "line 4: import: 'sys' is not for"),
        (
            'name = "some"',
            'name = "some"\n    retry_elsewhere = frozenset(range(10**9))',
            "some.py: line 6: retry_elsewhere: calls `range` while the file is loaded",
        ),
        (
            'name = "some"',
            'name = "some"\n    retry_elsewhere = frozenset({486, 503})',
            "some.py: line 6: retry_elsewhere: [486] are true wherever one asks",
        ),
        (
            'name = "some"',
            'name = "some"\n    def number(self, digits): return None',
            "some.py: line 6: number: takes (self, digits)",
        ),
        (
            'name = "some"',
            'name = "some"\n    def number(self, digits, trunk): return open(digits)',
            "some.py: line 6: number: uses `open`",
        ),
        (
            'name = "some"',
            'name = "some"\n    def number(self, digits, trunk): self.last = digits',
            "some.py: line 6: number: sets `last` of something it was given",
        ),
        (
            "proxies=",
            'codecs=("PCMQ",), proxies=',
            "line 6: trunk main: codecs: 'PCMQ' is not known",
        ),
        ("proxies=", "channels=-1, proxies=", "line 6: trunk main: channels: -1 is not a whole"),
        (
            "proxies=",
            'receives_on="our.example", proxies=',
            "line 6: trunk main: receives_on: 'our.example' is not an address",
        ),
        (
            "import Carrier, Trunk",
            "import Carrier, Trunk\nimport sys; sys.exit(3)",
            "line 3: import: 'sys' is not for carriers",
        ),
        (
            'name = "some"',
            'name = "some"\n    national_length = "ten"',
            "some.py: line 6: national_length: 'ten' is not a number",
        ),
        (
            'name = "some"',
            'name = "some"\n    retry_elsewhere = 503',
            "some.py: line 6: retry_elsewhere: is not a frozenset of statuses",
        ),
        ('("203.0.113.0/28",)', '"203.0.113.0/28"', "trunk main: sources: is not a tuple"),
        ("class Some(Carrier):", "class Some:", "some.py: class: 0 subclasses"),
        ("trunks = (Trunk", "trunks = [Trunk", "some.py"),
    ],
)
def test_a_wrong_file_is_refused_with_file_and_field(
    folder: Path, change: str, to: str, said: str
) -> None:
    assert change in GOOD
    assert said in problem(folder, GOOD.replace(change, to))


def test_a_newcomer_takes_no_network_from_a_carrier_in_use(folder: Path) -> None:
    in_use = load(folder).carriers
    text = GOOD.replace('"some"', '"any"').replace("203.0.113.0/28", "192.0.2.1/32")
    (folder / "any.py").write_text(text)  # comes before northline in the alphabet
    loaded = load(folder, in_use=in_use)
    assert list(loaded.carriers) == ["northline"]
    assert "any.py: line 6: trunk main: sources: 192.0.2.0/29 of northline" in str(loaded.errors[0])


def test_a_network_that_moves_to_a_neighbour_by_mistake_stays_where_it_was(folder: Path) -> None:
    (folder / "some.py").write_text(GOOD)
    in_use = load(folder).carriers
    northline = folder / "northline.py"
    northline.write_text(northline.read_text().replace("192.0.2.0/29", "203.0.113.0/29"))
    loaded = load(folder, in_use=in_use)
    sources = {name: carrier.trunks[0].sources for name, carrier in loaded.carriers.items()}
    assert sources == {"some": ("203.0.113.0/28",), "northline": ("192.0.2.0/29",)}


def test_a_carrier_whose_file_breaks_keeps_its_network_too(folder: Path) -> None:
    in_use = load(folder).carriers
    (folder / "northline.py").write_text("class Northline(:")
    (folder / "any.py").write_text(
        GOOD.replace('"some"', '"any"').replace("203.0.113.0/28", "192.0.2.1/32")
    )
    assert load(folder, in_use=in_use).carriers == in_use


def test_nothing_in_a_file_runs_while_it_is_loaded_so_it_prints_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "some.py").write_text("print('hello')\n" + GOOD)
    assert "some" not in load(folder).carriers
    assert capsys.readouterr().out == ""


def test_a_changed_file_is_read_again_and_old_calls_keep_the_old_code(folder: Path) -> None:
    (folder / "some.py").write_text(GOOD)
    before = load(folder).carriers["some"]
    (folder / "some.py").write_text(
        GOOD.replace('name = "some"', 'name = "some"\n    country_code = "4"')
    )
    after = load(folder).carriers["some"]
    assert (before.country_code, after.country_code) == ("7", "4")


def test_addresses_can_be_set_for_this_installation(folder: Path) -> None:
    overrides = {
        "northline": {"moscow": {"sources": ["127.1.1.11/32"], "proxies": ["sip:127.1.1.11:5062"]}}
    }
    trunk = load(folder, overrides).carriers["northline"].trunk("moscow")
    assert (trunk.sources, trunk.addresses[0].port, trunk.area_code) == (
        ("127.1.1.11/32",),
        5062,
        "495",
    )


def test_a_wrong_setting_of_an_address_names_the_trunk(folder: Path) -> None:
    loaded = load(folder, {"northline": {"moscow": {"proxies": ["nonsense"]}}})
    assert "settings of trunk moscow" in str(loaded.errors[0])


def test_the_two_carriers_read_and_write_differently() -> None:
    carriers = load(REPO).carriers
    northline, volga = carriers["northline"], carriers["volga_city"]
    kazan = volga.trunk("kazan")
    parties = volga.parties(
        Invite("1230001", "1230001", {"P-Asserted-Identity": "89270000001", "From": "x"}), kazan
    )
    assert (parties.called, parties.caller) == (E164("78431230001"), "+79270000001")
    far = volga.far_side(E164("79160000001"), E164("78431230001"), kazan)
    assert (far.request_user, far.from_user) == ("89160000001", "88431230001")
    assert far.headers == (("P-Asserted-Identity", "<sip:88431230001@{us}>"),)
    far = northline.far_side(E164("79160000001"), E164("74951230001"), northline.trunk("moscow"))
    assert (far.request_user, far.from_user, far.headers) == ("+79160000001", "+74951230001", ())


def test_a_call_out_leaves_by_the_trunk_of_the_shown_numbers_city() -> None:
    volga = load(REPO).carriers["volga_city"]
    ufa = volga.trunk_for(E164("73471230001"))
    other = volga.trunk_for(E164("74951230001"))
    assert ufa is not None and ufa.name == "ufa"
    assert other is not None and other.name == "kazan"


def test_the_same_network_may_come_to_two_addresses_of_ours(folder: Path) -> None:
    two = (
        '(Trunk("a", ("10.0.0.0/8",), receives_on="192.0.2.100"),\n'
        '        Trunk("b", ("10.0.0.0/8",), receives_on="{}"))'
    )
    for other, wrong in (("192.0.2.101", ()), ("192.0.2.100", ("line 7: trunk b: sources",))):
        text = GOOD.partition("(Trunk")[0] + two.format(other) + "\n"
        (folder / "some.py").write_text(text)
        said = [str(error) for error in load(folder).errors]
        assert all(part in line for part, line in zip(wrong, said, strict=True))


def test_of_two_that_clash_the_one_at_work_stays(folder: Path) -> None:
    (folder / "alpha.py").write_text(
        GOOD.replace("some", "alpha").replace("203.0.113.0/28", "192.0.2.0/28")
    )
    assert list(load(folder).carriers) == ["alpha"]
    assert list(load(folder, in_use={"northline": None}).carriers) == ["northline"]


def test_a_failure_hook_says_where_a_call_is_tried_again(folder: Path) -> None:
    hook = (
        "    def failure(self, status, cause=0):\n"
        "        return Failure.ELSEWHERE if status == 500 else Failure.FINAL\n"
    )
    (folder / "some.py").write_text(
        GOOD.replace("import Carrier", "import Failure, Carrier") + hook
    )
    carriers = load(folder).carriers
    elsewhere = {
        name: {one for one in range(300, 700) if carriers[name].failure(one) is Failure.ELSEWHERE}
        for name in ("some", "northline")
    }
    assert elsewhere == {"some": {500}, "northline": {408, 480, 503, 504}}
