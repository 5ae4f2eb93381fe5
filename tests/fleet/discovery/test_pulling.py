"""Connected accounts, read over the wire in their vendors' shapes: pages, refusals, limits."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from fleet.discovery.actions.pulling import pull_sources
from fleet.discovery.actions.sources import (
    WantedSource,
    add_source,
    ask_source,
    follow_schedules,
    remove_source,
)
from fleet.discovery.errors import DiscoverySourceNotUsable, SourceIsRead
from fleet.discovery.models import Finding, Reading, Source
from kernel import clock
from registry.actors import Actor, RoleMissing
from tests.factories import Cast, actor
from tests.fleet.discovery.test_inventories import ANTHROPIC, OPENAI_COST, OPENAI_KEY, OPENAI_USAGE
from tests.fleet.discovery.test_readings import everything

pytestmark = pytest.mark.django_db
WORKER = Actor.system("discovery")
SECRET = "sk-" + "admin-" + "Zt4Wm9Xc2Vb6Nn1Lk8Jh5"


@dataclass
class Vendor:
    """A vendor's admin API on loopback."""

    url: str = ""
    answers: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, list[str]], dict[str, str]]] = field(default_factory=list)
    answer: Callable[[str, dict[str, list[str]]], tuple[int, Any]] | None = None


@contextmanager
def vendor() -> Iterator[Vendor]:
    kept = Vendor()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            kept.asked.append((parts.path, parse_qs(parts.query), dict(self.headers.items())))
            waiting = kept.answers.get(parts.path, [(404, {})])
            if kept.answer is not None:
                status, body = kept.answer(parts.path, parse_qs(parts.query))
            else:
                status, body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    kept.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()


def connected(cast: Cast, kind: str, url: str) -> Source:
    return add_source(WantedSource(f"acme-{kind}", kind, SECRET, url), actor=actor(cast.pat))


def test_an_openai_organisation_is_read_page_after_page(cast: Cast) -> None:
    keys = "/v1/organization/projects/proj_1/api_keys"
    with vendor() as door:
        door.answers = {
            "/v1/organization/projects": [(200, {"data": [{"id": "proj_1", "name": "Finance"}],
                                                 "has_more": False})],
            keys: [
                (200, {"data": [OPENAI_KEY], "has_more": True, "last_id": "key_7aa1"}),
                (200, {"data": [OPENAI_KEY | {"id": "key_2"}], "has_more": False}),
            ],
            "/v1/organization/usage/completions": [
                (429, {}),
                (200, OPENAI_USAGE | {"has_more": True, "next_page": "p2"}),
                (200, {"data": [], "has_more": False}),
            ],
            "/v1/organization/costs": [(200, {"data": [{"results": [OPENAI_COST]}]})],
        }  # fmt: skip
        source = connected(cast, "openai", door.url)
        assert pull_sources(actor=WORKER) == 1

    found = list(Finding.objects.all())
    assert len(found) == 2
    assert max(finding.cost_micros for finding in found) == 1_250_000
    pages = [query for path, query, _ in door.asked if path == keys]
    assert [page.get("after") for page in pages] == [None, ["key_7aa1"]]
    assert pages[0]["owner_project_access"] == ["any"]
    assert {headers["Authorization"] for _, _, headers in door.asked} == {f"Bearer {SECRET}"}
    source.refresh_from_db()
    assert source.next_at > clock.now()
    assert SECRET not in everything()


def test_an_anthropic_organisation_is_joined_with_its_usage(cast: Cast) -> None:
    with vendor() as door:
        door.answers = {
            "/v1/organizations/users": [(200, ANTHROPIC[0])],
            "/v1/organizations/api_keys": [(200, ANTHROPIC[1])],
            "/v1/organizations/usage_report/messages": [(200, ANTHROPIC[2])],
            "/v1/organizations/cost_report": [(200, {"data": [{"results": [ANTHROPIC[3]]}]})],
        }
        connected(cast, "anthropic", door.url)
        pull_sources(actor=WORKER)

    batch = Finding.objects.get(title__contains="batch")
    assert (batch.cost_micros, batch.calls) == (1_234_500, 1)
    assert door.asked[0][2]["x-api-key"] == SECRET


def spent(number: int, **over: Any) -> dict[str, Any]:
    """One row of a LiteLLM proxy's log."""
    at = clock.now() - timedelta(hours=2)
    return {
        "request_id": f"chatcmpl-{number}", "call_type": "acompletion", "api_key": "ab" * 32,
        "spend": 0.001, "total_tokens": 30, "startTime": at.isoformat(), "model": "gpt-5",
        "custom_llm_provider": "openai", "user": "", "status": "success",
        "metadata": {"user_api_key_alias": "nightly"},
    } | over  # fmt: skip


