"""A real witness process, asked over HTTP by logs that are honest or not."""

from __future__ import annotations

import shutil
import signal
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.transparency import notes
from ledger.transparency.notes import SignatureLine, SignedNote, VerifierKey
from ledger.witness.http import MAX_BODY_BYTES
from tests.ledger.witness.conftest import LOG, Log, Running, Starting, no_more_than, public_of


def cosignature_holds(witness: Running, log: Log, body: str) -> int:
    note = log.note().with_lines([SignatureLine.parse(body.removesuffix("\n"))])
    at = note.verify(witness.key())
    assert at is not None
    return at


def test_a_growing_tree_is_cosigned_with_the_time(witness: Running, log: Log) -> None:
    sizes = [1, 2, 7, 8, 256, 300]
    for old, size in zip([0, *sizes], sizes, strict=False):
        status, body = witness.add(log.grow(size), old)
        assert status == 200, body
        assert abs(cosignature_holds(witness, log, body) - time.time()) < 30


def test_what_was_seen_can_be_read_and_carries_the_witness(witness: Running, log: Log) -> None:
    assert witness.ask(f"/checkpoint?origin={log.origin}")[0] == 404
    witness.add(log.grow(5), 0)

    status, _, body = witness.ask(f"/checkpoint?origin={log.origin}")

    assert status == 200
    assert witness.ask(f"/checkpoint?log={LOG}")[2] == body
    note = SignedNote.parse(body.encode())
    assert note.text == log.note().text
    assert note.verify(witness.key())


def test_the_same_checkpoint_again_is_cosigned_again(witness: Running, log: Log) -> None:
    witness.add(log.grow(5), 0)

    status, body = witness.add(log, 5)

    assert status == 200
    assert cosignature_holds(witness, log, body)


@pytest.mark.parametrize("old", [0, 3, 6])
def test_another_old_size_is_told_the_known_one(witness: Running, log: Log, old: int) -> None:
    witness.add(log.grow(5), 0)

    answer = witness.ask("/add-checkpoint", bytes(log.grow(9).asking(old)))

    assert answer == (409, "text/x.tlog.size", "5\n")


def test_a_smaller_tree_is_refused(witness: Running, log: Log) -> None:
    witness.add(log.grow(9), 0)

    for old in (0, 5, 7):
        status, body = witness.add(log.copy(size=7), old)
        assert (status, body) == (409, "9\n")


def test_a_second_root_for_one_size_is_refused_and_kept_as_proof(
    witness: Running, log: Log
) -> None:
    witness.add(log.grow(9), 0)
    other = log.copy(size=5).grow(9, "forged")

    for old in (0, 5, 9):
        assert witness.add(other, old) == (409, "9\n")

    kept = witness.ask(f"/forks?origin={log.origin}")[2]
    assert kept == bytes(other.note()).decode()


def test_a_fork_that_goes_on_proves_nothing(witness: Running, log: Log) -> None:
    witness.add(log.grow(9), 0)
    other = log.copy(size=5).grow(12, "forged")

    assert witness.add(other, 9)[0] == 422
    assert witness.add(log.grow(12), 9)[0] == 200


def test_an_unknown_log_and_an_unknown_key_are_told_apart(witness: Running, log: Log) -> None:
    thief = Ed25519PrivateKey.from_private_bytes(b"t" * 32)
    stolen = Log(log.origin, thief).grow(3)
    assert witness.add(stolen, 0)[0] == 403
    witness.add(log.grow(3), 0)
    assert witness.add(Log(log.origin, thief).grow(4), 3)[0] == 403
    unsigned = log.asking(3)
    renamed = SignedNote(
        unsigned.note.text, (notes.sign(unsigned.note.text, "another.example", log.private),)
    )
    body = bytes(unsigned).replace(bytes(unsigned.note), bytes(renamed))
    assert witness.ask("/add-checkpoint", body)[0] == 403


