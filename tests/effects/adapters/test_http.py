from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from effects.adapters.adapter import Ending, Lent, Place, Work
from effects.adapters.errors import ArgumentsRefused, SettingsInvalid
from effects.adapters.http import HttpAdapter
from tests.effects.adapters.contract import HIDDEN, KEY, AdapterContract, Case
from tests.effects.sinks import HttpSink, http_sink, tls_before
from tests.outlets.receivers import server_context
from tests.ports import free_port

ADAPTER = HttpAdapter()
TEMPLATE: dict[str, Any] = {
    "method": "POST",
    "path": "/v1/customers/{customer}/notes",
    "query": {"notify": {"$argument": "/notify", "absent": "omit"}},
    "headers": {"X-Source": "unsprawl"},
    "json": {"amount": {"$argument": "/amount"}, "lines": [{"text": {"$argument": "/memo"}}]},
    "idempotency_header": "Idempotency-Key",
    "fence_header": "X-Claim",
    "reference": "/id",
}
LOOKUP: dict[str, Any] = {
    "path": "/v1/notes",
    "query": {"key": {"$key": True}},
    "done": {"pointer": "/items/0/key", "equals": {"$key": True}},
    "reference": "/items/0/id",
}
ARGUMENTS: dict[str, Any] = {"customer": "c/1 ü", "amount": 12, "memo": 'say "hi"', "notify": True}


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with http_sink() as running:
        yield running


def place_at(url: str, **over: Any) -> Place:
    return Place("crm", {"base_url": url, **over}, allow_private=True, gaps=("Authorization",))


def case_of(sink: HttpSink, idempotency: str) -> Case:
    def breaks() -> None:
        sink.breaks = "after"

    def refuses() -> None:
        sink.status = 422

    return Case(
        ADAPTER,
        place_at(sink.url),
        Work("note", TEMPLATE, LOOKUP),
        dict(ARGUMENTS),
        "memo",
        lambda: len(sink.done),
        place_at(f"http://127.0.0.1:{free_port()}"),
        refuses,
        breaks,
        idempotency,
        Lent({"Authorization": f"Bearer {HIDDEN}"}),
    )


class TestNative(AdapterContract):
    @pytest.fixture
    def case(self, sink: HttpSink) -> Case:
        return case_of(sink, "native")


class TestLookup(AdapterContract):
    @pytest.fixture
    def case(self, sink: HttpSink) -> Case:
        return case_of(sink, "lookup")


def test_what_was_shown_is_what_arrives(sink: HttpSink) -> None:
    place = place_at(sink.url + "/api")
    plan = ADAPTER.plan(place, Work("note", TEMPLATE), ARGUMENTS, KEY)
    assert plan.parts == (
        ("request", f"POST {sink.url}/api/v1/customers/c%2F1%20%C3%BC/notes?notify=true"),
        ("header Content-Type", "application/json"),
        ("header Idempotency-Key", KEY),
        ("header X-Source", "unsprawl"),
        ("header X-Claim", "•#•"),
        ("header Authorization", "•••"),
        ("body", '{"amount":12,"lines":[{"text":"say \\"hi\\""}]}'),
        ("reference in the answer", "/id"),
    )
    lent = Lent({"Authorization": "Bearer s3"})
    sent = ADAPTER.send(place, plan, lent, key=KEY, fence=7)
    assert (sent.ending, sent.status, sent.reference) == (Ending.DONE, "http:201", "thing-1")
    asked = sink.asked[0]
    assert asked.path == "/api/v1/customers/c%2F1%20%C3%BC/notes?notify=true"
    assert asked.body.decode() == plan.parts[6][1]
    assert asked.headers["authorization"] == "Bearer s3"
    assert asked.headers["x-claim"] == "7"
    assert asked.headers["host"] == f"127.0.0.1:{sink.port}"


