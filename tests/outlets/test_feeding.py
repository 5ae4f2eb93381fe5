"""Feeds against real receivers: in order, at least once, through every kind of trouble."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction

from config.places import BASE_DIR
from credentials.errors import AddressRefused
from kernel import clock
from ledger.models import Entry
from outlets.actions.feeding import send_feeds
from outlets.actions.feeds import Wanted, add_feed, pause_feed, remove_feed, resume_feed, try_feed
from outlets.errors import FeedNotUsable
from outlets.models import Feed
from outlets.queries.feeds import lag_of
from registry.actors import Actor
from tests.factories import Cast, actor, client_of
from tests.ledger.test_verification import call
from tests.ledger.trees import Tree
from tests.outlets.receivers import http_collector, server_context, syslog_server

pytestmark = pytest.mark.django_db(transaction=True)
WORKER = Actor.system("feeds")
SECRET = "hec-canary-51f0c7a29b"


def make_feed(cast: Cast, **over: Any) -> Feed:
    given: dict[str, Any] = {
        "name": "siem", "kind": "http", "format": "json", "from_start": True,
    }  # fmt: skip
    return add_feed(Wanted(**given | over), actor=actor(cast.pat))


def send() -> int:
    Feed.objects.update(again_at=None)
    return send_feeds(actor=WORKER)


def ids() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("entry_id", flat=True))


def test_an_entry_that_is_gone_is_told_in_its_place(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    row = Entry.objects.filter(stream=run.run_id).order_by("id")[1]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM ledger_entry WHERE id = %s", [row.pk])
    with http_collector() as collector:
        make_feed(cast, address=collector.address, kinds=("change",))
        send()
        found = [one for one in collector.events if one["verb"] == "entry.unreadable"]
    assert [one["severity"] for one in found] == [10]
    assert bytes.fromhex(found[0]["leaf_hash"]) == bytes(row.leaf_hash)


def test_entries_arrive_in_order_once_sequenced(cast: Cast, run: Any) -> None:
    tree = Tree().open()
    with http_collector() as collector:
        feed = make_feed(cast, address=collector.address)
        assert send() == 0  # nothing is sequenced yet
        tree.grow()
        send()
        call("run_x")
        tree.grow()
        send()
    assert [event["id"] for event in collector.events] == ids()
    assert [event["index"] for event in collector.events] == list(range(len(ids())))
    feed.refresh_from_db()
    assert (feed.sent, lag_of(feed).entries, feed.state) == (len(ids()), 0, "running")
    assert "a question" not in str(collector.bodies)


def test_a_receiver_that_is_down_loses_nothing(cast: Cast, run: Any) -> None:
    tree = Tree().open()
    tree.grow()
    with http_collector() as collector:
        feed = make_feed(cast, address=collector.address)
        tree.grow()
        collector.status = 503
        assert send() == 0
        feed.refresh_from_db()
        assert (feed.state, feed.failure) == ("failing", "It answered 503.")
        assert feed.again_at is not None
        assert feed.again_at > clock.now()
        assert send_feeds(actor=WORKER) == 0  # it waits
        assert lag_of(feed).entries == len(ids())
        collector.status = 200
        send()
    assert [event["id"] for event in collector.events] == ids()
    feed.refresh_from_db()
    assert (feed.failures, feed.failing_since) == (0, None)


def test_syslog_over_tls_arrives_whole(cast: Cast, run: Any, tmp_path: Path) -> None:
    Tree().open().grow()
    context, authority = server_context(tmp_path)
    with syslog_server(context) as collector:
        make_feed(
            cast, kind="syslog+tls", format="cef", address=f"127.0.0.1:{collector.port}",
            ca_pem=authority,
        )  # fmt: skip
        send()
        _until(lambda: len(collector.messages) >= 6)
    assert all(" CEF:0|Unsprawl|" in message for message in collector.messages)
    assert len(collector.messages) == 6


def test_a_receiver_that_cannot_prove_itself_gets_nothing(
    cast: Cast, run: Any, tmp_path: Path
) -> None:
    Tree().open().grow()
    context, _ = server_context(tmp_path)
    with syslog_server(context) as collector:
        feed = make_feed(cast, kind="syslog+tls", address=f"127.0.0.1:{collector.port}")
        assert send() == 0
        assert collector.messages == []
    feed.refresh_from_db()
    assert "TLS" in feed.failure


def test_a_collector_that_hangs_up_is_sent_everything_again(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    with syslog_server() as collector:
        collector.rude = True
        feed = make_feed(cast, kind="syslog+tcp", address=f"127.0.0.1:{collector.port}")
        send()
        feed.refresh_from_db()
        assert feed.index == -1
        collector.rude = False
        collector.answers = b"go away\n"
        send()
        _until(lambda: len(collector.messages) >= 6)
    events = [json.loads(message.split(" ", 7)[7]) for message in collector.messages]
    assert [event["id"] for event in events][-6:] == ids()[:6]


def test_a_collector_that_is_gone_is_tried_later_each_time(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    feed = make_feed(cast, kind="syslog+tcp", address="127.0.0.1:1")
    pauses = []
    for _ in range(3):
        send()
        feed.refresh_from_db()
        assert feed.again_at is not None
        pauses.append((feed.again_at - clock.now()).total_seconds())
    assert pauses == sorted(pauses)
    assert feed.failures == 3


def test_filters_let_through_what_was_asked_for(cast: Cast, run: Any) -> None:
    tree = Tree().open()
    with http_collector() as collector:
        make_feed(cast, address=collector.address, verbs=("feed.",), min_severity=3)
        tree.grow()
        send()
        feed = Feed.objects.get()
    assert [event["verb"] for event in collector.events] == ["feed.added"]
    assert (feed.passed, lag_of(feed).entries) == (len(ids()) - 1, 0)


def test_a_killed_worker_leaves_no_gap(
    cast: Cast, run: Any, owner_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(40):
        call("run_x")
    tree = Tree().open()
    with http_collector() as collector:
        make_feed(cast, address=collector.address)
        tree.grow()
        script = (
            "import django; django.setup()\n"
            "from outlets.actions import feeding; from registry.actors import Actor\n"
            "feeding.BATCH = 3\n"
            "feeding.send_feeds(actor=Actor.system('feeds'))\n"
        )
        environment = {
            "PATH": os.environ["PATH"], "DATABASE_URL": owner_address,
            "DJANGO_SETTINGS_MODULE": "config.settings", "UNSPRAWL_OPENS": "tool",
            "UNSPRAWL_KEYS_DIR": str(django_settings.KEYS_DIR),
            "UNSPRAWL_DATA_DIR": str(django_settings.DATA_DIR),
        }  # fmt: skip
        command = [sys.executable, "-W", "ignore", "-c", script]
        for kills in range(3):
            worker = subprocess.Popen(command, cwd=BASE_DIR, env=environment)
            _until(lambda kills=kills: len(collector.bodies) > kills * 5)
            worker.kill()
            worker.wait()
            Feed.objects.update(leased_until=None)
        send()
    arrived = [event["id"] for event in collector.events]
    assert list(dict.fromkeys(arrived)) == ids()


def _until(holds: Any, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_secret_is_sent_and_shown_nowhere(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    with http_collector() as collector:
        feed = make_feed(
            cast, format="hec", address=collector.address, auth_header="Authorization",
            auth_scheme="Splunk", secret=SECRET,
        )  # fmt: skip
        send()
        shown = client_of(cast.sam).get(f"/api/v1/feeds/{feed.public_id}").content
    assert collector.headers[0]["Authorization"] == f"Splunk {SECRET}"
    assert SECRET.encode() not in shown
    assert not any(SECRET.encode() in bytes(row.header) for row in Entry.objects.all())
    assert all("event" in json.loads(line) for line in collector.bodies[0].splitlines())


def test_a_test_sends_one_event_and_says_how_it_went(cast: Cast) -> None:
    with http_collector() as collector:
        feed = make_feed(cast, address=collector.address)
        pause_feed(feed, actor=actor(cast.sam), reason="maintenance")
        try_feed(feed, actor=actor(cast.sam))
        send()
        assert [event["verb"] for event in collector.events] == ["feed.tested"]
        feed.refresh_from_db()
        assert (feed.test_result, feed.index) == ("ok", -1)
        resume_feed(feed, actor=actor(cast.sam))
        collector.status = 401
        try_feed(feed, actor=actor(cast.sam))
        send()
    feed.refresh_from_db()
    assert feed.test_result == "It answered 401."


def test_a_removed_feed_sends_nothing_and_frees_its_name(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    with http_collector() as collector:
        feed = make_feed(cast, address=collector.address)
        remove_feed(feed, actor=actor(cast.sam))
        assert send() == 0
        make_feed(cast, address=collector.address)
    assert Entry.objects.filter(verb="feed.removed").count() == 1


def test_what_is_not_public_is_for_the_platform_to_allow(cast: Cast) -> None:
    wanted = Wanted(name="siem", kind="http", format="json", address="https://10.0.0.9/x")
    with pytest.raises(AddressRefused):
        add_feed(wanted, actor=actor(cast.sam))
    add_feed(wanted, actor=actor(cast.pat))
    for kind, address in (("syslog+tls", "10.0.0.9:6514"), ("syslog+tls", "169.254.169.254:514")):
        with pytest.raises(AddressRefused):
            add_feed(
                Wanted(name="other", kind=kind, format="json", address=address),
                actor=actor(cast.sam),
            )
    with pytest.raises(AddressRefused):
        add_feed(
            Wanted(name="meta", kind="syslog+tcp", format="cef", address="169.254.169.254:80"),
            actor=actor(cast.pat),
        )
    with pytest.raises(FeedNotUsable):
        add_feed(
            Wanted(name="plain", kind="syslog+udp", format="cef", address="8.8.8.8:514"),
            actor=actor(cast.sam),
        )


def test_feeds_are_for_those_who_oversee(cast: Cast) -> None:
    body = {"name": "siem", "kind": "http", "format": "json", "address": "https://siem.example/x"}
    for name, status in (("alice", 403), ("ann", 403), ("sam", 201)):
        assert client_of(getattr(cast, name)).post("/api/v1/feeds", body).status_code == status
    listed = {
        name: client_of(getattr(cast, name)).get("/api/v1/feeds").status_code
        for name in ("alice", "mallory", "sam", "pat", "ann")
    }
    assert listed == {"alice": 403, "mallory": 403, "sam": 200, "pat": 200, "ann": 200}
    feed = Feed.objects.get()
    for verb in ("pause", "resume", "test"):
        address = f"/api/v1/feeds/{feed.public_id}/{verb}"
        assert client_of(cast.ann).post(address).status_code == 403
        assert client_of(cast.sam).post(address).status_code in {200, 202}
    assert client_of(cast.ann).delete(f"/api/v1/feeds/{feed.public_id}").status_code == 403
    assert client_of(cast.sam).delete(f"/api/v1/feeds/{feed.public_id}").status_code == 204


def test_a_name_is_taken_once_and_nonsense_is_refused(cast: Cast) -> None:
    make_feed(cast, address="http://127.0.0.1:9/x")
    for over in (
        {}, {"name": "Über"}, {"name": "b", "format": "hec", "kind": "syslog+tcp"},
        {"name": "b", "kinds": ("nothing",)}, {"name": "b", "verbs": ("*",)},
        {"name": "b", "auth_header": "X-Key"}, {"name": "b", "secret": "x" * 30},
        {"name": "b", "auth_header": "Content-Type", "secret": "x" * 30},
        {"name": "b", "auth_header": "Host", "secret": "x" * 30},
        {"name": "b", "auth_header": "Content-Length", "secret": "x" * 30},
        {"name": "b", "auth_header": "transfer-encoding", "secret": "x" * 30},
    ):  # fmt: skip
        with pytest.raises(FeedNotUsable):
            make_feed(cast, **{"address": "http://127.0.0.1:9/x", **over})