def test_a_key_begins_one_log_and_the_operator_another(start_witness: Starting, log: Log) -> None:
    witness = start_witness()
    witness.add(log.grow(3), 0)
    anew = Log("ledger.example/ledger/log_two/1").grow(3)

    assert witness.add(anew, 0)[0] == 404

    start_witness.command("trust", "ledger.example/ledger/log_two", public_of(log.private))
    assert witness.add(anew, 0)[0] == 200


def test_a_witness_that_was_told_no_key_knows_no_log(start_witness: Starting, log: Log) -> None:
    witness = start_witness(UNSPRAWL_WITNESS_LOG_KEYS="")

    assert witness.add(log.grow(3), 0)[0] == 404


def test_a_further_epoch_needs_the_same_key_and_ends_the_one_before(
    witness: Running, log: Log
) -> None:
    witness.add(log.grow(9), 0)
    second = Log(f"{LOG}/2", log.private).grow(4, "second")

    assert witness.add(second, 0)[0] == 200
    assert witness.add(log.grow(10), 9)[0] == 404
    assert second.origin in witness.ask(f"/checkpoint?log={LOG}")[2]
    assert log.origin in witness.ask(f"/checkpoint?origin={log.origin}")[2]


def test_a_further_epoch_under_another_key_needs_the_operator(
    start_witness: Starting, log: Log
) -> None:
    witness = start_witness()
    witness.add(log.grow(9), 0)
    new = Ed25519PrivateKey.from_private_bytes(b"n" * 32)
    second = Log(f"{LOG}/2", new).grow(4, "second")
    assert witness.add(second, 0)[0] == 403
    # Nor does it help to be told of it as of a log that is new.
    witness.stop()
    witness = start_witness(UNSPRAWL_WITNESS_LOG_KEYS=f"{public_of(new)} {public_of(log.private)}")
    assert witness.add(second, 0)[0] == 403

    done = start_witness.command("trust", LOG, public_of(new))

    assert done.returncode == 0, done.stderr
    assert witness.add(log.grow(10), 9)[0] == 200  # this epoch keeps the key it began with
    assert witness.add(Log(f"{LOG}/2", log.private).grow(4), 0)[0] == 403
    assert witness.add(second, 0)[0] == 200
    assert witness.add(log.grow(11), 10)[0] == 404


def test_a_command_that_is_none_says_how_it_is_asked(start_witness: Starting) -> None:
    assert start_witness.command("trust").returncode == 2
    done = start_witness.command("trust", LOG, "bm9uZQ==")
    assert done.returncode == 1
    assert "32 bytes in base64" in done.stderr


def test_what_was_cosigned_survives_a_restart(start_witness: Starting, log: Log) -> None:
    witness = start_witness()
    witness.add(log.grow(9), 0)
    key = witness.key()
    assert witness.stop() == 0

    again = start_witness()

    assert again.key() == key
    assert again.add(log.copy(size=5).grow(9, "forged"), 9) == (409, "9\n")
    assert again.add(log.grow(10), 9)[0] == 200


def test_of_two_requests_that_race_one_wins(witness: Running, log: Log) -> None:
    witness.add(log.grow(5), 0)
    bodies = [bytes(log.copy().grow(8, f"story {number}").asking(5)) for number in range(24)]

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda body: witness.ask("/add-checkpoint", body)[0], bodies))

    assert sorted(answers) == [200] + [409] * 23


def test_two_witness_processes_on_one_store_tell_one_story(
    start_witness: Starting, log: Log
) -> None:
    both = [start_witness(), start_witness()]
    both[0].add(log.grow(5), 0)
    asked = [(both[n % 2], bytes(log.copy().grow(8, f"{n}").asking(5))) for n in range(12)]

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda pair: pair[0].ask("/add-checkpoint", pair[1])[0], asked))

    assert sorted(answers) == [200] + [409] * 11


