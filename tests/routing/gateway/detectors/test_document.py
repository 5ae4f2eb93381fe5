"""JSON with something in it: found wherever it hides, and nothing else touched."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from routing.gateway.detectors.document import screened_document
from routing.gateway.detectors.rules import KINDS, REDACT, Tally, rules_for
from tests.routing.gateway.detectors.samples import ANTHROPIC, KEY_BLOCK

RULES = rules_for(tuple((kind, REDACT) for kind in KINDS))
CARD = "4111 1111 1111 1111"


def screened(raw: str | bytes) -> str:
    raw = raw.encode() if isinstance(raw, str) else raw
    return screened_document(raw, RULES, Tally()).decode()


def test_everything_around_it_stays_byte_for_byte() -> None:
    raw = '{ "a" :1.0e5,"b":"caf\\u00e9", "c" : "pay ' + CARD + ' now" ,"d":[ ]}\n'
    assert screened(raw) == raw.replace(CARD, "[redacted: card]")


def test_a_clean_document_is_the_same_object() -> None:
    raw = json.dumps({"messages": [{"content": "Say hello."}]}).encode()
    assert screened_document(raw, RULES, Tally()) is raw


def escaped(text: str) -> str:
    return "".join(f"\\u{ord(sign):04x}" for sign in text)


@pytest.mark.parametrize(
    "raw",
    [
        f'{{"content": "\\u0073{ANTHROPIC[1:]}"}}',
        f'{{"content": "{escaped(ANTHROPIC)}"}}',
        f'{{"content": "line\\n{ANTHROPIC}\\tend"}}',
        f'{{"{ANTHROPIC}": 1}}',
        f'{{"content": [{{"type": "text", "text": "{ANTHROPIC}"}}]}}',
        f'{{"system": "{ANTHROPIC}"}}',
        f'{{"unknown": {{"deep": [[["{ANTHROPIC}"]]]}}}}',
        json.dumps({"arguments": json.dumps({"key": ANTHROPIC})}),
        json.dumps({"arguments": f'{{"key": "{escaped(ANTHROPIC)}"}}'}),
        json.dumps({"arguments": json.dumps({"inner": json.dumps({"key": ANTHROPIC})})}),
        json.dumps({"input": ["x", ANTHROPIC]}),
        json.dumps({"content": f"data:;base64, {ANTHROPIC}"}),
    ],
)
def test_a_secret_is_found_wherever_it_hides(raw: str) -> None:
    made = screened(raw)
    json.loads(made)
    assert "[redacted: secret]" in made
    assert ANTHROPIC[8:] not in json.dumps(json.loads(made))


def test_a_key_block_is_found_through_its_line_ends() -> None:
    made = screened(json.dumps({"content": f"My key:\n{KEY_BLOCK}\nKeep it safe."}))
    assert json.loads(made)["content"] == "My key:\n[redacted: secret]\nKeep it safe."


def test_a_number_becomes_a_text_and_the_document_stays_one() -> None:
    assert screened('{"card": 4111111111111111, "n": 12}') == (
        '{"card": "[redacted: card]", "n": 12}'
    )
    nested = json.dumps({"arguments": '{"card":4111111111111111}'})
    assert json.loads(json.loads(screened(nested))["arguments"]) == {"card": "[redacted: card]"}


def test_vectors_are_left_alone() -> None:
    raw = json.dumps({"data": [{"embedding": [0.4111111111111111, -0.0041111111111111, 1e-9]}]})
    assert screened(raw) == raw


def test_files_are_passed_over_and_counted() -> None:
    picture = base64.b64encode(bytes(range(256)) * 8).decode()
    said: Any = {"url": f"data:image/png;base64,{picture}", "data": picture, "text": CARD}
    tally = Tally()
    made = json.loads(screened_document(json.dumps(said).encode(), RULES, tally))
    assert (tally.skipped, made["text"], made["url"]) == (2, "[redacted: card]", said["url"])


def test_half_a_surrogate_pair_is_no_way_round() -> None:
    made = screened('{"content": "\\ud83d ' + ANTHROPIC + '"}')
    assert json.loads(made)["content"] == "\ud83d [redacted: secret]"


class Counting:
    """Counts how much text the engine is given, in place of looking at a clock."""

    def __init__(self, search: Any) -> None:
        self._search = search
        self.bytes = 0

    def __call__(self, text: bytes, *more: int) -> Any:
        self.bytes += len(text)
        return self._search(text, *more)


@pytest.mark.parametrize(
    "filler", ["plain words and more. ", "sk-sk-sk-", "4111 ", "a@", "-----BEGIN "]
)
def test_a_big_body_is_looked_at_a_few_times_at_most(filler: str) -> None:
    rules = rules_for((("secret", REDACT), ("card", REDACT), ("phone", "allow")))
    counted = Counting(rules.probe)
    rules.probe = counted
    size = 1024 * 1024
    raw = json.dumps({"messages": [{"content": (filler * size)[:1000]}] * (size // 1000)}).encode()
    try:
        screened_document(raw, rules, Tally())
    finally:
        rules.probe = counted._search
    assert counted.bytes <= 2 * len(raw)
