"""What leaves for a SIEM is one line, one event, and says nothing it was not meant to."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.canonical import canonical
from outlets.feeds import events, syslog
from outlets.feeds.events import Event
from outlets.feeds.severity import severity_of, syslog_severity, word_of

HOSTILE = (
    "plain", "a|b", "a=b", "a\\b", "a\nCEF:0|x|y|z|1|fake|10|", "\r\n<14>1 - forged", "\x00\x1b[2J",
    "cs1=forged act=agent.killed", "\\", "\\=", "\\n", "\u2028line", "\u202egnp.exe", "ü€😀",
    "x" * 9000, "]]>", '"}],"forged":[{"', "a b=c d", " ", "\x85next", "|" * 50, "=" * 50,
)  # fmt: skip


def event(**facts: Any) -> Event:
    document = {
        "v": 1, "id": "ent_1", "stream": "run_1", "writer": "gw_1", "seq": 1, "prev": "0" * 64,
        "kind": "report", "verb": "tool.called", "actor": "agent:agt_1", "subject": "agent:agt_1",
        "recorded_at": "2026-11-22T05:00:00.123456Z", "facts": facts,
    }  # fmt: skip
    return Event.of(1, 7, b"\x01" * 32, canonical(document))


def cef_fields(line: str) -> dict[str, str]:
    """Read CEF as its specification says."""
    head = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
    assert len(head) == 8, line
    pairs = re.split(r"(?:^| )([A-Za-z0-9]+)(?<!\\)=", head[7])
    values = zip(pairs[1::2], pairs[2::2], strict=True)
    return {name: unescaped(value) for name, value in values}


def unescaped(value: str) -> str:
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], value)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_inside_its_field(text: str) -> None:
    check(event(name=text, other="calm"), text)


@given(st.text(max_size=300).filter(lambda text: text.isprintable() or True))
def test_any_text_stays_inside_its_field(text: str) -> None:
    usable = text.encode("utf-8", "ignore").decode()
    check(event(name=usable), usable)


def check(made: Event, text: str) -> None:
    line = events.cef_text(made, "agents.example", "1")
    assert len(line.splitlines()) == 1
    fields = cef_fields(line)
    assert set(fields) == {
        "externalId", "cat", "act", "dvchost", "cn1Label", "cn1", "cn2Label", "cn2", "cs6Label",
        "cs6", "rt", "suser", "cs1Label", "cs1", "cs2Label", "cs3Label", "cs3", "cs4Label", "cs4",
        "cs5Label",
    }  # fmt: skip
    assert (fields["act"], fields["externalId"]) == ("tool.called", "ent_1")
    for written in (
        events.json_text(made, "agents.example"),
        events.hec_text(made, "agents.example", "agents.example"),
    ):
        assert written.isascii()
        assert len(written.splitlines()) == 1
        read = json.loads(written)
        assert read.get("event", read)["facts"]["name"] == text


@given(st.text(max_size=200))
def test_a_field_of_the_head_never_ends_early(text: str) -> None:
    escaped = events.cef_head(text)
    assert len(escaped.splitlines()) <= 1
    assert re.sub(r"\\[\\|]", "", escaped).count("|") == 0


@given(st.text(max_size=60), st.text(max_size=60))
def test_a_message_of_syslog_is_one_message(host: str, kind: str) -> None:
    at = datetime(2026, 11, 22, tzinfo=UTC)
    made = syslog.message("{}", severity=6, at=at, host=host, kind=kind)
    priority, moment, named, app, proc, msg, data, rest = made.decode().split(" ", 7)
    assert (priority, app, proc, data, rest) == ("<108>1", "unsprawl", "-", "-", "{}")
    assert moment == "2026-11-22T00:00:00.000000Z"
    assert named.isascii()
    assert msg.isascii()
    assert named
    assert msg


def test_long_facts_are_cut_and_say_so() -> None:
    told = event(a="x" * 10_000, b="y" * 10_000).document("s")
    assert told["facts"] == {"a": "x" * 10_000, "facts_cut": True}


def test_an_entry_that_cannot_be_read_is_an_event_of_its_own() -> None:
    made = Event.of(1, 9, b"\x02" * 32, b"not a header")
    assert (made.verb, made.severity, made.event_id) == ("entry.unreadable", 10, "1:9")
    assert "CEF:0|Unsprawl|Unsprawl|1|entry.unreadable|" in events.cef_text(made, "s", "1")


def test_severities_have_words_and_a_place_in_syslog() -> None:
    assert severity_of("result", "call.completed") == 1
    assert severity_of("change", "agent.killed") == 8
    assert [word_of(number) for number in (0, 3, 5, 7, 10)] == [
        "info", "low", "medium", "high", "critical",
    ]  # fmt: skip
    assert [syslog_severity(number) for number in (0, 3, 5, 7, 9)] == [6, 5, 4, 3, 2]
