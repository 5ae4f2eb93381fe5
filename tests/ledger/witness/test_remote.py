"""The client's half, against real witness processes."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from dataclasses import replace

import pytest
from django.db import connection

from kernel import clock
from ledger.models import CheckpointSignature
from ledger.sequencing.remote import RemoteWitness, RemoteWitnesses
from ledger.sequencing.signing import cosigners
from ledger.sequencing.witnesses import Diverged, Offer, Unreachable
from ledger.transparency.notes import COSIGNATURE_V1, VerifierKey
from tests.ledger.witness.conftest import LOG, Log, Running, Starting


def offer(log: Log) -> Offer:
    asked = log.asking(0)
    checkpoint = asked.checkpoint
    epoch = int(log.origin.rsplit("/", 1)[1])
    return Offer(epoch, log.origin, checkpoint.size, checkpoint.root, log._node, asked.note)


@pytest.fixture
def remote(witness: Running) -> RemoteWitness:
    return RemoteWitness(witness.url, witness.key())


def test_a_growing_tree_is_cosigned_and_a_restart_catches_up(
    remote: RemoteWitness, log: Log
) -> None:
    for size in (1, 5, 300):
        remote.compare(offer(log.grow(size)))
        line = remote.cosign(offer(log))
        assert log.note().with_lines([line]).verify(remote.key)
    seen = remote.newest(LOG)
    assert seen is not None
    assert seen.checkpoint.size == 300

    again = RemoteWitness(remote.url, remote.key)  # knows nothing of what was cosigned

    again.cosign(offer(log.grow(301)))
    assert again.cosign(offer(log)).name == remote.key.name  # the same once more


def test_a_witness_that_cosigned_cannot_have_seen_nothing(remote: RemoteWitness, log: Log) -> None:
    remote.compare(offer(log.grow(9)))
    with pytest.raises(Unreachable, match="says that it saw nothing"):
        remote.compare(replace(offer(log), cosigned_by=frozenset({remote.key.name})))
    remote.compare(replace(offer(log), cosigned_by=frozenset({"another.example/witness"})))


@pytest.mark.django_db
def test_the_database_says_who_cosigned_an_epoch() -> None:
    line = {"size": 1, "line": "—", "signed_at": clock.now()}
    CheckpointSignature.objects.create(epoch=1, signer="w.example", is_witness=True, **line)
    CheckpointSignature.objects.create(epoch=1, signer="log.example/1", is_witness=False, **line)
    CheckpointSignature.objects.create(epoch=2, signer="v.example", is_witness=True, **line)
    connection.ensure_connection()
    assert cosigners(connection.connection, 1) == {"w.example"}


def test_less_than_was_witnessed_is_found(remote: RemoteWitness, log: Log) -> None:
    remote.cosign(offer(log.grow(9)))
    older = log.copy(size=5)
    with pytest.raises(Diverged, match=r"has seen 9 entries of .*; the tree here has 5"):
        remote.compare(offer(older))
    with pytest.raises(Diverged, match="9 entries"):
        remote.cosign(offer(older))


def test_another_tree_than_was_witnessed_is_found(remote: RemoteWitness, log: Log) -> None:
    remote.cosign(offer(log.grow(9)))
    for size in (9, 12):
        other = log.copy(size=5).grow(size, "forged")
        with pytest.raises(Diverged, match="under another root"):
            remote.compare(offer(other))
        with pytest.raises(Diverged):
            RemoteWitness(remote.url, remote.key).cosign(offer(other))


def test_a_later_epoch_that_was_witnessed_is_found(remote: RemoteWitness, log: Log) -> None:
    remote.cosign(offer(log.grow(9)))
    second = Log(f"{LOG}/2", log.private).grow(3)
    remote.compare(offer(second))
    remote.cosign(offer(second))
    with pytest.raises(Diverged, match="the newest epoch here is 1"):
        remote.compare(offer(log))


def test_a_witness_is_believed_under_its_own_key_only(witness: Running, log: Log) -> None:
    stranger = RemoteWitness(witness.url, VerifierKey("w", COSIGNATURE_V1, bytes(range(32))))
    with pytest.raises(Unreachable, match="not its own"):
        stranger.cosign(offer(log.grow(3)))
    with pytest.raises(Unreachable, match="not its own"):
        stranger.compare(offer(log))


def test_a_witness_that_refuses_or_is_gone_is_unreachable(
    start_witness: Starting, log: Log
) -> None:
    witness = start_witness(UNSPRAWL_WITNESS_LOG_KEYS="")
    remote = RemoteWitness(witness.url, witness.key())
    remote.compare(offer(log.grow(3)))
    with pytest.raises(Unreachable, match="answers 404: this log is not known"):
        remote.cosign(offer(log))
    witness.stop()
    with pytest.raises(Unreachable, match="does not answer"):
        remote.compare(offer(log))


def test_one_of_several_is_enough_and_one_that_contradicts_outweighs_them(
    start_witness: Starting, log: Log
) -> None:
    witness = start_witness()
    remote = RemoteWitness(witness.url, witness.key())
    gone = RemoteWitness("http://127.0.0.1:1", remote.key)
    both = RemoteWitnesses((gone, remote))
    both.compare(offer(log.grow(5)))
    assert len(both.cosign(offer(log))) == 1
    with pytest.raises(Diverged):
        both.compare(offer(log.copy(size=3)))
    with pytest.raises(Unreachable):
        RemoteWitnesses((gone, gone)).cosign(offer(log))


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 409 Conflict\r\nContent-Length: 4\r\n\r\nmany",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\xff\xff",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"a" * 70_000,
        b"nonsense\r\n\r\n",
        b"",
    ],
)
def test_what_is_no_answer_of_a_witness_is_none(log: Log, said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.settimeout(60)
                connection.recv(65_536)
                connection.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        key = VerifierKey("w", COSIGNATURE_V1, bytes(range(32)))
        remote = RemoteWitness(f"http://127.0.0.1:{server.getsockname()[1]}", key, timeout=20)
        with pytest.raises(Unreachable):
            remote.cosign(offer(log.grow(3)))
        thread.join()