@pytest.mark.parametrize(
    ("place", "known"), [("before-persist", 5), ("after-persist", 8)]
)  # fmt: skip
def test_killed_around_its_commit_it_goes_on_with_what_is_on_disk(
    start_witness: Starting, log: Log, place: str, known: int
) -> None:
    first = start_witness()
    first.add(log.grow(5), 0)
    first.stop()
    dying = start_witness(UNSPRAWL_CRASH_AT=place)
    with pytest.raises(OSError, match=r"closed|reset"):
        dying.add(log.grow(8), 5)
    assert dying.process.wait(60) == -signal.SIGKILL

    again = start_witness()

    assert again.add(log.copy(size=5).grow(8, "forged"), known)[0] in {200, 409} - (
        {200} if known == 8 else {409}
    )
    if known == 8:  # what was not answered is asked again, and answered
        assert again.add(log, 5) == (409, "8\n")
        assert again.add(log, 8)[0] == 200


def kill_after(witness: Running, seconds: float) -> None:
    time.sleep(seconds)
    witness.stop(signal.SIGKILL)


def test_killed_at_any_moment_it_never_cosigns_two_stories(
    start_witness: Starting, log: Log
) -> None:
    size = 0
    for round_number in range(5):
        witness = start_witness()
        answered = size
        with ThreadPoolExecutor(1) as pool:
            killing = pool.submit(kill_after, witness, 0.03 * (round_number + 1))
            while witness.process.poll() is None:
                try:
                    status, body = witness.add(log.grow(len(log.leaves) + 1), answered)
                except (OSError, HTTPException):
                    break
                assert status in {200, 409}, body
                answered = len(log.leaves) if status == 200 else int(body)
            killing.result()
        again = start_witness()
        told = again.ask(f"/checkpoint?origin={log.origin}")[2]
        if not answered and told.startswith("nothing was seen"):
            again.stop()
            continue  # it was killed before it took anything
        note = SignedNote.parse(told.encode())
        size = int(note.text.split("\n")[1])
        assert size >= answered
        assert log.copy(size=size).note().text == note.text
        again.stop()


def test_a_witness_that_cannot_write_does_not_cosign(start_witness: Starting, log: Log) -> None:
    first = start_witness()
    first.add(log.grow(5), 0)
    first.stop()
    full = start_witness(before=no_more_than(64))

    status, _, body = full.ask("/add-checkpoint", bytes(log.grow(8).asking(5)))

    assert status == 503
    assert "does not cosign" in body
    full.stop()
    again = start_witness()
    assert again.add(log, 0) == (409, "5\n")


def test_a_witness_restored_from_an_older_copy_knows_no_better(
    start_witness: Starting, log: Log, tmp_path: Path
) -> None:
    """What it forgot it cannot refuse: that is why it is never restored (docs/guides)."""
    witness = start_witness()
    witness.add(log.grow(5), 0)
    witness.stop()
    shutil.copytree(start_witness.directory, tmp_path / "older")
    witness = start_witness()
    witness.add(log.grow(9), 5)
    witness.stop()
    shutil.rmtree(start_witness.directory)
    shutil.copytree(tmp_path / "older", start_witness.directory)

    again = start_witness()

    # Whoever holds its cosignature over 9 sees that it says less now, in its own words.
    assert "\n5\n" in again.ask(f"/checkpoint?origin={log.origin}")[2]
    assert again.add(log.copy(size=5).grow(9, "forged"), 5)[0] == 200


def test_its_files_are_its_own(witness: Running, start_witness: Starting) -> None:
    directory = start_witness.directory
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE((directory / "witness.key").stat().st_mode) == 0o400
    written = (directory / "witness.pub").read_text().strip()
    assert VerifierKey.parse(written) == witness.key()


def test_a_damaged_key_is_said_and_nothing_starts(start_witness: Starting) -> None:
    start_witness.directory.mkdir()
    (start_witness.directory / "witness.key").write_bytes(b"short")
    done = start_witness.command()
    assert done.returncode == 1
    assert "witness.key is not a seed of 32 bytes" in done.stderr
    (start_witness.directory / "witness.key").unlink()
    (start_witness.directory / "witness.key").write_bytes(bytes(32))
    other = VerifierKey("witness.example/w1", notes.COSIGNATURE_V1, bytes(32))
    (start_witness.directory / "witness.pub").write_text(f"{other}\n")
    done = start_witness.command()
    assert done.returncode == 1
    assert "not the public half" in done.stderr


