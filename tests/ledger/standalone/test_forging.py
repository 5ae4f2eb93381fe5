"""Files that a hostile exporter writes: every true signature at hand, the log's key not.

Whoever has the database may leave out, relabel and invent; only what the log and a witness
signed is beyond them. Each file here is complete and signed with the export key.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger.standalone.unsprawl_verify import Report, Trust, main, say, verify
from tests.ledger.standalone import made
from tests.ledger.standalone.made import Made, line_of

Document = dict[str, Any]
Change = Callable[[Document], Document | None]
HEADERS = list(made.headers(40, calls=2))  # ten runs of four entries
RUN = f"run_{4:026d}"  # at the indexes 16 to 19
AGENT = f"agt_{4:026d}"


def headed(document: Document, **change: Any) -> bytes:
    return line_of(json.loads(base64.b64decode(document["entry"]["header"])) | change)[:-1]


def at(document: Document) -> int | None:
    return document["entry"]["index"] if "entry" in document else None


def loose(header: bytes) -> Document:
    return {"entry": {"header": made.b64(header), "epoch": None, "index": None}}


def invented(document: Document) -> Document:
    return loose(
        headed(document, stream="run_z", seq=1, prev="0" * 64, kind="change", verb="agent.changed")
    )


def period(*ranges: tuple[int, int, int], to: str | None = None) -> Document:
    listed = [{"epoch": epoch, "start": start, "end": end} for epoch, start, end in ranges]
    return {"period": {"from": None, "to": to, "ranges": listed}}


def only(*indexes: int) -> Change:
    return lambda document: document if at(document) in {None, *indexes} else None


def at_19(change: Callable[[Document], Document]) -> Change:
    return lambda document: change(document) if at(document) == 19 else document


def without_a_run(document: Document) -> Document | None:
    if at(document) == 19:
        return invented(document)
    return None if at(document) in (16, 17, 18) else document


def renumbered(document: Document) -> Document:
    if "epoch" not in document:
        return json.loads(json.dumps(document).replace('"epoch": 1', '"epoch": 2'))  # type: ignore[no-any-return]
    return {"epoch": document["epoch"] | {"number": 2}}


def opened_later(document: Document) -> Document:
    if "epoch" not in document:
        return document
    return {"epoch": document["epoch"] | {"opened_at": "2030-01-01T00:00:00.000000Z"}}


def headers_of_changes(*facts: Document, dek: str | None = None) -> list[bytes]:
    """One chain of changes; the first names a data key."""
    found: list[bytes] = []
    for seq, each in enumerate(facts, 1):
        document = json.loads(HEADERS[0]) | {
            "id": f"ent_{seq}", "seq": seq, "kind": "change", "facts": each,
            "verb": "datakey.shredded" if "deks" in each else "agent.changed",
            "prev": made.leaf_of(found[-1]).hex() if found else "0" * 64,
        }  # fmt: skip
        if seq == 1 and dek:
            document["payload"] = {
                "ciphertext_sha256": "a" * 64, "commitment": "b" * 64, "dek": dek, "size": 3,
            }  # fmt: skip
        found.append(line_of(document)[:-1])
    return found


def keyed(
    state: str, by: str | None, *facts: Document, scope: Document | None = None,
    payloads: bool = True, sizes: Sequence[int] = (), shown: int = 9,
) -> Made:  # fmt: skip
    """A log whose first entry names a data key, of which the file says this."""
    return Made(
        headers_of_changes(*facts, dek="dek_1"), scope=scope, sizes=sizes,
        keys=[{"dek": "dek_1", "state": state, "shredded_by": by}],
        change=lambda each: only(*range(shown))(
            each | {"payloads": payloads} if "format" in each else each
        ),
    )  # fmt: skip


TOMBSTONE = {"deks": ["dek_1"]}  # in the second entry, ent_2
UNTIL = period((1, 0, 2), to="2026-11-18T11:30:00.000000Z")

FORGED: dict[str, tuple[Made, int, str]] = {
    "an invented entry beside the tree": (
        Made(HEADERS, change=at_19(invented)), 1, "lies in no tree"),
    "a chain's last entry edited, and taken out of its place": (
        Made(HEADERS, change=at_19(lambda each: loose(headed(each, facts={})))), 1, "in no tree"),
    "a run left out behind an invented entry": (
        Made(HEADERS, change=without_a_run), 1, "index from 16 to 19"),
    "a whole log without a range": (
        Made(HEADERS, scope=period(), change=only()), 1, "index from 0 to 39"),
    "a whole log that ends before its newest checkpoint": (
        Made(HEADERS, sizes=[20], scope=period((1, 0, 20)), change=only(*range(20))),
        1, "index from 20 to 39"),
    "entries beyond the range that is stated": (
        Made(HEADERS, sizes=[20], scope=period((1, 0, 20), to=made.RECORDED_AT)), 1, "outside"),
    "a range at whose end nothing lies": (
        Made(HEADERS, sizes=[20], change=only(*range(30))), 1, "index from 30 to 39"),
    "a period in which nothing is": (
        Made(HEADERS, scope=period(to=made.RECORDED_AT), change=only()), 2, "no entry"),
    "other runs under a run's name": (
        Made(HEADERS, scope={"run": "run_secret"}), 1, "not of the run"),
    "a further run in a run": (
        Made(HEADERS, scope={"run": RUN}, change=only(*range(16, 24))), 1, "not of the run"),
    "other agents under an agent's name": (
        Made(HEADERS, scope={"agent": "agt_nobody"}), 1, "not of the agent"),
    "a run without an entry": (
        Made(HEADERS, scope={"run": RUN}, change=only()), 2, "no entry"),
    "an agent without an entry": (
        Made(HEADERS, scope={"agent": AGENT}, change=only()), 2, "no entry"),
    "a run without its first entry": (
        Made(HEADERS, scope={"run": RUN}, change=only(17, 18, 19)), 1, "are missing"),
    "a run without one between": (
        Made(HEADERS, scope={"run": RUN}, change=only(16, 17, 19)), 1, "are missing"),
    "a log without its first epoch": (
        Made(HEADERS, scope=period((2, 0, 40)), change=renumbered), 1, "lacks epoch 1"),
    "another time at which the log was opened": (
        Made(HEADERS, change=opened_later), 1, "a witness saw it before"),
    "a payload taken out of a month that is kept": (
        keyed("active", None, {}, {}), 1, "its data key is not destroyed"),
    "a payload taken out, and its key said to be destroyed later": (
        keyed("active", "ent_later", {}, {}), 2, "destroyed after the file's newest"),
    "a key said to be destroyed, and no entry of the whole log says so": (
        keyed("shredded", "ent_none", {}, {}), 1, "no entry records it"),
    "a destroyed key said to be active": (
        keyed("active", None, {}, TOMBSTONE, payloads=False), 1, "is back"),
    "a destroyed key said to be destroyed later": (
        keyed("active", "ent_2", {}, TOMBSTONE, payloads=False), 1, "is back"),
}  # fmt: skip


def check(path: Path, file: Made, trust: Trust = made.TRUST) -> tuple[Report, str]:
    path.write_bytes(b"".join(file.lines()))
    report = verify(str(path), trust)
    said: list[str] = []
    say(report, said.append)
    return report, "".join(said)


@pytest.mark.parametrize("name", FORGED)
def test_what_a_hostile_exporter_leaves_out_or_invents_is_seen(name: str, tmp_path: Path) -> None:
    file, code, wrong = FORGED[name]
    report, said = check(tmp_path / "forged.jsonl", file)
    assert report.code == code, said
    assert wrong in said


TRUE = {
    "a key destroyed on record": keyed("shredded", "ent_2", {}, TOMBSTONE),
    "a key destroyed after the newest checkpoint": keyed(
        "active", "ent_later", {}, {}, payloads=False),
    "a period that ends before the destruction": keyed(
        "shredded", "ent_3", {}, {}, TOMBSTONE, scope=UNTIL, sizes=[2], shown=2),
    "a file without payloads": keyed("active", None, {}, {}, payloads=False),
}  # fmt: skip


@pytest.mark.parametrize("name", TRUE)
def test_a_true_file_raises_no_alarm(name: str, tmp_path: Path) -> None:
    report, said = check(tmp_path / "made.jsonl", TRUE[name])
    assert report.code == 0, said


def test_what_a_file_says_does_not_steer_the_terminal(tmp_path: Path) -> None:
    scope = {"run": "run_\u001b[2J\u001b[32mThe export holds.\u202e\u00e9"}
    _, said = check(tmp_path / "made.jsonl", Made(HEADERS, scope=scope))
    assert said.isascii()
    assert all(line.isprintable() for line in said.splitlines())


def test_a_key_that_is_no_text_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(range(128, 192)))
    assert main([str(tmp_path / "none"), "--key", str(tmp_path / "key")]) == 2


def test_a_line_that_is_too_long_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.standalone.unsprawl_verify.LONGEST_LINE", 5_000)
    long = {"key": {"dek": "d" * 6_000, "state": "active", "shredded_by": None}}["key"]
    report, said = check(tmp_path / "made.jsonl", Made(HEADERS, keys=[long]))
    assert (report.code, "a line has more than" in said) == (1, True)


@pytest.mark.parametrize("blocks", [1, 4_000_000])
def test_a_whole_epoch_left_out_between_two_is_seen(
    blocks: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is due is counted through the ranges, not from one entry to the next alone."""
    monkeypatch.setattr("ledger.standalone.unsprawl_verify.BLOCK_BYTES", blocks)
    ranges = period((1, 0, 40), (2, 0, 5), (3, 0, 5), to=made.RECORDED_AT)
    _, said = check(tmp_path / "forged.jsonl", Made(HEADERS, scope=ranges))
    assert "epoch 2, an index from 0 to 4: the entry that the tree has" in said
    assert "epoch 3, an index from 0 to 4: the entry that the tree has" in said


