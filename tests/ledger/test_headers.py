from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.canonical import canonical
from kernel.refs import Ref
from ledger.entries import (
    GENESIS,
    MAX_HEADER_BYTES,
    DataKeyInUse,
    EntryTooLarge,
    Fields,
    PayloadDigest,
    encrypt_payload,
    leaf_hash,
    link,
)
from ledger.headers import KINDS, HeaderInvalid, read_header
from ledger.models import Entry

NOW = datetime(2026, 11, 21, 9, 30, 0, 42, tzinfo=UTC)
KEY = DataKeyInUse("dek_1", bytes(32))

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
facts = st.dictionaries(
    texts,
    texts | st.booleans() | st.none() | st.lists(texts, max_size=3)
    | st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1),
    max_size=4,
)  # fmt: skip
fields = st.builds(
    Fields,
    kind=st.sampled_from(sorted(KINDS - {"result"})),
    verb=texts,
    actor=st.builds(Ref, texts, texts),
    subject=st.builds(Ref, texts, texts),
    recorded_at=st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    agent_id=texts,
    on_behalf_of=texts,
    intent_id=st.none() | texts.filter(bool),
    facts=facts,
    payload=st.none() | st.binary(max_size=50).map(lambda raw: encrypt_payload(raw, KEY, "ent_1")),
    entry_id=texts.filter(bool),
)


@given(fields, texts, texts, st.integers(1, 2**53 - 1), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read_back(
    said: Fields, stream: str, writer: str, seq: int, prev: bytes
) -> None:
    added = link(said, stream=stream, writer=writer, seq=seq, prev_hash=prev)
    header = read_header(added.header)
    assert added.leaf_hash == leaf_hash(added.header)
    assert (header.stream, header.writer, header.seq, header.prev_hash) == (
        stream, writer, seq, prev,
    )  # fmt: skip
    assert header.entry_id == said.entry_id
    assert (header.kind, header.verb, header.agent_id) == (said.kind, said.verb, said.agent_id)
    assert (header.actor, header.subject) == (str(said.actor), str(said.subject))
    assert (header.on_behalf_of, header.intent_id) == (said.on_behalf_of, said.intent_id)
    assert (header.recorded_at, header.facts) == (said.recorded_at, said.facts)
    if said.payload is None:
        assert header.payload is None
    else:
        digest = header.payload
        assert digest == PayloadDigest(
            "dek_1", said.payload.header["ciphertext_sha256"], said.payload.commitment,  # type: ignore[arg-type]
            said.payload.size,
        )  # fmt: skip


@given(st.binary(max_size=80) | texts.map(str.encode))
def test_noise_is_no_header(noise: bytes) -> None:
    with pytest.raises(HeaderInvalid):
        read_header(noise)


def document(**change: Any) -> dict[str, Any]:
    said = Fields("change", "agent.changed", Ref("person", "p"), Ref("agent", "a"), NOW)
    added = link(said, stream="s", writer="w", seq=1, prev_hash=GENESIS)
    whole: dict[str, Any] = json.loads(added.header) | change
    return {name: value for name, value in whole.items() if value is not ...}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"v": 2}, "version 2, not 1"),
        ({"id": ...}, "lacks id"),
        ({"facts": ..., "id": ...}, "lacks facts, id"),
        ({"more": 1}, "unknown field 'more'"),
        ({"seq": 0}, "seq is out of range"),
        ({"seq": 2**53}, "seq is out of range"),
        ({"seq": "1"}, "seq has the wrong type"),
        ({"seq": True}, "seq has the wrong type"),
        ({"seq": 1.0}, "seq has the wrong type"),
        ({"prev": "00"}, "prev is not a hash"),
        ({"prev": "A" * 64}, "prev is not a hash"),
        ({"kind": "other"}, "kind is unknown"),
        ({"kind": "result"}, "a result names no intent"),
        ({"kind": "result", "intent": ""}, "a result names no intent"),
        ({"recorded_at": "2026-11-21"}, "recorded_at is not a moment"),
        ({"recorded_at": "2026-11-21T09:30:00Z"}, "recorded_at is not a moment"),
        ({"recorded_at": "2026-11-21T09:30:00.000042+00:00"}, "recorded_at is not a moment"),
        ({"recorded_at": "2026-13-21T09:30:00.000042Z"}, "recorded_at is not a moment"),
        ({"facts": {"a": {}}}, "a fact is not"),
        ({"facts": {"a": [1]}}, "a fact is not"),
        ({"facts": {"a": 2**53}}, "a fact is not"),
        ({"payload": {}}, "payload has the wrong shape"),
        ({"payload": []}, "payload has the wrong type"),
        (
            {"payload": {"ciphertext_sha256": "x", "commitment": "", "dek": "", "size": 1}},
            "not described by a digest",
        ),
        (
            {"payload": {"ciphertext_sha256": "0" * 64, "commitment": "", "dek": "", "size": -1}},
            "not described by a digest",
        ),
    ],
)
def test_a_header_of_another_shape_says_what_is_wrong(change: dict[str, Any], said: str) -> None:
    whole = document(**change)
    raw = json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()
    with pytest.raises(HeaderInvalid, match=said):
        read_header(raw)


@pytest.mark.parametrize(
    "respell",
    [
        lambda raw: b" " + raw,
        lambda raw: raw + b"\n",
        lambda raw: raw.replace(b'"v":1', b'"v": 1'),
        lambda raw: raw.replace(b'"v":1', b'"v":1,"v":1'),
        lambda raw: raw.replace(b'"w"', b'"\\u0077"'),
        lambda raw: raw.replace(b'{"actor"', b'{"verb":"agent.changed","actor"').replace(
            b',"verb":"agent.changed"}', b"}"
        ),
        lambda raw: raw.replace(b'"a"', b'"\\/"'),
    ],
)
def test_a_second_spelling_of_a_header_is_refused(respell: Any) -> None:
    raw = canonical(document(facts={"a": "w"}))
    assert read_header(raw).writer == "w"
    with pytest.raises(HeaderInvalid, match="canonical"):
        read_header(respell(raw))


def test_a_header_beyond_ascii_is_held_to_the_same_form() -> None:
    raw = canonical(document(facts={"é": "ü", "\U0001f600": 1, "\ue000": 2}))
    assert read_header(raw).facts == {"é": "ü", "\U0001f600": 1, "\ue000": 2}
    with pytest.raises(HeaderInvalid, match="canonical"):
        read_header(raw.replace("ü".encode(), b"\\u00fc"))


def test_half_a_surrogate_pair_is_no_header() -> None:
    raw = json.dumps(document(facts={"a": "\ud800"}), sort_keys=True, separators=(",", ":"))
    with pytest.raises(HeaderInvalid, match="not JSON"):
        read_header(raw.encode())


def test_deep_nesting_is_no_header() -> None:
    with pytest.raises(HeaderInvalid, match="not JSON"):
        read_header(b"[" * 100_000)


def test_the_kinds_are_those_of_the_table() -> None:
    assert set(Entry.Kind.values) == KINDS


def test_a_header_that_is_too_large_is_refused() -> None:
    said = Fields(
        "change", "v", Ref("a", "b"), Ref("a", "b"), NOW, facts={"a": "x" * MAX_HEADER_BYTES}
    )
    with pytest.raises(EntryTooLarge):
        link(said, stream="s", writer="w", seq=1, prev_hash=GENESIS)
