"""The client towards vendors, against vendors that do what no vendor should."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from yarl import URL

from routing.gateway.connection import HEAD_BYTES, INTERIM_REPLIES, PIECE
from routing.gateway.errors import VendorCut, VendorUnreachable
from routing.gateway.ports import Outgoing
from routing.gateway.upstream import HttpUpstream

OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"content-length: 5\r\n\r\nhello"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nx-end: 1\r\n\r\n"


@dataclass
class RawVendor:
    """Answers every request on a connection with the next bytes of its list, and counts."""

    answers: list[bytes]
    piece: int = 0
    pause: float = 0.0
    hangs_up: bool = False
    waits_for_body: bool = True
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0
    scheme: str = "http"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                head = await reader.readuntil(b"\r\n\r\n")
                at = head.find(b"content-length: ")
                length = int(head[at + 16 :].split(b"\r\n")[0]) if at >= 0 else 0
                body = await reader.readexactly(length) if self.waits_for_body else b""
                self.heard.append(head + body)
                await self._say(writer, self.answers.pop(0))
                if self.hangs_up:
                    return
            if await reader.read() == b"":
                self.ended.set()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.ended.set()
        finally:
            writer.close()

    async def _say(self, writer: asyncio.StreamWriter, answer: bytes) -> None:
        size = self.piece or max(1, len(answer))
        for at in range(0, len(answer), size):
            writer.write(answer[at : at + size])
            await writer.drain()
            if self.piece:
                await asyncio.sleep(self.pause)

    def request(self, method: str = "POST", body: bytes = b"{}", **headers: str) -> Outgoing:
        return Outgoing(
            method, URL(f"{self.scheme}://127.0.0.1:{self.port}/v1/x?y=z"), headers, body
        )


@asynccontextmanager
async def running(
    vendor: RawVendor, tls: ssl.SSLContext | None = None, trust: ssl.SSLContext | None = None
) -> AsyncIterator[HttpUpstream]:
    server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0, ssl=tls, limit=2**20)
    vendor.port = server.sockets[0].getsockname()[1]
    vendor.scheme = "https" if tls is not None else "http"
    upstream = HttpUpstream(trust)
    try:
        yield upstream
    finally:
        await upstream.close()
        server.close()


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await test()

    uvloop.run(bounded())


async def ask(upstream: HttpUpstream, outgoing: Outgoing, limit: int = 2**26) -> tuple[int, bytes]:
    reply = await upstream.send(outgoing)
    return reply.status, await reply.read(limit)


async def outcome(answer: bytes, **over: Any) -> tuple[str, int]:
    """Return how one exchange ended, and how many connections a second one made it."""
    vendor = RawVendor([answer, WHOLE], **over)
    async with running(vendor) as upstream:
        try:
            said = repr(await ask(upstream, vendor.request()))
        except VendorCut as cut:
            said = "told" if "127.0.0.1" in str(cut) else "cut"
        await asyncio.sleep(0.01)
        assert await ask(upstream, vendor.request()) == (200, b"hello")
        return said, vendor.connections


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "100.100.100.200", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "0.0.0.0",
     "[fe80::1]", "224.0.0.1"],
)  # fmt: skip
def test_no_vendor_is_where_a_metadata_service_is(host: str):
    async def test() -> None:
        upstream = HttpUpstream()
        try:
            with pytest.raises(VendorUnreachable, match="no vendor answers there"):
                await upstream.send(Outgoing("GET", URL(f"http://{host}/latest"), {}, b""))
        finally:
            await upstream.close()

    run(test)


def test_a_request_is_written_as_decided_and_nothing_is_added():
    async def test() -> None:
        vendor = RawVendor([WHOLE, WHOLE])
        async with running(vendor) as upstream:
            await ask(upstream, vendor.request(authorization="Bearer k", accept="a/b"))
            await ask(upstream, vendor.request("GET", b""))
            assert vendor.heard == [
                b"POST /v1/x?y=z HTTP/1.1\r\nhost: 127.0.0.1:%d\r\nauthorization: Bearer k\r\n"
                b"accept: a/b\r\ncontent-length: 2\r\n\r\n{}" % vendor.port,
                b"GET /v1/x?y=z HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % vendor.port,
            ]
            assert vendor.connections == 1

    run(test)


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED])
def test_a_reply_is_the_same_however_its_bytes_are_split(answer):
    async def test() -> None:
        for size in (1, 2, 3, 7, len(answer) - 1):
            vendor = RawVendor([answer, answer], piece=size)
            async with running(vendor) as upstream:
                for _ in range(2):
                    assert await ask(upstream, vendor.request()) == (200, b"hello")
                assert vendor.connections == 1

    run(test)


@pytest.mark.parametrize("answer", [WHOLE, CHUNKED])
def test_a_reply_that_ends_early_is_cut_wherever_it_ends(answer):
    async def test() -> None:
        for end in range(len(answer)):
            vendor = RawVendor([answer[:end]], hangs_up=True)
            async with running(vendor) as upstream:
                with pytest.raises(VendorCut):
                    await ask(upstream, vendor.request())
                assert (vendor.connections, len(vendor.heard)) == (1, 1)

    run(test)


REFUSED = {
    "two framings": OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\nhello",
    "two framings the other way": OK + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n",
    "two lengths": OK + b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "a list of lengths": OK + b"content-length: 5, 5\r\n\r\nhello",
    "a negative length": OK + b"content-length: -5\r\n\r\nhello",
    "a signed length": OK + b"content-length: +5\r\n\r\nhello",
    "a length beyond numbers": OK + b"content-length: 99999999999999999999\r\n\r\nhello",
    "a negative chunk": OK + b"transfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a chunk beyond numbers": OK + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello",
    "a chunk longer than said": OK + b"transfer-encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n",
    "chunks with bare line feeds": OK + b"transfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "another coding": OK + b"transfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a coding like chunked": OK + b"transfer-encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunks before 1.1": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 200 OK\ncontent-length: 5\n\nhello",
    "one bare line feed": OK + b"content-length: 5\n\r\nhello",
    "a folded line": OK + b"a: b\r\n c\r\ncontent-length: 5\r\n\r\nhello",
    "a space before the colon": OK + b"content-length : 5\r\n\r\nhello",
    "NUL in a header": OK + b"a: \0\r\ncontent-length: 5\r\n\r\nhello",
    "no HTTP": b"hello",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "another version": b"HTTP/2.0 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    "no such status": b"HTTP/1.1 999 X\r\ncontent-length: 5\r\n\r\nhello",
    "a status of two digits": b"HTTP/1.1 20 X\r\ncontent-length: 5\r\n\r\nhello",
    "a status below all": b"HTTP/1.1 099 X\r\ncontent-length: 5\r\n\r\nhello",
    "an upgrade": b"HTTP/1.1 101 X\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello",
    "a header bomb": OK + b"a: " + b"b" * HEAD_BYTES + b"\r\ncontent-length: 5\r\n\r\nhello",
    "a head without end": OK + b"a: b\r\n" * 20_000,
    "too many headers": OK + b"a: b\r\n" * 300 + b"content-length: 5\r\n\r\nhello",
    "a status line without end": b"HTTP/1.1 200 " + b"x" * 2 * HEAD_BYTES,
    "trailers without end": OK + b"transfer-encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 40_000,
    "interim replies without end": b"HTTP/1.1 100 C\r\n\r\n" * (INTERIM_REPLIES + 1) + WHOLE,
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_reply_with_more_than_one_reading_is_refused_and_its_connection_ended(why):
    async def test() -> None:
        assert await outcome(REFUSED[why]) == ("cut", 2)

    run(test)


TAKEN = {
    "interim replies": (
        b"HTTP/1.1 100 C\r\n\r\n" * 3 + b"HTTP/1.1 103 E\r\nlink: x\r\n\r\n" + WHOLE,
        1,
    ),
    "an offer to upgrade": (
        OK + b"upgrade: h2c\r\nconnection: upgrade\r\ncontent-length: 5\r\n\r\nhello",
        1,
    ),
    "an empty line first": (b"\r\n" + WHOLE, 1),
    "HTTP/1.0 that keeps": (
        b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 5\r\n\r\nhello",
        1,
    ),
    "HTTP/1.0 that does not": (b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello", 2),
    "a last reply": (OK + b"connection: close\r\ncontent-length: 5\r\n\r\nhello", 2),
    "bytes after the end": (WHOLE + b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad", 2),
    "garbage after the end": (WHOLE + b"garbage", 2),
}


@pytest.mark.parametrize("why", TAKEN)
def test_a_connection_is_used_again_only_when_nothing_is_odd_about_it(why):
    answer, connections = TAKEN[why]

    async def test() -> None:
        assert await outcome(answer) == ("(200, b'hello')", connections)

    run(test)


@pytest.mark.parametrize("status", [204, 304])
def test_some_statuses_have_no_body_whatever_they_say(status):
    async def test() -> None:
        answer = b"HTTP/1.1 %d X\r\n\r\n" % status
        assert await outcome(answer) == (f"({status}, b'')", 1)

    run(test)


def test_a_body_that_ends_with_the_connection_is_whole():
    async def test() -> None:
        vendor = RawVendor([OK + b"\r\nhello"], hangs_up=True)
        async with running(vendor) as upstream:
            assert await ask(upstream, vendor.request()) == (200, b"hello")

    run(test)


def test_bytes_on_a_kept_connection_that_nobody_asked_for_spoil_it():
    async def test() -> None:
        vendor = RawVendor([WHOLE, WHOLE])
        writers: list[asyncio.StreamWriter] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            await RawVendor.serve(vendor, reader, writer)

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        vendor.port = server.sockets[0].getsockname()[1]
        upstream = HttpUpstream()
        assert await ask(upstream, vendor.request()) == (200, b"hello")
        writers[0].write(b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nbad")
        await asyncio.sleep(0.05)
        assert await ask(upstream, vendor.request()) == (200, b"hello")
        assert len(writers) == 2
        await upstream.close()
        server.close()

    run(test)


def test_a_kept_connection_that_the_vendor_has_closed_is_not_used():
    async def test() -> None:
        vendor = RawVendor([WHOLE] * 3, hangs_up=True)
        async with running(vendor) as upstream:
            for _ in range(3):
                assert await ask(upstream, vendor.request()) == (200, b"hello")
            assert (vendor.connections, len(vendor.heard)) == (3, 3)

    run(test)


@dataclass
class FickleVendor:
    """Reads the second request on a connection and leaves without a word."""

    requests: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for served in range(2):
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                if served == 0:
                    writer.write(WHOLE)
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


@pytest.mark.parametrize(("method", "requests"), [("GET", 3), ("POST", 2), ("DELETE", 2)])
def test_only_a_request_that_reads_is_sent_again_after_it_was_sent(method, requests):
    async def test() -> None:
        vendor = FickleVendor()
        server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        upstream = HttpUpstream()
        request = Outgoing(method, URL(f"http://127.0.0.1:{port}/"), {})
        assert await ask(upstream, request) == (200, b"hello")
        if method == "GET":
            assert await ask(upstream, request) == (200, b"hello")
        else:
            with pytest.raises(VendorCut):
                await ask(upstream, request)
        assert vendor.requests == requests
        await upstream.close()
        server.close()

    run(test)


def test_a_large_body_is_written_in_pieces_and_arrives_whole():
    async def test() -> None:
        body = bytes(range(256)) * (PIECE // 64)
        vendor = RawVendor([WHOLE, WHOLE])
        async with running(vendor) as upstream:
            for _ in range(2):
                assert await ask(upstream, vendor.request(body=body)) == (200, b"hello")
            assert [heard.endswith(body) for heard in vendor.heard] == [True, True]
            assert vendor.connections == 1

    run(test)


def test_a_reply_before_the_request_was_sent_whole_is_taken_and_ends_the_connection():
    async def test() -> None:
        vendor = RawVendor([WHOLE, WHOLE], waits_for_body=False, hangs_up=False)
        async with running(vendor) as upstream:
            refused = b"HTTP/1.1 413 X\r\ncontent-length: 2\r\n\r\nno"
            vendor.answers = [refused]
            got = await ask(upstream, vendor.request(body=bytes(64 * PIECE)))
            assert got == (413, b"no")
            vendor.answers = [WHOLE]
            assert await ask(upstream, vendor.request("GET", b"")) == (200, b"hello")
            assert vendor.connections == 2

    run(test)


def test_a_reader_that_is_slow_holds_the_vendor_up_and_loses_nothing():
    async def test() -> None:
        body = bytes(range(256)) * 32768
        head = OK + b"content-length: %d\r\n\r\n" % len(body)
        vendor = RawVendor([head + body, WHOLE])
        async with running(vendor) as upstream:
            reply = await upstream.send(vendor.request())
            await asyncio.sleep(0.1)
            got, largest = bytearray(), 0
            async for piece in reply.pieces():
                got += piece
                largest = max(largest, len(piece))
                await asyncio.sleep(0)
            assert bytes(got) == body
            assert largest < 2 * 2**20
            assert await ask(upstream, vendor.request()) == (200, b"hello")
            assert vendor.connections == 1

    run(test)


def test_an_answer_over_the_limit_is_cut():
    async def test() -> None:
        vendor = RawVendor([WHOLE])
        async with running(vendor) as upstream:
            with pytest.raises(VendorCut, match="more than 4 bytes"):
                await ask(upstream, vendor.request(), limit=4)

    run(test)


@pytest.mark.parametrize("answer", [b"", OK + b"content-length: 9\r\n\r\nhello"])
def test_a_caller_that_leaves_ends_the_connection_at_once(answer):
    async def test() -> None:
        vendor = RawVendor([answer, WHOLE])
        async with running(vendor) as upstream:
            task = asyncio.create_task(ask(upstream, vendor.request()))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            if answer:
                await upstream.close()  # an exchange closes its reply; here nobody does
            async with asyncio.timeout(30):
                await vendor.ended.wait()

    run(test)


def test_a_stream_of_drops_arrives():
    async def test() -> None:
        vendor = RawVendor([CHUNKED], piece=1, pause=0.002)
        async with running(vendor) as upstream:
            reply = await upstream.send(vendor.request())
            assert b"".join([piece async for piece in reply.pieces()]) == b"hello"

    run(test)


@pytest.mark.parametrize("value", ["a\r\nx: y", "a\nb", "a\rb", "a\0b"])
def test_a_header_cannot_bring_another(value):
    async def test() -> None:
        vendor = RawVendor([WHOLE])
        async with running(vendor) as upstream:
            with pytest.raises(VendorCut):
                await ask(upstream, vendor.request(authorization=value))
            assert vendor.heard == []

    run(test)


def test_nobody_there_and_no_such_name_are_unreachable_and_no_address_is_told():
    async def test() -> None:
        upstream = HttpUpstream()
        for address in ("http://127.0.0.1:9/", "http://nobody.invalid/", "http://a..b/"):
            with pytest.raises(VendorUnreachable) as raised:
                await ask(upstream, Outgoing("GET", URL(address), {}))
            assert not any(word in str(raised.value) for word in ("127.0", "nobody", "a..b"))
        await upstream.close()

    run(test)


def certificate(folder: Path, *, name: str = "127.0.0.1", days: int = 1) -> tuple[Path, Path]:
    """Make a certificate of its own authority, for a name and until some days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    held: x509.GeneralName = (
        x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([held]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return chain, private


def tls_pair(folder: Path, **over: Any) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    chain, private = certificate(folder, **over)
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(chain, private)
    trusting = ssl.create_default_context(cafile=str(chain))
    return serving, trusting


def test_a_vendor_over_tls_is_verified_and_its_connection_kept(tmp_path):
    async def test() -> None:
        serving, trusting = tls_pair(tmp_path)
        vendor = RawVendor([WHOLE, CHUNKED, WHOLE])
        async with running(vendor, serving, trusting) as upstream:
            body = bytes(3 * PIECE)
            assert await ask(upstream, vendor.request()) == (200, b"hello")
            assert await ask(upstream, vendor.request(body=body)) == (200, b"hello")
            assert await ask(upstream, vendor.request()) == (200, b"hello")
            assert vendor.heard[1].endswith(body)

    run(test)


@pytest.mark.parametrize("over", [{"name": "other.test"}, {"days": -1}])
def test_a_certificate_for_another_or_of_the_past_is_not_trusted(tmp_path, over):
    async def test() -> None:
        serving, trusting = tls_pair(tmp_path, **over)
        vendor = RawVendor([WHOLE])
        async with running(vendor, serving, trusting) as upstream:
            with pytest.raises(VendorUnreachable, match="certificate is not trusted"):
                await ask(upstream, vendor.request())
            assert vendor.heard == []

    run(test)


def test_an_unknown_authority_is_not_trusted_by_default(tmp_path):
    async def test() -> None:
        serving, _ = tls_pair(tmp_path)
        vendor = RawVendor([WHOLE])
        async with running(vendor, serving) as upstream:
            with pytest.raises(VendorUnreachable, match="certificate is not trusted"):
                await ask(upstream, vendor.request())

    run(test)


def test_a_vendor_that_speaks_no_tls_is_unreachable():
    async def test() -> None:
        vendor = RawVendor([WHOLE])
        async with running(vendor) as upstream:
            vendor.scheme = "https"
            server_says: Awaitable[Any] = ask(upstream, vendor.request())
            vendor.answers = []
            with pytest.raises(VendorUnreachable):
                await server_says

    run(test)
