"""Catalogue documents that others publish: followed, left alone when unchanged, dropped."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from credentials.egress import GuardedClient
from kernel import clock
from kernel.refs import new_id
from ledger.models import Entry
from registry.actors import RoleMissing
from routing.actions.feeds import add_feed, follow_due_feeds, follow_feed, look_now, remove_feed
from routing.errors import FeedExists, FeedInvalid, FeedNotFound
from routing.models import CatalogueFeed, LifecycleRow, Price
from tests.factories import actor, make_model, make_person, make_vendor, operator

pytestmark = pytest.mark.django_db
URL = "https://feeds.example.com/.well-known/model-eol.json"


@pytest.fixture
def pat(db):
    return actor(make_person("pat", "platform"))


def made(url: str) -> CatalogueFeed:
    now = clock.now()
    return CatalogueFeed.objects.create(
        public_id=new_id("ctf"), url=url, next_at=now, added_by="x:y", added_at=now
    )


def document(shutdown: str) -> dict[str, object]:
    model = {"id": "gpt-5", "shutdown": shutdown, "date_precision": "earliest"}
    return {
        "spec": "model-eol/0.1",
        "publisher": "openai",
        "generated": "2026-11-20T00:00:00Z",
        "models": [model],
    }


def test_a_feed_is_followed_and_asked_only_for_what_is_new(httpserver):
    model = make_model(make_vendor("openai", platform="openai"), "gpt-5")
    feed = made(httpserver.url_for("/feed.json"))
    client = GuardedClient(allow_private=True, max_bytes=10**6)
    httpserver.expect_ordered_request("/feed.json").respond_with_json(
        document("2026-12-11"), headers={"ETag": '"1"'}
    )
    httpserver.expect_ordered_request(
        "/feed.json", headers={"If-None-Match": '"1"'}
    ).respond_with_data("", status=304)
    loaded = follow_feed(feed, actor=operator(), client=client)
    assert loaded is not None
    assert (loaded.rows, loaded.models_changed, feed.etag) == (1, 1, '"1"')
    model.refresh_from_db()
    assert (model.retires_on, model.date_precision) == (date(2026, 12, 11), "earliest")
    assert model.fate_from == "feed"
    assert follow_feed(feed, actor=operator(), client=client) is None
    feed.refresh_from_db()
    assert (feed.code, feed.rows) == ("", 1)
    assert feed.checked_at is not None
    assert feed.next_at == feed.checked_at + timedelta(hours=1)


def test_what_cannot_be_fetched_or_read_is_said_and_nothing_is_lost(httpserver):
    feed = made(httpserver.url_for("/feed.json"))
    client = GuardedClient(allow_private=True)
    httpserver.expect_ordered_request("/feed.json").respond_with_json(document("2026-12-11"))
    httpserver.expect_ordered_request("/feed.json").respond_with_data("gone", status=410)
    httpserver.expect_ordered_request("/feed.json").respond_with_json(document("soon"))
    httpserver.expect_ordered_request("/feed.json").respond_with_data("<html>")
    codes = []
    for _ in range(4):
        follow_feed(feed, actor=operator(), client=client)
        codes.append(feed.code)
    assert codes == ["", "http_410", "unreadable", "unreadable"]
    assert LifecycleRow.objects.get().retires_on == date(2026, 12, 11)
    inside = made("https://127.0.0.1/feed.json")
    follow_feed(inside, actor=operator())
    assert inside.code == "unreachable"


def test_a_feed_that_fails_says_since_when_and_is_looked_at_again_within_the_hour(httpserver):
    feed = made(httpserver.url_for("/feed.json"))
    CatalogueFeed.objects.filter(pk=feed.pk).update(every_hours=720)
    feed.refresh_from_db()
    client = GuardedClient(allow_private=True)
    httpserver.expect_ordered_request("/feed.json").respond_with_data("gone", status=410)
    httpserver.expect_ordered_request("/feed.json").respond_with_data("<html>")
    httpserver.expect_ordered_request("/feed.json").respond_with_json(document("2026-12-11"))
    follow_feed(feed, actor=operator(), client=client)
    since = feed.failing_since
    assert since is not None
    assert feed.next_at == since + timedelta(hours=1)
    follow_feed(feed, actor=operator(), client=client)
    feed.refresh_from_db()
    assert (feed.failures, feed.failing_since, feed.code) == (2, since, "unreadable")
    follow_feed(feed, actor=operator(), client=client)
    feed.refresh_from_db()
    assert (feed.failures, feed.failing_since, feed.code) == (0, None, "")
    assert feed.checked_at is not None
    assert feed.next_at == feed.checked_at + timedelta(hours=720)


def test_a_feed_sets_no_price(httpserver):
    model = make_model(make_vendor("openai", platform="openai"), "gpt-5")
    dear = {"platform": "openai", "model_id": "gpt-5", "input_micros_per_mtok": 1_250_000}
    Price.objects.create(
        **dear, source="genai-prices 0.2", as_of="2026-11-21", loaded_at=clock.now()
    )
    cheap = {"schema": "unsprawl-prices/1", "origin": "g", "as_of": "2026-11-20",
             "prices": [{"platform": "openai", "model": "gpt-5", "input": 0}]}  # fmt: skip
    httpserver.expect_request("/feed.json").respond_with_json(cheap)
    feed = made(httpserver.url_for("/feed.json"))
    assert follow_feed(feed, actor=operator(), client=GuardedClient(allow_private=True)) is None
    assert feed.code == "unreadable"
    assert "list of prices" in feed.detail
    assert Price.objects.get().input_micros_per_mtok == 1_250_000
    model.refresh_from_db()
    assert model.price_source != "g"


def test_what_a_feed_answers_after_it_was_removed_is_dropped(httpserver):
    feed = made(httpserver.url_for("/feed.json"))
    httpserver.expect_request("/feed.json").respond_with_json(document("2026-12-11"))
    remove_feed(feed.public_id, actor=operator())
    assert follow_feed(feed, actor=operator(), client=GuardedClient(allow_private=True)) is None
    assert not LifecycleRow.objects.exists()


@pytest.mark.parametrize("as_of", ["9999-01-01", "Q4", "unknown", "2026-02-30"])
def test_a_word_from_no_day_or_from_the_future_is_refused(httpserver, as_of):
    feed = made(httpserver.url_for("/feed.json"))
    said = document("2026-12-11") | {"generated": as_of}
    httpserver.expect_request("/feed.json").respond_with_json(said)
    follow_feed(feed, actor=operator(), client=GuardedClient(allow_private=True))
    assert feed.code == "unreadable"
    assert not LifecycleRow.objects.exists()


def test_a_look_that_was_asked_for_comes_with_the_next_sweep_and_is_one_workers(pat):
    feed = made("https://127.0.0.1/feed.json")
    assert follow_due_feeds(actor=operator()) == 1
    assert follow_due_feeds(actor=operator()) == 0
    sam = actor(make_person("sam", "security"))
    with pytest.raises(RoleMissing):
        look_now(feed.public_id, actor=sam)
    with pytest.raises(FeedNotFound):
        look_now("ctf_none", actor=pat)
    look_now(feed.public_id, actor=pat)
    assert follow_due_feeds(actor=operator()) == 1
    feed.refresh_from_db()
    assert (feed.failures, feed.code) == (2, "unreachable")


def test_the_platform_adds_and_removes_feeds_by_https_alone(pat):
    feed = add_feed(URL, actor=pat, title="OpenAI")
    with pytest.raises(FeedExists):
        add_feed(URL, actor=pat)
    for wrong in ("http://feeds.example.com/f", "https://10.0.0.1/f", "nonsense", URL + "?key=1"):
        with pytest.raises(FeedInvalid):
            add_feed(wrong, actor=pat)
    with pytest.raises(FeedInvalid):
        add_feed("https://feeds.example.com/x", actor=pat, every_hours=0)
    sam = actor(make_person("sam", "security"))
    with pytest.raises(RoleMissing):
        add_feed("https://feeds.example.com/x", actor=sam)
    with pytest.raises(RoleMissing):
        remove_feed(feed.public_id, actor=sam)
    remove_feed(feed.public_id, actor=pat)
    with pytest.raises(FeedNotFound):
        remove_feed(feed.public_id, actor=pat)
    verbs = Entry.objects.filter(verb__startswith="catalogue.feed").values_list("verb", flat=True)
    assert sorted(verbs) == ["catalogue.feed_added", "catalogue.feed_removed"]