def raw(witness: Running, sent: bytes) -> bytes:
    """Send bytes as they are. A machine under load may let the deadline pass: asked again then."""
    return next(filter(None, (_exchanged(witness, sent) for _ in range(3))), b"")


def _exchanged(witness: Running, sent: bytes, *, wait: float = 20) -> bytes:
    port = int(witness.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        connection.sendall(sent)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        return answer


HEAD = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\n"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (HEAD + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), b"413"),
        (HEAD + b"Content-Length: 99999999999999\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: -1\r\n\r\n", b"400"),
        (HEAD + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n", b"400"),
        (HEAD + b"Content-Length : 5\r\n\r\nold 0", b"400"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (HEAD + b"A: " + b"a" * 9000 + b"\r\n\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"POST add-checkpoint HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /add-checkpoint HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /nothing HTTP/1.1\r\n\r\n", b"404"),
        (HEAD + b"\r\n", b"400"),
    ],
)
def test_what_is_not_a_request_is_refused(witness: Running, sent: bytes, status: bytes) -> None:
    assert raw(witness, sent).split(b" ")[1] == status


def test_a_client_may_wait_to_be_asked_for_its_body(witness: Running, log: Log) -> None:
    body = bytes(log.grow(2).asking(0))
    head = HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = raw(witness, head + body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def _mangled(body: bytes) -> list[bytes]:
    """A good body, spoilt in every way that the format does not allow."""
    head, _, note = body.partition(b"\n\n")
    lines = head.split(b"\n")
    return [
        b"",
        b"\n\n",
        body[1:],
        body[:-1],
        body.replace(b"old 5", b"old 05"),
        body.replace(b"old 5", b"old +5"),
        body.replace(b"old 5", b"old 9"),
        body.replace(b"old 5", b"old 9223372036854775808"),
        body.replace(b"\n", b"\r\n"),
        lines[0] + b"\n" + lines[1][:-1] + b"\n\n" + note,
        lines[0] + b"\n" + lines[1] + b" \n\n" + note,
        lines[0] + b"\n" + b"\n".join([lines[1]] * 64) + b"\n\n" + note,
        body.replace(b"\n8\n", b"\n9223372036854775808\n"),
        body.replace(b"\n8\n", b"\n08\n"),
        body + b"\n",
        body + b"\x00",
    ]


def test_a_malformed_body_is_400_and_a_wrong_proof_422(witness: Running, log: Log) -> None:
    witness.add(log.grow(5), 0)
    body = bytes(log.grow(8).asking(5))
    assert [witness.ask("/add-checkpoint", one)[0] for one in _mangled(body)] == [400] * 16
    head, _, note = body.partition(b"\n\n")
    first, *proof = head.split(b"\n")
    for wrong in ([], proof[:-1], [*proof, proof[0]], proof[::-1], [proof[0]] * len(proof)):
        spoilt = b"\n".join([first, *wrong]) + b"\n\n" + note
        assert witness.ask("/add-checkpoint", spoilt)[0] == 422
    assert witness.ask("/add-checkpoint", body)[0] == 200


def test_a_beginning_proves_nothing(witness: Running, log: Log) -> None:
    body = bytes(log.grow(3).asking(0)).replace(b"old 0\n", b"old 0\n" + b"A" * 43 + b"=\n")
    assert witness.ask("/add-checkpoint", body)[0] == 422


def test_slow_clients_do_not_keep_others_waiting(witness: Running, log: Log) -> None:
    port = int(witness.url.rsplit(":", 1)[1])
    opened = time.monotonic()
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
    for connection in slow:
        connection.sendall(HEAD + b"Content-Length: 500\r\n\r\nold")
    began = time.monotonic()
    assert witness.add(log.grow(3), 0)[0] == 200
    assert time.monotonic() - began < 9  # the slow ones are waited for longer
    slow[0].settimeout(60)
    with suppress(ConnectionResetError):
        assert slow[0].recv(100) == b""
    assert time.monotonic() - opened > 9
    for connection in slow:
        connection.close()
