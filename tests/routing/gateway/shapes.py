"""What vendors really answer, beyond chat completions: responses, embeddings, messages."""

from __future__ import annotations

import json
from typing import Any

REPORTED = "vendor-model-1-2026-01-01"

RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "model": REPORTED,
    "output": [
        {
            "type": "message",
            "id": "msg_1",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello.", "annotations": []}],
        }
    ],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "store": True,
    "tool_choice": "auto",
    "tools": [],
    "usage": {
        "input_tokens": 9,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 12,
    },
}
BEGUN = RESPONSE | {"status": "in_progress", "output": [], "usage": None}


def response_event(number: int, kind: str, **members: Any) -> bytes:
    document = {"type": kind, "sequence_number": number} | members
    return f"event: {kind}\ndata: {json.dumps(document)}\n\n".encode()


def response_delta(number: int, text: str) -> bytes:
    return response_event(
        number,
        "response.output_text.delta",
        item_id="msg_1",
        output_index=0,
        content_index=0,
        delta=text,
        logprobs=[],
    )


RESPONSE_STREAM = [
    response_event(0, "response.created", response=BEGUN),
    response_event(1, "response.in_progress", response=BEGUN),
    response_event(
        2,
        "response.output_item.added",
        output_index=0,
        item=RESPONSE["output"][0] | {"status": "in_progress", "content": []},
    ),
    response_event(
        3,
        "response.content_part.added",
        item_id="msg_1",
        output_index=0,
        content_index=0,
        part={"type": "output_text", "text": "", "annotations": []},
    ),
    response_delta(4, "Hel"),
    response_delta(5, "lo."),
    response_event(6, "response.completed", response=RESPONSE),
]

EMBEDDINGS = {
    "object": "list",
    "model": "vendor-model-1",
    "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}],
    "usage": {"prompt_tokens": 7, "total_tokens": 7},
}

MESSAGE: dict[str, Any] = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "vendor-model-1-20260101",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 5,
        "cache_creation_input_tokens": 2,
        "cache_read_input_tokens": 4,
        "output_tokens": 3,
    },
}


def message_event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | members)}\n\n".encode()


PING = message_event("ping")
MESSAGE_STREAM = [
    message_event(
        "message_start",
        message=MESSAGE
        | {
            "content": [],
            "stop_reason": None,
            "usage": MESSAGE["usage"] | {"output_tokens": 1},
        },
    ),
    message_event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    PING,
    message_event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"}),
    message_event("content_block_delta", index=0, delta={"type": "text_delta", "text": "lo."}),
    message_event("content_block_stop", index=0),
    message_event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": 3},
    ),
    message_event("message_stop"),
]
