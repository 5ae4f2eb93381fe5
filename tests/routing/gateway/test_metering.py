"""Tokens and cost: as reported, else estimated and marked; unknown is never zero."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from routing.gateway.body import CallBody
from routing.gateway.metering import (
    Usage,
    estimated,
    reported_error,
    reported_model,
)
from routing.gateway.snapshot import Model
from routing.gateway.wires.chat import Chat

CHAT = Chat()
reported = CHAT.usage_of

MODEL = Model("mod_1", "m", "USD", 2_500_000, 10_000_000, 1_250_000, None, None, "", True, 0.0)


def test_cost_is_exact_in_micros():
    assert Usage(1_000_000, 0).cost_micros(MODEL) == 2_500_000
    assert Usage(3, 7).cost_micros(MODEL) == 78  # 7.5 + 70, the half up
    assert Usage(100, 0, cached_tokens=100).cost_micros(MODEL) == 125
    assert Usage(10, 0, cached_tokens=100).cost_micros(MODEL) == 13


def test_an_unknown_price_gives_no_cost():
    assert Usage(1, 1).cost_micros(replace(MODEL, input_price=None)) is None
    assert Usage(1, 1).cost_micros(replace(MODEL, output_price=None)) is None
    assert Usage(4, 0, 4).cost_micros(replace(MODEL, cached_input_price=None)) == 10


@pytest.mark.parametrize(
    "usage",
    [None, 1, [], {}, {"prompt_tokens": 1}, {"prompt_tokens": "1", "completion_tokens": 1},
     {"prompt_tokens": True, "completion_tokens": 1}, {"prompt_tokens": -1, "completion_tokens": 1},
     {"prompt_tokens": 1.5, "completion_tokens": 1},
     {"prompt_tokens": 1, "completion_tokens": 2**31}],
)  # fmt: skip
def test_nonsense_is_not_a_report(usage):
    assert reported({"usage": usage}) is None


def test_a_report_is_read():
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    assert reported({"usage": usage}) == Usage(5, 6, 4)
    assert reported({"usage": usage | {"prompt_tokens_details": None}}) == Usage(5, 6, 0)
    assert reported([]) is None


def test_what_a_vendor_says_is_cut_to_what_can_be_recorded():
    assert reported_model({"model": "a\x00b\ud800" + "c" * 300}) == "ab" + "c" * 196
    assert reported_model({"model": 1}) == reported_model(None) == ""
    assert reported_error({"error": {"code": 7, "type": "t"}}) == "t"
    assert reported_error({"error": "no"}) == "error"
    assert reported_error({"error": None}) == reported_error("x") == ""


def test_an_estimate_counts_what_was_said():
    said = [
        orjson.dumps({"choices": [{"delta": {"content": "12345678"}}]}),
        orjson.dumps(
            {"choices": [{"message": {"tool_calls": [{"function": {"arguments": "1234"}}]}}]}
        ),
        orjson.dumps({"choices": [{"delta": None}, 1], "x": 1}),
        b"not json",
        b"[]",
    ]
    assert CHAT.guess(CallBody("", 400, "m", streams=True, spans={}), said, None) == Usage(
        100, 3, 0, is_estimated=True
    )
    assert estimated(1, []) == Usage(1, 0, 0, is_estimated=True)