HOSTILE = [
    "..admin", "a/b", "a?b=c", "a#b", "a&b=c", "a..b/c", "a\r\nX-Evil: 1", "@evil.example",
    "//evil.example/", "a;b", "a=b", "ünïcode", "a b", "\u202e", "{memo}", '"}],"admin":true',
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
def test_an_argument_stays_one_segment_one_parameter_and_one_value(
    sink: HttpSink, value: str
) -> None:
    from urllib.parse import parse_qsl, unquote, urlsplit

    template = TEMPLATE | {"query": {"q": {"$argument": "/memo"}}, "form": {}}
    template = {name: given for name, given in template.items() if name != "json"} | {
        "form": {"note": {"$argument": "/memo"}, "last": "x"}
    }
    given = ARGUMENTS | {"customer": value, "memo": value}
    place = place_at(sink.url)
    plan = ADAPTER.plan(place, Work("note", template), given, KEY)
    assert ADAPTER.send(place, plan, Lent(), key=KEY, fence=1).ending is Ending.DONE
    read = urlsplit(sink.asked[0].path)
    assert [unquote(part) for part in read.path.split("/")] == [
        "", "v1", "customers", value, "notes",
    ]  # fmt: skip
    assert parse_qsl(read.query, strict_parsing=True) == [("q", value)]
    body = sink.asked[0].body.decode()
    assert parse_qsl(body, strict_parsing=True) == [("note", value), ("last", "x")]
    assert "x-evil" not in sink.asked[0].headers


@pytest.mark.parametrize(
    "value",
    [
        "", ".", "..", 1.5, None, ["a"], {"a": 1}, "../../admin", "a/../b", "a\\..\\b", "%2e%2e",
        "a%2f..%2fb", "x%252F%252e%252e%252Fy", "./a", "..;/admin",
    ],
)  # fmt: skip
def test_what_can_be_no_segment_is_refused(value: object) -> None:
    with pytest.raises(ArgumentsRefused):
        ADAPTER.plan(
            place_at("http://127.0.0.1:1"),
            Work("n", TEMPLATE),
            ARGUMENTS | {"customer": value},
            KEY,
        )


def test_a_header_takes_no_line_break(sink: HttpSink) -> None:
    template = TEMPLATE | {"headers": {"X-Note": {"$argument": "/memo"}}}
    for value in ("a\r\nX-Evil: 1", "a\nb", "ü", " a", "\x00"):
        with pytest.raises(ArgumentsRefused):
            ADAPTER.plan(place_at(sink.url), Work("n", template), ARGUMENTS | {"memo": value}, KEY)
    assert sink.asked == []


@pytest.mark.parametrize("number", [2**53 + 1, float("nan"), float("inf")])
def test_a_number_that_two_readers_would_read_differently_is_refused(number: float) -> None:
    with pytest.raises(ArgumentsRefused):
        ADAPTER.plan(
            place_at("http://127.0.0.1:1"), Work("n", TEMPLATE), ARGUMENTS | {"amount": number}, KEY
        )


BAD_PLACES: list[tuple[dict[str, Any], bool]] = [
    ({"base_url": "http://crm.example.com"}, False),
    ({"base_url": "https://127.0.0.1"}, False),
    ({"base_url": "https://169.254.169.254"}, True),
    ({"base_url": "https://user:pw@crm.example.com"}, False),
    ({"base_url": "https://crm.example.com/?a=b"}, False),
    ({"base_url": "https://crm.example.com", "timeout_seconds": 600}, False),
    ({"base_url": 7}, False),
    ({}, False),
]


@pytest.mark.parametrize(("settings", "private"), BAD_PLACES)
def test_a_place_that_cannot_be_one_is_refused(settings: dict[str, Any], private: bool) -> None:
    with pytest.raises(SettingsInvalid):
        ADAPTER.check_place(Place("crm", settings, allow_private=private))


BAD_TEMPLATES: list[dict[str, Any]] = [
    {"method": "CONNECT"},
    {"path": "//evil.example/x"} | {"path": "v1"},
    {"path": "/v1/../admin"},
    {"path": "/v1/%2e%2e/admin"},
    {"path": "/v1/{customer"},
    {"path": "/v1/{a.b}"},
    {"path": "/v1?x={customer}"},
    {"headers": {"Host": "evil.example"}},
    {"headers": {"Authorization": "Bearer x"}},
    {"headers": {"Transfer-Encoding": "chunked"}},
    {"headers": {"X-A": "a\r\nb"}},
    {"headers": {"X A": "a"}},
    {"idempotency_header": "Content-Length"},
    {"json": {"a": {"$argument": "amount"}}},
    {"json": {"a": {"$argument": "/amount", "default": 1}}},
    {"json": {"a": {"$secret": "x"}}},
    {"form": {"a": "b"}},
    {"query": {"a": {"b": "c"}}},
    {"reference": "id"},
]


@pytest.mark.parametrize("change", BAD_TEMPLATES)
def test_a_template_that_cannot_be_one_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid) as refused:
        ADAPTER.check_work(
            place_at("https://crm.example.com"), Work("note", TEMPLATE | change, LOOKUP)
        )
    assert str(refused.value.facts["field"]).startswith("template/")