def page_of(query: dict[str, list[str]], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Answer as a proxy does that gives its log by pages."""
    number, size = int(query["page"][0]), int(query["page_size"][0])
    since, until = query["start_date"][0], query["end_date"][0]
    held = [row for row in rows if since <= row["startTime"][:19].replace("T", " ") <= until]
    return {
        "data": held[(number - 1) * size : number * size], "total": len(held),
        "page": number, "page_size": size, "total_pages": -(-len(held) // size),
    }  # fmt: skip


def test_a_proxys_log_is_read_by_pages_and_no_row_twice(cast: Cast) -> None:
    midnight = clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = [spent(number, startTime=(midnight - timedelta(days=2)).isoformat())
            for number in range(3)]  # fmt: skip
    rows += [spent(number) for number in range(3, 253)]
    rows.sort(key=lambda row: row["startTime"])
    with vendor() as door:
        door.answer = lambda path, query: (
            (200, page_of(query, rows)) if path == "/v1/spend/logs/v2" else (404, {})
        )
        source = connected(cast, "litellm", door.url)
        pull_sources(actor=WORKER)

    source.refresh_from_db()
    assert source.failure == ""
    found = Finding.objects.get()
    assert (found.title, found.calls, found.cost_micros) == ("LiteLLM nightly", 253, 253_000)
    asked = [query for path, query, _ in door.asked]
    assert {query["page_size"][0] for query in asked} == {"100"}
    assert len(asked) >= 33
    assert {path for path, _, _ in door.asked} == {"/v1/spend/logs/v2"}


def test_a_proxy_without_pages_is_read_at_once(cast: Cast) -> None:
    with vendor() as door:
        door.answers = {"/v1/spend/logs": [(200, [spent(1), spent(2)])]}
        connected(cast, "litellm", door.url)
        pull_sources(actor=WORKER)

    assert Finding.objects.get().calls == 2
    assert [path for path, _, _ in door.asked] == ["/v1/spend/logs/v2", "/v1/spend/logs"]
    assert door.asked[-1][1]["summarize"] == ["false"]


def test_a_log_whose_pages_break_off_or_repeat_is_not_stored(cast: Cast) -> None:
    full = {"data": [spent(number) for number in range(100)], "total_pages": 9}
    for answers in ([(200, full)], [(200, full), (403, {})]):
        with vendor() as door:
            door.answers = {"/v1/spend/logs/v2": answers}
            source = connected(cast, "litellm", door.url)
            pull_sources(actor=WORKER)
        source.refresh_from_db()
        assert ("circle" in source.failure) or ("admin key" in source.failure)
        assert not Finding.objects.exists()
        remove_source(source, actor=actor(cast.pat))


@pytest.mark.parametrize(
    ("status", "said"), [(401, "not accepted"), (403, "admin key"), (429, "fewer requests")]
)
def test_a_refusal_is_said_in_words_and_tried_again_later(
    cast: Cast, status: int, said: str
) -> None:
    with vendor() as door:
        door.answers = {"/v1/organization/projects": [(status, {"error": {"message": SECRET}})]}
        source = connected(cast, "openai", door.url)
        pull_sources(actor=WORKER)

    source.refresh_from_db()
    assert said in source.failure
    assert source.failures == 1
    assert source.next_at > clock.now()
    assert Reading.objects.get().state == "failed"
    assert SECRET not in everything()


def test_half_an_inventory_is_not_stored(cast: Cast) -> None:
    with vendor() as door:
        door.answers = {
            "/v1/organization/projects": [(200, {"data": [{"id": "proj_1"}]})],
            "/v1/organization/projects/proj_1/api_keys": [(200, {"data": [OPENAI_KEY]})],
        }
        connected(cast, "openai", door.url)
        pull_sources(actor=WORKER)

    assert not Finding.objects.exists()


def test_a_source_is_read_once_at_a_time_and_by_the_clock(cast: Cast) -> None:
    source = connected(cast, "openai", "http://127.0.0.1:9/v1")
    with pytest.raises(SourceIsRead):
        ask_source(source, actor=actor(cast.sam))
    assert follow_schedules(actor=WORKER) == 0
    pull_sources(actor=WORKER)
    Source.objects.update(next_at=clock.now())
    assert follow_schedules(actor=WORKER) == 1

    remove_source(source, actor=actor(cast.pat))
    assert follow_schedules(actor=WORKER) == 0
    assert not Reading.objects.filter(finished_at=None).exists()


def test_only_the_platform_connects_and_with_something_usable(cast: Cast) -> None:
    with pytest.raises(RoleMissing):
        add_source(WantedSource("acme", "openai", SECRET), actor=actor(cast.sam))
    for wanted in (
        WantedSource("Acme!", "openai", SECRET),
        WantedSource("acme", "openai", ""),
        WantedSource("acme", "litellm", SECRET),
        WantedSource("acme", "openai", SECRET, every_hours=0),
    ):
        with pytest.raises(DiscoverySourceNotUsable):
            add_source(wanted, actor=actor(cast.pat))
