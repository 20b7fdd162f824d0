"""Far ends that speak SIP over TLS, made of bytes: SIPp of Debian cannot."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.endpoints.message import SipMessage, parse
from tests.sip import raw


def certificate(folder: Path, name: str, host: str) -> Path:
    """A certificate that signs itself; its key lies beside it."""
    made = folder / f"{name}.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "30", "-subj", f"/CN={host}", "-addext", f"subjectAltName=IP:{host}",
         "-keyout", str(made.with_suffix(".key")), "-out", str(made)],
        check=True, capture_output=True,
    )  # fmt: skip
    return made


class Line:
    """One TLS connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.source = "{}:{}".format(*writer.get_extra_info("sockname")[:2])

    @property
    def shown(self) -> bytes:
        """The certificate of the other side, DER."""
        found = self._writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert isinstance(found, bytes)
        return found

    def sends(self, data: bytes) -> None:
        self._writer.write(data)

    async def hears(self, within: float = 5.0) -> SipMessage:
        async with asyncio.timeout(within):
            head = await self._reader.readuntil(b"\r\n\r\n")
            message = parse(head, at=0.0, sent=False, transport="tls")
            body = await self._reader.readexactly(int(message.header("Content-Length") or 0))
        return parse(head + body, at=0.0, sent=False, transport="tls")

    async def hears_only(self, what: int | str) -> SipMessage:
        while True:
            heard = await self.hears()
            if what in (heard.status, "" if heard.status else heard.method):
                return heard

    def request(self, method: str, uri: str, sdp: str = "", **changes: str) -> bytes:
        via = f"SIP/2.0/TLS {self.source};rport;branch=z9hG4bK{id(changes)}{method}"
        contact = f"<sip:far@{self.source};transport=tls>"
        return raw.request(
            method, uri, self.source, sdp, **{"Via": via, "Contact": contact, **changes}
        )

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):  # who has gone already
            await self._writer.wait_closed()


def believing(version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    """A client that takes any certificate, and speaks this version only."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.minimum_version = made.maximum_version = version
    made.set_ciphers("ALL:@SECLEVEL=0")
    return made


@asynccontextmanager
async def connected(host: str, to: tuple[str, int], **how: ssl.TLSVersion) -> AsyncIterator[Line]:
    """A connection from this address."""
    reader, writer = await asyncio.open_connection(
        *to, local_addr=(host, 0), ssl=believing(**how), ssl_handshake_timeout=5
    )
    line = Line(reader, writer)
    try:
        yield line
    finally:
        await line.close()


@asynccontextmanager
async def listening(host: str, shows: Path) -> AsyncIterator[asyncio.Queue[Line]]:
    """A server on port 5061; each connection that is made comes out of the queue."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shows, shows.with_suffix(".key"))
    lines: asyncio.Queue[Line] = asyncio.Queue()
    every: list[Line] = []

    def made(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        every.append(Line(reader, writer))
        lines.put_nowait(every[-1])

    server = await asyncio.start_server(made, host, 5061, ssl=context)
    try:
        yield lines
    finally:
        server.close()
        for line in every:
            await line.close()
