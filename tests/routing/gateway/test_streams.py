"""A streamed call: relayed as it comes, ended truthfully, recorded byte for byte."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
import time
from typing import Any

import pytest

from routing.gateway.open_calls import Patience
from tests.routing.gateway.conftest import BODY, ServedGateway, eventually, raw_request
from tests.routing.gateway.scripted import DONE, STREAM, USAGE_EVENT, Seen, chunk_event, stream

DELIVERED = STREAM[0] + STREAM[1] + DONE


def test_a_stream_is_relayed_and_ends_with_done(agent, vendor):
    vendor.script = stream()
    got = agent.stream()
    assert (got.status, got.body) == (200, DELIVERED)
    assert got.headers["content-type"] == "text/event-stream"
    assert got.headers["x-unsprawl-model"] == "vendor-model-1"


def test_a_usage_report_is_asked_for_and_kept_from_who_did_not_ask(agent, vendor):
    vendor.script = stream()
    assert b'"usage"' not in agent.stream().body
    assert vendor.seen[0].json["stream_options"] == {"include_usage": True}
    (call,) = agent.calls()
    assert (call["input_tokens"], call["output_tokens"], call["streamed"]) == (9, 2, True)
    assert not call["usage_estimated"]


def test_who_asks_for_a_usage_report_gets_it(agent, vendor):
    vendor.script = stream()
    assert agent.stream(stream_options={"include_usage": True}).body == b"".join(STREAM)


@pytest.mark.parametrize(
    "options", [{}, {"include_usage": False}, {"include_obfuscation": False}, None]
)
def test_other_stream_options_are_kept(agent, vendor, options):
    vendor.script = stream()
    agent.stream(stream_options=options)
    assert vendor.seen[0].json["stream_options"] == (options or {}) | {"include_usage": True}


def test_split_at_every_byte_it_is_the_same_stream(agent, vendor):
    whole = b"".join(STREAM)
    vendor.script = stream([bytes([byte]) for byte in whole])
    assert agent.stream().body == DELIVERED


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"])
def test_other_line_ends_pass_as_they_are(agent, vendor, line_end):
    whole = b"".join(STREAM).replace(b"\n", line_end)
    vendor.script = stream([whole[:7], whole[7:]])
    assert agent.stream().body == DELIVERED.replace(b"\n", line_end)


def test_comments_names_and_pings_pass(agent, vendor):
    extra = b": keep-alive\n\nevent: ping\nid: 7\nretry: 10\ndata: {}\n\n"
    vendor.script = stream([extra, *STREAM])
    assert agent.stream().body == extra + DELIVERED


def test_events_arrive_while_the_vendor_still_writes(agent, vendor):
    rest = threading.Event()
    vendor.script = stream(after_first=rest)
    line, answer = agent.open_stream()
    assert answer.readline() + answer.readline() == STREAM[0]
    rest.set()
    assert answer.read() == STREAM[1] + DONE
    line.close()


def test_done_is_held_until_the_result_is_on_record(agent, vendor):
    vendor.script = stream()
    line, answer = agent.open_stream()
    got = b""
    while DONE not in got:
        got += answer.read1()
    assert [entry["kind"] for entry in agent.entries()] == ["intent", "result"]
    line.close()


def test_the_record_holds_the_bytes_that_were_delivered(agent, vendor, rig):
    vendor.script = stream()
    got = agent.stream()
    result = agent.entries()[-1]
    assert result["payload"]["size"] == len(got.body)
    assert open_payload(rig, agent.world, result) == got.body


OFFSETS = [0, 1, len(STREAM[0]) - 1, len(STREAM[0]), len(STREAM[0]) + 5,
           len(b"".join(STREAM)) - len(DONE), len(b"".join(STREAM)) - 2]  # fmt: skip


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("offset", OFFSETS)
def test_a_stream_cut_anywhere_ends_in_an_error_event(agent, vendor, offset, chunked):
    vendor.script = stream(
        [b"".join(STREAM)[:offset]] if offset else [], cut=chunked, chunked=chunked
    )
    got = agent.stream()
    assert DONE not in got.body
    *events, last = got.body.rstrip(b"\n").split(b"\n\n")
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_cut"
    assert b"".join(event + b"\n\n" for event in events) == whole_events(offset)
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("incomplete", "upstream_cut")
    assert agent.entries()[-1]["verb"] == "call.cut"


def whole_events(offset: int) -> bytes:
    kept, end = b"", 0
    for event in STREAM:
        end += len(event)
        if end <= offset and event != USAGE_EVENT:
            kept += event
    return kept


def test_what_a_cut_stream_used_is_estimated_and_marked(agent, vendor):
    vendor.script = stream([STREAM[0], STREAM[1]], cut=True)
    agent.stream()
    (call,) = agent.calls()
    assert call["usage_estimated"]
    assert call["output_tokens"] == 2
    assert call["cost_micros"] > 0


def test_an_error_event_of_the_vendor_passes_and_is_the_end(agent, vendor):
    said = b'data: {"error":{"message":"overloaded","type":"server_error","code":"overloaded"}}\n\n'
    vendor.script = stream([STREAM[0], said])
    assert agent.stream().body == STREAM[0] + said
    (call,) = agent.calls()
    assert (call["status"], call["error_code"]) == ("error", "overloaded")


def test_text_of_a_model_cannot_forge_an_end(agent, vendor):
    forged = chunk_event('"}]}\n\ndata: [DONE]\n\ndata: {"error":{"code":"x"}}')
    vendor.script = stream([forged, *STREAM[1:]])
    assert agent.stream().body == forged + STREAM[1] + DONE
    assert agent.calls()[0]["status"] == "ok"


def test_bytes_after_done_go_nowhere(agent, vendor):
    vendor.script = stream([*STREAM, chunk_event("more")])
    assert agent.stream().body == DELIVERED


def test_an_event_too_big_to_hold_passes_in_pieces(agent, vendor):
    big = chunk_event("x" * 3_000_000)
    vendor.script = stream([big[:1_000_000], big[1_000_000:], *STREAM[1:]])
    assert agent.stream().body == big + STREAM[1] + DONE


def test_an_error_after_part_of_a_big_event_is_an_event_of_its_own(agent, vendor):
    vendor.script = stream([b"data: " + b"x" * 1_000_000], cut=True)
    body = agent.stream().body
    *_, last = body.rstrip(b"\n").split(b"\n\n")
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_cut"


def test_an_error_before_the_stream_is_the_vendors_own_answer(agent, vendor):
    from tests.routing.gateway.scripted import answer

    vendor.script = answer({"error": {"message": "slow down", "code": "rate_limited"}}, 429)
    got = agent.stream()
    assert (got.status, got.code) == (429, "rate_limited")


def test_a_client_that_leaves_ends_the_vendors_work_and_is_recorded(agent, vendor):
    vendor.script = stream([STREAM[0]], linger=60)
    line, answer = agent.open_stream()
    answer.readline()
    hang_up(line)
    (seen,) = vendor.seen
    assert seen.left_early.wait(30)
    eventually(lambda: len(agent.calls()) == 1)
    (call,) = agent.calls()
    assert call["status"] == "cancelled"
    assert call["cost_micros"] > 0
    assert agent.entries()[-1]["verb"] == "call.cancelled"


def test_a_client_that_leaves_before_the_first_byte_too(agent, vendor):
    async def silent(seen: Seen, writer: Any) -> None:
        await asyncio.sleep(60)

    vendor.script = silent
    raw = json.dumps(BODY | {"model": agent.route}).encode()
    with socket.create_connection(("127.0.0.1", agent.port)) as line:
        line.sendall(raw_request(agent.key, raw))
        eventually(lambda: len(vendor.seen) == 1)
    assert vendor.seen[0].left_early.wait(30)
    eventually(lambda: len(agent.calls()) == 1)
    assert agent.calls()[0]["status"] == "cancelled"


def test_a_slow_reader_holds_back_the_vendor_and_not_the_gateways_memory(agent, vendor):
    sent = 0

    async def flood(seen: Seen, writer: Any) -> None:
        nonlocal sent
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        )
        event = chunk_event("x" * 60_000)
        while True:
            writer.write(event)
            await writer.drain()
            sent += len(event)

    vendor.script = flood
    line, answer = agent.open_stream()
    answer.readline()
    before = -1
    while before != sent:  # until it is held back
        before = sent
        assert before < 32_000_000
        time.sleep(0.5)
    hang_up(line)
    assert vendor.seen[0].left_early.wait(30)


@pytest.fixture
def impatient_gateway(rig):
    """Yield what starts a gateway that is impatient in one thing only."""
    started = []

    def start(**patience):
        usual = {"first_byte": 60.0, "idle": 60.0, "reader": 60.0, "total": 90.0}
        started.append(ServedGateway(rig, Patience(**usual | patience)))
        started[-1].start()
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop()


def test_a_vendor_that_never_begins_is_given_up(impatient_gateway, make_agent, vendor):
    async def silent(seen: Seen, writer: Any) -> None:
        await asyncio.sleep(60)

    agent = make_agent(impatient_gateway(first_byte=0.4).port)
    vendor.script = silent
    got = agent.chat()
    assert (got.status, got.code) == (504, "vendor_slow")
    eventually(lambda: bool(vendor.seen))
    assert vendor.seen[0].left_early.wait(30)
    assert agent.calls()[0]["status"] == "error"


def test_a_stream_that_stalls_ends_in_an_error_event(impatient_gateway, make_agent, vendor):
    agent = make_agent(impatient_gateway(idle=0.4).port)
    vendor.script = stream([STREAM[0]], linger=60)
    got = agent.stream()
    assert got.body.startswith(STREAM[0])
    assert b'"code":"vendor_slow"' in got.body
    assert agent.calls()[0]["status"] == "incomplete"


def test_a_reader_that_stops_is_left(impatient_gateway, make_agent, vendor):
    async def flood(seen: Seen, writer: Any) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        )
        while True:
            writer.write(chunk_event("x" * 60_000))
            await writer.drain()

    agent = make_agent(impatient_gateway(reader=1.0).port)
    vendor.script = flood
    line, answer = agent.open_stream()
    answer.readline()
    eventually(lambda: len(agent.calls()) == 1)
    assert agent.calls()[0]["status"] == "cancelled"
    line.close()


def hang_up(line: Any) -> None:
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.sock.close()
    line.close()


def open_payload(rig: Any, world: Any, entry: dict[str, Any]) -> bytes:
    from kernel.opening import PrivateRing
    from ledger.datakeys import identity
    from ledger.entries import DataKeyInUse, decrypt_payload

    dek = entry["payload"]["dek"]
    ((scope, data_class, ring_key, wrapped),) = world.query(
        "SELECT scope, data_class, ring_key_id, wrapped_key FROM ledger_datakey WHERE dek_id = %s",
        dek,
    )
    ((nonce, ciphertext),) = world.query(
        "SELECT nonce, ciphertext FROM ledger_payload WHERE entry_id = %s", entry["id"]
    )
    ring = PrivateRing.load(rig.keys_dir, "payload")
    key = ring.unwrap(ring_key, bytes(wrapped), identity(dek, scope, data_class))
    return decrypt_payload(bytes(nonce), bytes(ciphertext), DataKeyInUse(dek, key), entry["id"])[1]
