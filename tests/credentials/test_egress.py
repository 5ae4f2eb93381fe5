"""Judged by what arrives at real listeners, never by what the client says it did."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from credentials import egress
from credentials.addresses import AddressFault
from credentials.egress import Answer, FetchFault, GuardedClient, SocketAddress
from credentials.errors import AddressRefused, FetchFailed
from kernel import clock
from tests.credentials.hostile_urls import HOSTILE
from tests.effects.sinks import http_sink

Talk = Callable[[socket.socket, bytes], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Seen: yes\r\n\r\nok"


class Listener:
    """A peer on loopback that counts who comes, keeps what they say and answers as told."""

    def __init__(self, talk: Talk, host: str = "127.0.0.1", port: int = 0) -> None:
        self.accepted = 0
        self.heard = b""
        self._talk = talk
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._server = socket.create_server((host, port), family=family)
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._server.accept()
            except OSError:
                return
            self.accepted += 1
            with peer:
                try:
                    self._talk(peer, self._head(peer))
                except OSError:
                    continue

    def _head(self, peer: socket.socket) -> bytes:
        peer.settimeout(60)
        heard = b""
        while b"\r\n\r\n" not in heard and (piece := peer.recv(65536)):
            heard += piece
        self.heard += heard
        return heard

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(60)


@pytest.fixture
def listening() -> Iterator[Callable[..., Listener]]:
    made: list[Listener] = []

    def listen(talk: Talk, **where: Any) -> Listener:
        made.append(Listener(talk, **where))
        return made[-1]

    yield listen
    for listener in made:
        listener.close()


def say(*pieces: bytes, pause: float = 0.0) -> Talk:
    def talk(peer: socket.socket, _: bytes) -> None:
        for piece in pieces:
            peer.sendall(piece)
            time.sleep(pause)

    return talk


def hang(peer: socket.socket, _: bytes) -> None:
    peer.recv(1)


def resolving(*hosts: str) -> Callable[[str, int], list[SocketAddress]]:
    def resolve(_: str, port: int) -> list[SocketAddress]:
        return [
            (socket.AF_INET6 if ":" in host else socket.AF_INET, (host, port)) for host in hosts
        ]

    return resolve


def inside(seconds: float = 30.0, **options: Any) -> GuardedClient:
    return GuardedClient(allow_private=True, seconds=seconds, **options)


def fault_of(client: GuardedClient, url: str) -> str:
    with pytest.raises(FetchFailed) as failed:
        client.get(url)
    return str(failed.value.facts["reason"])


# --- where it connects


def test_no_hostile_address_is_connected_to(listening: Callable[..., Listener]) -> None:
    four = listening(say(OK))
    six = listening(say(OK), host="::1", port=four.port)
    client = GuardedClient(
        ports=frozenset({four.port, 80}), resolve=resolving("127.0.0.1", "::1"), seconds=2
    )
    assert len(HOSTILE) >= 230
    said = set()
    for url in HOSTILE:
        with pytest.raises(AddressRefused) as refused:
            client.get(url.replace("{port}", str(four.port)))
        said.add(refused.value.detail)
    assert len(said) <= len(AddressFault)  # fixed words, nothing of the address
    assert (four.accepted, six.accepted) == (0, 0)


def test_a_name_with_one_address_inside_is_refused_as_a_whole(
    listening: Callable[..., Listener],
) -> None:
    listener = listening(say(OK))
    for hosts in (("93.184.216.34", "127.0.0.1"), ("::ffff:127.0.0.1",), ("fe80::1%lo",)):
        client = GuardedClient(ports=frozenset({listener.port}), resolve=resolving(*hosts))
        with pytest.raises(AddressRefused) as refused:
            client.get(f"https://example.com:{listener.port}/")
        assert refused.value.facts == {"reason": "network"}
    assert listener.accepted == 0


def test_a_name_is_resolved_once_and_that_answer_is_used(
    listening: Callable[..., Listener],
) -> None:
    vetted = listening(say(OK), host="127.0.0.2")
    rebound = listening(say(OK), host="127.0.0.3", port=vetted.port)
    answers = iter(["127.0.0.2", "127.0.0.3", "127.0.0.3"])
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[SocketAddress]:
        asked.append(host)
        return [(socket.AF_INET, (next(answers), port))]

    client = inside(resolve=resolve)
    assert client.get(f"http://flip.example:{vetted.port}/x?y").body == b"ok"
    assert asked == ["flip.example"]
    assert (vetted.accepted, rebound.accepted) == (1, 0)
    assert vetted.heard.startswith(b"GET /x?y HTTP/1.1\r\n")
    assert f"Host: flip.example:{vetted.port}\r\n".encode() in vetted.heard


def test_the_next_vetted_address_is_tried(listening: Callable[..., Listener]) -> None:
    listener = listening(say(OK), host="127.0.0.2")
    client = inside(resolve=resolving("127.0.0.9", "127.0.0.2"))
    assert client.get(f"http://two.example:{listener.port}/").status == 200


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(listening: Callable[..., Listener], status: int) -> None:
    elsewhere = listening(say(OK))
    location = f"Location: http://127.0.0.1:{elsewhere.port}/\r\n".encode()
    listener = listening(say(f"HTTP/1.1 {status} X\r\n".encode(), location, b"\r\n"))
    answer = inside().get(f"http://127.0.0.1:{listener.port}/", headers={"Authorization": "x"})
    assert (answer.status, answer.is_ok) == (status, False)
    assert (listener.accepted, elsewhere.accepted) == (1, 0)


def test_no_proxy_and_no_netrc_of_the_environment_is_used(
    listening: Callable[..., Listener], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy, listener = listening(say(OK)), listening(say(OK))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password canary\n")
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    inside().get(f"http://127.0.0.1:{listener.port}/")
    assert (proxy.accepted, listener.accepted) == (0, 1)
    assert b"authorization" not in listener.heard.lower()


def test_a_public_client_refuses_ports_it_was_not_given() -> None:
    with pytest.raises(AddressRefused) as refused:
        GuardedClient().check("https://example.com:8443/")
    assert refused.value.facts == {"reason": "port"}
    assert GuardedClient(ports=frozenset({8443})).check("https://example.com:8443/").port == 8443


def test_metadata_is_refused_even_to_an_administrator() -> None:
    for url in ("http://169.254.169.254/latest/", "http://[fd00:ec2::254]/", "http://0.0.0.0/"):
        with pytest.raises(AddressRefused):
            inside().get(url)


# --- what it sends


def test_a_request_is_framed_by_the_client_alone(listening: Callable[..., Listener]) -> None:
    listener = listening(say(OK))
    headers = {"X-Mine": "1", "Host": "evil", "Content-Length": "999", "Transfer-Encoding": "x"}
    answer = inside().post(f"http://127.0.0.1:{listener.port}/hook", b"{}", headers=headers)
    assert answer == Answer(200, answer.headers, b"ok", answer.seconds)
    assert answer.headers["x-seen"] == "yes"
    assert listener.heard.startswith(b"POST /hook HTTP/1.1\r\n")
    assert b"X-Mine: 1" in listener.heard
    assert b"Content-Length: 2\r\n" in listener.heard
    assert b"evil" not in listener.heard
    assert b"999" not in listener.heard


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "\u20ac"])
def test_a_header_cannot_smuggle_another(listening: Callable[..., Listener], value: str) -> None:
    listener = listening(say(OK))
    with pytest.raises(FetchFailed):
        inside().get(f"http://127.0.0.1:{listener.port}/", headers={"X-Mine": value})
    assert b"X-Evil" not in listener.heard


def test_an_answer_is_read_as_strict_json(listening: Callable[..., Listener]) -> None:
    listener = listening(say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b'{"a": [1]}'[:9]))
    with pytest.raises(Exception, match="not JSON"):
        inside().get(f"http://127.0.0.1:{listener.port}/").json()


# --- what it takes


def test_a_body_beyond_the_cap_is_cut(listening: Callable[..., Listener]) -> None:
    def flood(peer: socket.socket, _: bytes) -> None:
        peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            peer.sendall(bytes(65536))

    url = f"http://127.0.0.1:{listening(flood).port}/"
    assert fault_of(inside(), url) == FetchFault.TOO_LARGE


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_is_not_unpacked(listening: Callable[..., Listener], encoding: str) -> None:
    compress: Callable[[bytes], bytes] = gzip.compress if encoding == "gzip" else zlib.compress
    packed = compress(bytes(30_000_000))
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n"
    )
    url = f"http://127.0.0.1:{listening(say(head.encode(), packed)).port}/"
    assert fault_of(inside(), url) == FetchFault.TOO_LARGE


def test_a_packed_answer_is_unpacked_within_the_cap(listening: Callable[..., Listener]) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    url = f"http://127.0.0.1:{listening(say(head, gzip.compress(b'hello'))).port}/"
    assert inside().get(url).body == b"hello"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx", FetchFault.ENCODING),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\n\r\nx", FetchFault.ENCODING),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nnot gzip", FetchFault.BROKEN),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
            + gzip.compress(b"hello", mtime=0)[:-9],
            FetchFault.BROKEN,
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", FetchFault.BROKEN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", FetchFault.BROKEN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", FetchFault.BROKEN),
        (b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 200 + b"\r\n", FetchFault.BROKEN),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", FetchFault.BROKEN),
        (b"just text, as HTTP/0.9 had it", FetchFault.BROKEN),
        (b"HTTP/1.1 999999 X\r\n\r\n", FetchFault.BROKEN),
        (b"SSH-2.0-x\r\n", FetchFault.BROKEN),
        (b"", FetchFault.BROKEN),
    ],
)
def test_what_is_no_good_answer_has_one_of_a_few_names(
    listening: Callable[..., Listener], answer: bytes, fault: FetchFault
) -> None:
    assert fault_of(inside(), f"http://127.0.0.1:{listening(say(answer)).port}/") == fault


def trickle(peer: socket.socket, _: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.sendall(b"x")
        time.sleep(0.05)


def endless_headers(peer: socket.socket, _: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        peer.sendall(b"y")
        time.sleep(0.05)


def storm(peer: socket.socket, _: bytes) -> None:
    while True:
        peer.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 20)
        time.sleep(0.01)


def headers_then_silence(peer: socket.socket, _: bytes) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\n\r\nbegun")
    hang(peer, b"")


@pytest.mark.parametrize("talk", [hang, trickle, endless_headers, storm, headers_then_silence])
def test_the_whole_request_has_one_deadline(listening: Callable[..., Listener], talk: Talk) -> None:
    url = f"http://127.0.0.1:{listening(talk).port}/"
    started = time.monotonic()
    assert fault_of(inside(seconds=0.4), url) == FetchFault.TIMED_OUT
    assert time.monotonic() - started < 20


def test_a_hanging_tls_handshake_meets_the_deadline(listening: Callable[..., Listener]) -> None:
    listener = listening(hang)
    url = f"https://127.0.0.1:{listener.port}/"
    assert fault_of(inside(seconds=0.4), url) == FetchFault.TIMED_OUT


def test_a_slow_name_server_meets_the_deadline_and_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(egress, "_LOOKUPS", threading.BoundedSemaphore(1))
    over = threading.Event()

    def slow(_: str, __: int) -> list[SocketAddress]:
        over.wait(60)
        return []

    assert fault_of(inside(seconds=0.1, resolve=slow), "http://a.example/") == FetchFault.TIMED_OUT
    assert fault_of(inside(seconds=0.1, resolve=slow), "http://a.example/") == FetchFault.BUSY
    over.set()


def test_a_name_without_an_address_is_said() -> None:
    assert fault_of(inside(), "http://no-such-name.invalid/") == FetchFault.UNRESOLVED


def test_a_closed_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert fault_of(inside(), f"http://127.0.0.1:{port}/") == FetchFault.UNREACHABLE


def test_a_name_is_looked_up_as_the_system_does(listening: Callable[..., Listener]) -> None:
    listener = listening(say(OK))
    client = inside()
    url = f"http://localhost:{listener.port}/"
    assert client.get(url).body == b"ok"
    assert "127.0.0.1" in {address[0] for _, address in client.vet(client.check(url))}


def test_a_full_backlog_meets_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        assert fault_of(inside(seconds=0.3), f"http://127.0.0.1:{port}/") == FetchFault.TIMED_OUT
        for filler in fillers:
            filler.close()


# --- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vendor.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("vendor.example")]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


class SecureListener(Listener):
    def __init__(self, certificate: Path) -> None:
        self.names: list[str | None] = []
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._context.sni_callback = lambda _, name, __: self.names.append(name)
        super().__init__(say(OK))

    def _head(self, peer: socket.socket) -> bytes:
        secured = self._context.wrap_socket(peer, server_side=True)
        head = super()._head(secured)
        secured.sendall(OK)
        secured.close()
        return head


@pytest.fixture
def secure(certificate: Path) -> Iterator[SecureListener]:
    listener = SecureListener(certificate)
    yield listener
    listener.close()


def test_the_name_stays_in_tls_and_in_the_host_header(
    secure: SecureListener, certificate: Path
) -> None:
    client = inside(resolve=resolving("127.0.0.1"), ca_file=str(certificate))
    assert client.get(f"https://vendor.example:{secure.port}/").body == b"ok"
    assert secure.names == ["vendor.example"]
    assert f"Host: vendor.example:{secure.port}\r\n".encode() in secure.heard


def test_a_certificate_for_another_name_is_refused(
    secure: SecureListener, certificate: Path
) -> None:
    client = inside(resolve=resolving("127.0.0.1"), ca_file=str(certificate))
    assert fault_of(client, f"https://other.example:{secure.port}/") == FetchFault.TLS
    assert b"GET" not in secure.heard


def test_an_unknown_issuer_is_refused(secure: SecureListener) -> None:
    client = inside(resolve=resolving("127.0.0.1"))
    assert fault_of(client, f"https://vendor.example:{secure.port}/") == FetchFault.TLS
    assert b"GET" not in secure.heard


def test_a_failure_says_whether_a_byte_of_the_request_may_have_left() -> None:
    with http_sink() as sink:
        client = GuardedClient(allow_private=True, seconds=2.0)
        sink.breaks = "after"
        with pytest.raises(FetchFailed) as failed:
            client.post(f"{sink.url}/x", b"{}")
        assert (failed.value.began, failed.value.answered) == (True, None)
        sink.breaks, sink.answer = "", lambda asked: (201, b"x" * 100_000)
        with pytest.raises(FetchFailed) as failed:
            client.post(f"{sink.url}/x", b"{}")
        assert (failed.value.began, failed.value.answered) == (True, 201)
    with pytest.raises(FetchFailed) as failed:
        client.post(f"{sink.url}/x", b"{}")
    assert (failed.value.began, failed.value.answered) == (False, None)
    unknown = GuardedClient(allow_private=True, resolve=lambda host, port: [])
    with pytest.raises(FetchFailed) as failed:
        unknown.post("http://nowhere.test/x", b"{}")
    assert not failed.value.began
