from __future__ import annotations

from typing import Any

import pytest

from outlets.actions.feeds import Wanted, add_feed
from outlets.actions.making import make_exports
from outlets.actions.targets import WantedTarget, add_target
from outlets.models import Export, Feed, Schedule, Target
from registry.actors import Actor
from tests.factories import Cast, actor, browser_of
from tests.ledger.trees import Tree

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_export_is_asked_for_watched_and_downloaded(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    browser = browser_of(cast.alice)
    assert "No exports yet" in browser.get("/exports/").content.decode()
    answer = browser.post(
        "/exports/new/", {"scope": "run", "named": "nightly", "payloads": "on", "reason": "Why?"}
    )
    export = Export.objects.get()
    assert export.title == f"Run {run.run_id}"  # a label may be erased, and this is on record
    assert answer["Location"] == f"/exports/{export.public_id}/"
    assert "every 2s" in browser.get(answer["Location"]).content.decode()
    make_exports(actor=Actor.system("exports"))
    page = browser.get(answer["Location"]).content.decode()
    assert f"/api/v1/exports/{export.public_id}/file" in page
    assert "every 2s" not in page
    assert "unsprawl_verify.py" in page
    assert "ready" in browser.get("/exports/").content.decode()
    assert browser_of(cast.mallory).get(answer["Location"]).status_code == 404


def test_what_a_person_may_not_export_is_said_on_the_form(cast: Cast, run: Any) -> None:
    browser = browser_of(cast.mallory)
    page = browser.get("/exports/new/").content.decode()
    assert "Everything" not in page
    for scope, named in (("run", "nightly"), ("whole", ""), ("agent", "sorter")):
        answer = browser.post("/exports/new/", {"scope": scope, "named": named, "reason": "x"})
        assert answer.status_code == 422
    assert not Export.objects.exists()


def test_a_form_says_at_its_field_what_is_missing(cast: Cast) -> None:
    browser = browser_of(cast.sam)
    for scope, said in (
        ("run", "Say which run."), ("agent", "Say which agent."), ("period", "Say when it begins"),
    ):  # fmt: skip
        answer = browser.post("/exports/new/", {"scope": scope, "reason": "x"})
        assert said in answer.content.decode()
    assert "HEC (Splunk)" in browser.get("/feeds/new/").content.decode()


def test_the_buttons_follow_the_state_of_an_export(cast: Cast, run: Any) -> None:
    Tree().open().grow()
    browser = browser_of(cast.sam)
    where = browser.post("/exports/new/", {"scope": "whole", "reason": "Audit."})["Location"]
    page = browser.get(where).content.decode()
    buttons = page[page.index('id="buttons"') : page.index('id="progress"')]
    assert "Cancel it" in buttons
    assert 'hx-select-oob="#buttons"' in page
    make_exports(actor=Actor.system("exports"))
    page = browser.get(where).content.decode()
    buttons = page[page.index('id="buttons"') : page.index('id="progress"')]
    assert "Download" in buttons
    assert "Cancel it" not in buttons
    assert "/api/v1/ledger/verifier" in page


def test_an_export_is_cancelled_from_its_page(cast: Cast, run: Any) -> None:
    browser = browser_of(cast.sam)
    browser.post("/exports/new/", {"scope": "whole", "reason": "Audit."})
    export = Export.objects.get()
    assert browser_of(cast.ann).post(f"/exports/{export.public_id}/cancel/").status_code == 403
    browser.post(f"/exports/{export.public_id}/cancel/")
    export.refresh_from_db()
    assert export.state == "cancelled"


def test_feeds_are_added_paused_and_removed_from_their_pages(cast: Cast) -> None:
    browser = browser_of(cast.pat)
    given = {
        "name": "siem", "kind": "http", "format": "json", "address": "http://127.0.0.1:9/",
        "min_severity": "3", "auth_header": "X-Key", "secret": "canary-70f1d2ab",
    }  # fmt: skip
    bad = browser.post("/feeds/new/", {**given, "name": "Ü"})
    assert bad.status_code == 422
    assert "canary" not in bad.content.decode()
    browser.post("/feeds/new/", given)
    feed = Feed.objects.get()
    page = browser.get(f"/feeds/{feed.public_id}/").content.decode()
    assert "running" in page
    assert "canary" not in page
    browser.post(f"/feeds/{feed.public_id}/pause/", {"reason": "maintenance"})
    assert "paused" in browser.get("/feeds/").content.decode()
    browser.post(f"/feeds/{feed.public_id}/resume/")
    browser.post(f"/feeds/{feed.public_id}/test/")
    browser.post(f"/feeds/{feed.public_id}/remove/", {"reason": "moved"})
    assert "No feeds yet" in browser.get("/feeds/").content.decode()


def test_feeds_are_hidden_from_those_who_do_not_oversee(cast: Cast) -> None:
    wanted = Wanted("siem", "http", "json", "https://siem.example/")
    feed = add_feed(wanted, actor=actor(cast.sam))
    for path in ("/feeds/", "/feeds/new/", f"/feeds/{feed.public_id}/"):
        assert browser_of(cast.alice).get(path).status_code == 403
    assert browser_of(cast.ann).get("/feeds/").status_code == 200
    assert browser_of(cast.ann).get("/feeds/new/").status_code == 403
    assert browser_of(cast.ann).post(f"/feeds/{feed.public_id}/pause/").status_code == 403


def test_targets_and_schedules_are_added_and_ended_from_their_pages(cast: Cast) -> None:
    browser = browser_of(cast.pat)
    given = {
        "name": "vault", "kind": "s3", "endpoint": "http://127.0.0.1:9",
        "bucket": "unsprawl-log", "folder": "log/", "access_key": "AKIAEXAMPLE",
        "secret": "canary-5c2be901",
    }  # fmt: skip
    bad = browser.post("/exports/targets/new/", {**given, "bucket": "Ü"})
    assert bad.status_code == 422
    assert "canary" not in bad.content.decode()
    where = browser.post("/exports/targets/new/", given)["Location"]
    target = Target.objects.get()
    assert where == f"/exports/targets/{target.public_id}/"
    assert browser.post(where, {"every": "day", "reason": ""}).status_code == 422
    browser.post(where, {"every": "day", "payloads": "on", "reason": "Kept outside."})
    schedule = Schedule.objects.get()
    assert (schedule.target, schedule.every, schedule.with_payloads) == (target, "day", True)
    assert target.prefix == "log/"
    page = browser.get(where).content.decode()
    assert "Every day, with payloads" in page
    assert "canary" not in page
    assert "every day" in browser.get("/exports/targets/").content.decode()
    refused = browser.post(f"{where}remove/", follow=True).content.decode()
    assert "Copies are still sent to this target" in refused
    browser.post(f"/exports/schedules/{schedule.public_id}/end/")
    browser.post(f"{where}remove/")
    assert "No targets yet" in browser.get("/exports/targets/").content.decode()


def test_a_copy_is_sent_to_a_target_from_the_form(cast: Cast) -> None:
    target = add_target(WantedTarget("vault", "directory", prefix="copies"), actor=actor(cast.pat))
    given = {"scope": "whole", "target": target.public_id, "reason": "Try the target."}
    assert browser_of(cast.sam).post("/exports/new/", given).status_code == 302
    assert Export.objects.get().target == target
    assert "vault" not in browser_of(cast.alice).get("/exports/new/").content.decode()


def test_targets_are_for_those_who_oversee(cast: Cast) -> None:
    target = add_target(WantedTarget("vault", "directory", prefix="copies"), actor=actor(cast.pat))
    where = f"/exports/targets/{target.public_id}/"
    for path in ("/exports/targets/", "/exports/targets/new/", where):
        assert browser_of(cast.alice).get(path).status_code == 403
    assert browser_of(cast.ann).get(where).status_code == 200
    given = {"every": "day", "reason": "x"}
    assert browser_of(cast.ann).post(where, given).status_code == 403
    assert browser_of(cast.sam).get("/exports/targets/new/").status_code == 403
    assert browser_of(cast.sam).post(f"{where}remove/").status_code == 403
    assert not Schedule.objects.exists()