CANNOT_TELL: dict[str, tuple[Made, str]] = {
    "the last entries of a run": (
        Made(HEADERS, scope={"run": RUN}, change=only(16, 17)), "that the run ended there"),
    "a whole run of an agent": (
        Made(HEADERS, scope={"agent": AGENT}, change=only(*range(16, 20))), "other runs of it"),
    "an older state of the log": (Made(HEADERS[:20]), "an older state looks like this"),
    "what lies before a copy": (
        Made(HEADERS, sizes=[20], scope=period((1, 20, 40)), change=only(*range(20, 40))),
        "anything of what lies before"),
    "the moments of a period": (
        Made(HEADERS, sizes=[20], scope=period((1, 0, 20), to="2030-01-01T00:00:00.000000Z"),
             change=only(*range(20))), "not the moments"),
}  # fmt: skip


@pytest.mark.parametrize("name", CANNOT_TELL)
def test_what_no_file_can_show_is_said(name: str, tmp_path: Path) -> None:
    file, unproven = CANNOT_TELL[name]
    report, said = check(tmp_path / "made.jsonl", file)
    assert report.code == 0, said
    line = next(line for line in said.splitlines() if line.startswith("It does not prove: "))
    assert unproven in line
    assert report.document()["does_not_prove"] == report.unproven


def test_without_a_witness_or_an_export_key_it_is_said_what_that_leaves_open(
    tmp_path: Path,
) -> None:
    alone = Trust(keys=made.TRUST.keys)
    report, said = check(tmp_path / "made.jsonl", Made(HEADERS), alone)
    assert report.code == 0
    assert "no witness was given" in said
    assert "no export key was given" in said
    assert "witnesses given saw it" not in said
    report, said = check(tmp_path / "made.jsonl", Made(HEADERS))
    assert "every entry of the log" in said
    assert "1 of the witnesses given saw it" in said
    assert "no witness was given" not in said
