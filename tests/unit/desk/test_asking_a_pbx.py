"""Which call is meant, what is dialled, and how a PBX with a REST interface is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from gateway.calls.events import Answer, Start
from gateway.calls.fold import Call
from gateway.desk.finding import at_pbx, find
from gateway.desk.socket import DeskError
from gateway.desk.transfer import what_to_dial
from gateway.hooks.choose import hook, secret_file
from gateway.hooks.rest import Rest
from gateway.hooks.said import HookError, Leg, Place
from number_registry.pbx_profile import Profile

T = 1_700_000_000_000_000
CLIENT = "+79160000001"


def call(letter: str, *, answered: bool = True, **start: str) -> Call:
    ident = letter * 32
    named = {"dir": "in", "src": "northline", "kind": "pbx", "to": "old", "caller": CLIENT}
    begun = Start(c=ident, t=T, cid=f"{letter}@sip", ft="tag", cseq=1, **{**named, **start})
    answer = Answer(c=ident, t=T + 1, status=200, tt="there", ctc="", addr="", rr=(), sock="")
    return Call(ident, T, T, start=begun, answer=answer if answered else None)


def up(*calls: Call) -> dict[str, Call]:
    return {one.id: one for one in calls}


def test_a_call_is_named_by_its_id_the_beginning_of_that_or_the_client() -> None:
    calls = up(call("a"), call("b", caller="+79160000002"))
    assert find(calls, "a" * 32).id == find(calls, "aaaaaa").id == find(calls, CLIENT).id
    assert find(calls, "79160000002").id == "b" * 32


def test_an_operator_may_have_called_the_client() -> None:
    out = call("c", dir="out", kind="carrier", src="new", to="northline", called=CLIENT, caller="")
    assert find(up(out), CLIENT) is out
    assert at_pbx(out) == ("new", Leg("c@sip", CLIENT))


@pytest.mark.parametrize("wanted", ["", "a", "aaaaa", "+79990000000", "zzzzzz"])
def test_what_names_no_call_is_refused(wanted: str) -> None:
    with pytest.raises(DeskError, match="no call"):
        find(up(call("a")), wanted)


def test_a_client_with_two_calls_is_asked_after() -> None:
    with pytest.raises(DeskError, match="2 calls"):
        find(up(call("a"), call("b")), CLIENT)


def test_a_call_that_rings_cannot_be_transferred_yet() -> None:
    with pytest.raises(DeskError, match="not answered"):
        at_pbx(call("a", answered=False))


def test_what_the_pbx_is_to_dial() -> None:
    assert what_to_dial("203", "4711") == "203*4711"
    assert what_to_dial("203", "") == "203"
    for to, deal in (
        ("", "4711"),
        ("2 3", ""),
        ("203\r\nAction: x", ""),
        ("203", "47"),
        ("203*1", ""),
    ):
        with pytest.raises(DeskError):
            what_to_dial(to, deal)


def test_a_pbx_without_an_interface_or_with_one_that_we_do_not_speak_has_no_hook(
    tmp_path: Path,
) -> None:
    assert hook("old", Profile(), tmp_path) is None
    assert hook("old", Profile(transfer="esl", transfer_at="h:1"), tmp_path) is None
    with pytest.raises(HookError, match="no place"):
        hook("old", Profile(transfer="ami"), tmp_path)


def test_no_two_pbxs_share_a_file_of_a_secret(tmp_path: Path) -> None:
    names = ["old", "old second", "old_second", "../old", "x-6f6c64", ".", "Офис"]
    files = {secret_file(tmp_path, name) for name in names}
    assert len(files) == len(names)
    assert all(file.parent == tmp_path for file in files)


class _Pbx(BaseHTTPRequestHandler):
    seen: list[tuple[str, str, str]]
    answers: tuple[int, bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.seen.append((self.path, body, self.headers.get("Authorization", "")))
        status, text = self.answers
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def pbx() -> Iterator[type[_Pbx]]:
    class Pbx(_Pbx):
        seen: ClassVar[list[tuple[str, str, str]]] = []
        answers = (204, b"")

    server = HTTPServer(("127.0.0.1", 0), Pbx)
    Pbx.at = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Pbx
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.asyncio
async def test_a_rest_interface_is_posted_to_with_what_it_wants_to_know(pbx: type[_Pbx]) -> None:
    at = pbx.at + "/calls/{call_id}/to/{to}"  # type: ignore[attr-defined]
    place = Place(at, "", "s3cret", "", '{"from": "{client}", "to": "{to}"}')
    said = await Rest(place).transfer(Leg('a/b"@x', CLIENT), "203*4711")
    assert said.taken
    path, body, proof = pbx.seen[0]
    assert path == "/calls/a%2Fb%22%40x/to/203%2A4711"
    assert body == '{"from": "+79160000001", "to": "203*4711"}'
    assert proof == "Bearer s3cret"


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [302, 401, 404, 500])
async def test_its_no_is_told_in_its_words(pbx: type[_Pbx], status: int) -> None:
    pbx.answers = (status, b"no such\n call")
    place = Place(pbx.at + "/x", "me", "pw", "")  # type: ignore[attr-defined]
    said = await Rest(place).transfer(Leg("a", ""), "203")
    assert (said.taken, said.words) == (False, f"{status} no such call")
    assert len(pbx.seen) == 1


@pytest.mark.asyncio
async def test_one_that_is_not_there_is_an_error_without_the_secret() -> None:
    place = Place("http://127.0.0.1:9/x", "me", "s3cret", "")
    with pytest.raises(HookError, match=r"127.0.0.1:9") as error:
        await Rest(place).transfer(Leg("a", ""), "203")
    assert "s3cret" not in str(error.value)