STATUSES = [
    (200, Ending.DONE), (204, Ending.DONE), (301, Ending.UNKNOWN), (303, Ending.UNKNOWN),
    (307, Ending.NOT_DONE), (400, Ending.NOT_DONE), (401, Ending.NOT_DONE), (404, Ending.NOT_DONE),
    (408, Ending.UNKNOWN), (409, Ending.UNKNOWN), (422, Ending.NOT_DONE), (425, Ending.NOT_DONE),
    (429, Ending.NOT_DONE), (500, Ending.UNKNOWN), (502, Ending.UNKNOWN), (503, Ending.UNKNOWN),
]  # fmt: skip


@pytest.mark.parametrize(("status", "ending"), STATUSES)
def test_a_status_says_how_it_ended(sink: HttpSink, status: int, ending: Ending) -> None:
    sink.status = status
    assert case_of(sink, "native").send().ending is ending


def test_a_conflict_without_a_key_is_a_refusal(sink: HttpSink) -> None:
    sink.status = 409
    template = {k: v for k, v in TEMPLATE.items() if k != "idempotency_header"}
    case = replace(case_of(sink, "none"), work=Work("note", template))
    assert case.send().ending is Ending.NOT_DONE


@pytest.mark.parametrize(
    ("status", "given", "pause"), [(429, "7", 7.0), (429, "", 5.0), (503, "9", 9.0)]
)
def test_the_other_side_says_when_to_come_back(
    sink: HttpSink, status: int, given: str, pause: float
) -> None:
    sink.status, sink.answer_headers = status, {"Retry-After": given} if given else {}
    assert case_of(sink, "native").send().retry_after_seconds == pause


def test_a_status_that_arrived_tells_the_end_though_the_body_is_too_large(sink: HttpSink) -> None:
    sink.answer = lambda asked: (201, b"x" * 400_000)
    sent = case_of(sink, "native").send()
    assert (sent.ending, sent.status) == (Ending.DONE, "http:201")


def test_silence_after_the_request_is_not_known(sink: HttpSink) -> None:
    sink.delay = 60.0
    case = case_of(sink, "native")
    place = place_at(sink.url, timeout_seconds=1)
    assert case.send(place=place).ending is Ending.UNKNOWN


def test_a_certificate_that_nobody_vouches_for_stops_it_before_a_byte(
    sink: HttpSink, tmp_path: Path
) -> None:
    context, _ = server_context(tmp_path)
    with tls_before(context, sink.port) as port:
        sent = case_of(sink, "none").send(place=place_at(f"https://localhost:{port}"))
    assert (sent.ending, sent.status) == (Ending.NOT_DONE, "unsent:tls")
    assert sink.asked == []


def test_a_look_up_that_is_not_answered_is_not_known(sink: HttpSink) -> None:
    case = case_of(sink, "lookup")
    sink.answer = lambda asked: (500, {})
    assert case.look_up().ending is Ending.UNKNOWN
    sink.answer = lambda asked: (200, b"<html>")
    assert case.look_up().ending is Ending.UNKNOWN
    sink.answer = lambda asked: (200, {"items": [{"key": 5}]})
    assert case.look_up().ending is Ending.NOT_DONE
