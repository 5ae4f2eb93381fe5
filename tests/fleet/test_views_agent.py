"""The pages about one agent: who sees what, what is next, keys, versions, stopping."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from approvals.actions import submit_agent
from approvals.models import Review
from kernel import clock
from ledger.models import Entry
from registry.models import Agent, AgentKey, AgentVersion, Person
from routing.models import UsageDay
from tests.factories import (
    Cast,
    actor,
    make_agent,
    make_call,
    make_cast,
    make_key,
    make_manifest,
    make_model,
    make_route,
    make_similar,
    make_vendor,
    make_version,
)

pytestmark = pytest.mark.django_db
PAGE = "/agents/invoice-sorter/"
TABS = ("", "connect/", "keys/", "versions/", "calls/", "history/", "end/")
INSIDE = ("keys/", "calls/", "history/", "live/")


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    vendor = make_vendor("sandbox", data_classes=["public", "internal"])
    make_route("sandbox", make_model(vendor, "sandbox-1"))
    return made


@pytest.fixture
def agent(cast: Cast) -> Agent:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="soft_launch")


@pytest.fixture
def draft(cast: Cast) -> Agent:
    return make_agent(owner=cast.alice, backup_owner=cast.bob)


def as_(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page_of(person: Person, tab: str = "") -> str:
    response = as_(person).get(PAGE + tab)
    assert response.status_code == 200, (tab, response.content.decode()[:300])
    return response.content.decode()


def post(person: Person, path: str, **given: Any) -> Any:
    return as_(person).post(PAGE + path, given)


def told(person: Person, path: str, **given: Any) -> str:
    return as_(person).post(PAGE + path, given, follow=True).content.decode()


@pytest.mark.parametrize("tab", TABS)
def test_those_who_answer_and_those_who_govern_see_every_page(
    cast: Cast, agent: Agent, tab: str
) -> None:
    for person in (cast.alice, cast.bob, cast.sam, cast.pat, cast.ann):
        assert agent.title in page_of(person, tab)


def test_outsiders_see_headlines_and_nothing_of_the_inside(cast: Cast, agent: Agent) -> None:
    make_call(agent, error_code="upstream_broke", cost_micros=7_654_321)
    page = page_of(cast.mallory)
    assert "Calls, costs and keys are not shown" in page
    assert "$7.65" not in page
    assert "upstream_broke" not in page
    assert "agents/invoice-sorter/keys/" not in page
    for tab in INSIDE:
        assert as_(cast.mallory).get(PAGE + tab).status_code == 403
    assert "sandbox-1" in page
    assert "usp_PASTE_YOUR_KEY" in page_of(cast.mallory, "connect/")


@pytest.mark.parametrize(
    "path",
    [
        "submit/", "promote/", "keys/issue/", "keys/key_x/rotate/", "keys/key_x/revoke/",
        "versions/propose/", "versions/withdraw/", "end/suspend/", "end/kill/", "end/retire/",
        "end/deprecate/", "end/resume/",
    ],
)  # fmt: skip
def test_outsiders_change_nothing(cast: Cast, agent: Agent, path: str) -> None:
    given = {"typed": agent.name, "reason": "Because.", "expires_in_days": 30, "overlap_hours": 1}
    given |= {"text": yaml.safe_dump(make_manifest(version="2.0.0")), "justification": "x"}
    for person in (cast.mallory, cast.ann):
        before = Entry.objects.count()
        assert as_(person).post(PAGE + path, given).status_code in (302, 403, 404)
        changed = Entry.objects.count() - before
        assert changed == 0
    agent.refresh_from_db()
    assert (agent.stage, agent.suspended_at, agent.keys.count()) == ("soft_launch", None, 0)


def test_nobody_gets_in_without_signing_in(agent: Agent) -> None:
    for tab in (*TABS, "live/", "agent.yaml"):
        assert Client().get(PAGE + tab)["Location"].startswith("/signin/")
    assert Client().post(PAGE + "end/kill/")["Location"].startswith("/signin/")


def test_an_agent_that_is_not_there_is_a_page_that_says_so(cast: Cast) -> None:
    for path in ("/agents/nope/", "/agents/nope/keys/", "/agents/%00/", "/agents/agt_x/"):
        assert as_(cast.pat).get(path).status_code == 404


# --- the way to the first call


def test_the_next_step_is_always_the_one_that_is_offered(cast: Cast, draft: Agent) -> None:
    assert "Submit for review" in page_of(cast.alice)
    assert "Submit for review</button>" not in page_of(cast.mallory)
    assert "Asked." in told(cast.alice, "submit/", justification="")
    review = Review.objects.get()
    assert f"/reviews/{review.public_id}/" in page_of(cast.alice)
    as_(cast.sam).post(f"/reviews/{review.public_id}/decide/", {"decision": "approve"})
    assert "Issue a key</a>" in page_of(cast.alice)
    issued = post(cast.alice, "keys/issue/", expires_in_days=30)
    assert issued.status_code == 200
    assert "Make the first call</a>" in page_of(cast.alice)
    draft.refresh_from_db()
    make_call(draft)
    page = page_of(cast.alice)
    assert "On the way to the first call" not in page
    assert "$0.0001" in page


def test_much_the_same_must_be_justified_before_it_is_submitted(cast: Cast, draft: Agent) -> None:
    other = make_agent("invoice-classifier", owner=cast.mallory)
    make_similar(draft, other, 0.9, "titles nearly alike")
    page = page_of(cast.alice)
    assert "Much the same exists" in page
    assert "titles nearly alike" in page
    assert "Use it, or say in the justification why not" in told(cast.alice, "submit/")
    hidden = post(cast.alice, "submit/", justification="Ours speaks\u202eDutch.")
    assert hidden.status_code == 422
    assert "Dutch.</textarea>" in hidden.content.decode()
    assert not Review.objects.exists()
    told(cast.alice, "submit/", justification="Ours speaks Dutch.")
    assert Review.objects.get().justification == "Ours speaks Dutch."


def test_going_live_is_asked_for_with_what_was_seen(cast: Cast, agent: Agent) -> None:
    make_call(agent)
    assert "Ready to go live?" in page_of(cast.alice)
    assert "Say what its soft launch has shown" in told(cast.alice, "promote/", justification=" ")
    assert "Asked." in told(cast.alice, "promote/", justification="300 of 300 were right.")
    assert Review.objects.get().kind == "promotion"


# --- overview


def test_new_calls_show_without_reloading_the_page(cast: Cast, agent: Agent) -> None:
    fragment = page_of(cast.bob, "live/")
    assert "Waiting for the first call" in fragment
    assert "<html" not in fragment
    make_call(agent, cost_micros=123_456, duration_ms=1500, status="error", error_code="oops")
    fragment = page_of(cast.bob, "live/")
    assert "$0.12" in fragment
    assert "1.50 s" in fragment
    assert "oops" in fragment
    assert "follow within a minute" in fragment


def test_an_unknown_price_is_a_dash_and_not_free(cast: Cast, agent: Agent) -> None:
    make_call(agent, cost_micros=None)
    row = page_of(cast.alice, "live/").partition("<tbody>")[2]
    assert "$0.00" not in row


def test_routes_say_when_their_models_retire(cast: Cast, agent: Agent) -> None:
    soon = clock.now().date() + timedelta(days=20)
    make_route("ending", make_model(name="old-1", retires_on=soon, replacement="new-1"))
    Agent.objects.filter(pk=agent.pk).update(routes=["sandbox", "ending"])
    page = page_of(cast.mallory)
    assert "old-1" in page
    assert "in 20 d" in page
    assert "then new-1" in page


@pytest.mark.parametrize("tab", ["", "live/", "keys/", "versions/", "calls/", "history/", "end/"])
def test_a_page_costs_the_same_however_much_there_is(cast: Cast, agent: Agent, tab: str) -> None:
    def fill(number: int) -> None:
        for index in range(number):
            make_call(agent, started_at=clock.now() - timedelta(minutes=index))
            make_key(agent, created_by=str(cast.bob.ref))
            AgentVersion.objects.filter(state="proposed").update(
                state="superseded", settled_at=clock.now()
            )
            make_version(agent, make_manifest(version=f"1.{agent.versions.count()}.0"))
        other = make_agent(f"other-{number}", owner=cast.mallory)
        make_similar(agent, other, 0.5, "same words")

    fill(1)
    post(cast.alice, "end/suspend/", reason="Pause.")
    post(cast.alice, "end/resume/", reason="")
    client = as_(cast.alice)
    client.get(PAGE + tab)
    with CaptureQueriesContext(connection) as few:
        client.get(PAGE + tab)
    fill(32)
    day = clock.now().date()
    for number in range(30):
        UsageDay.objects.create(
            day=day - timedelta(days=number), agent_id=agent.public_id, route="sandbox",
            vendor="v", model="m", calls=1,
        )  # fmt: skip
    for _ in range(3):
        post(cast.alice, "end/suspend/", reason="Pause.")
        post(cast.alice, "end/resume/", reason="")
    with CaptureQueriesContext(connection) as many:
        client.get(PAGE + tab)
    assert len(few) == len(many)


def test_calls_are_listed_page_by_page_and_by_outcome(cast: Cast, agent: Agent) -> None:
    moment = clock.now()
    for number in range(60):
        make_call(agent, route=f"sort-{number}", started_at=moment)
    make_call(agent, status="denied", route="forbidden")
    page = page_of(cast.alice, "calls/")
    assert "sort-59" in page
    assert "forbidden" in page_of(cast.alice, "calls/?status=denied")
    assert "sort-59" not in page_of(cast.alice, "calls/?status=denied")
    assert "No such calls" in page_of(cast.alice, "calls/?status=cancelled")
    link = re.search(r'rel="next" href="\?([^"]+)"', page)
    assert link is not None
    assert "sort-" in page_of(cast.alice, "calls/?" + link.group(1).replace("&amp;", "&"))


def test_the_history_names_who_did_what(cast: Cast, draft: Agent) -> None:
    submit_agent(draft.name, actor=actor(cast.alice), justification="")
    review = Review.objects.get()
    comment = {"decision": "approve", "comment": "Looks right."}
    as_(cast.sam).post(f"/reviews/{review.public_id}/decide/", comment)
    post(cast.sam, "end/suspend/", reason="Odd <b>traffic</b>")
    page = page_of(cast.alice, "history/")
    for words in ("Submitted for review", "Review approved", "Launched", "Suspended", "Sam"):
        assert words in page
    assert "Odd &lt;b&gt;traffic" in page


def test_the_manifest_in_force_is_a_file_to_keep(cast: Cast, agent: Agent) -> None:
    response = as_(cast.mallory).get(PAGE + "agent.yaml")
    assert yaml.safe_load(response.content) == make_manifest()
    assert response["Content-Disposition"] == 'attachment; filename="invoice-sorter.yaml"'


def test_the_code_names_the_route_that_was_chosen(cast: Cast, agent: Agent) -> None:
    Agent.objects.filter(pk=agent.pk).update(routes=["sandbox", "openai/gpt-5"])
    page = page_of(cast.alice, "connect/?route=openai/gpt-5")
    assert "model=&quot;openai/gpt-5&quot;" in page
    assert "model=&quot;sandbox&quot;" in page_of(cast.alice, "connect/?route=%3Cscript%3E")
    for client in ("curl", "Python", "Node", "LangChain", "Environment"):
        assert client in page
    assert "Waiting" in page
    make_call(agent)
    assert "The last call came" in page_of(cast.alice, "connect/")


# --- keys


def test_a_key_is_shown_once_with_code_that_runs(cast: Cast, agent: Agent) -> None:
    response = post(cast.bob, "keys/issue/", expires_in_days=30, label="production")
    page = response.content.decode()
    text = re.search(r"usp_[A-Za-z0-9_]+", page.partition('class="secret-value"')[2])
    assert text is not None
    assert page.count(text.group()) > 3
    assert response["Cache-Control"] == "no-store"
    key = AgentKey.objects.get()
    assert (key.name, key.created_by) == ("production", str(cast.bob.ref))
    again = page_of(cast.alice, "keys/")
    assert text.group() not in again
    assert "production" in again


@pytest.mark.parametrize("days", ["0", "366", "x", ""])
def test_a_key_lives_as_long_as_is_offered(cast: Cast, agent: Agent, days: str) -> None:
    assert post(cast.alice, "keys/issue/", expires_in_days=days).status_code == 422
    assert not AgentKey.objects.exists()


def test_a_draft_gets_no_key_and_the_page_says_what_to_do(cast: Cast, draft: Agent) -> None:
    assert "Submit the agent for review first" in page_of(cast.alice, "keys/")
    response = post(cast.alice, "keys/issue/", expires_in_days=30)
    assert response.status_code == 422


def test_a_rotated_key_goes_on_for_the_overlap(cast: Cast, agent: Agent) -> None:
    key, _ = make_key(agent)
    response = post(cast.alice, f"keys/{key.public_id}/rotate/", overlap_hours=24)
    assert "usp_" in response.content.decode()
    key.refresh_from_db()
    assert key.rotated_to is not None
    assert key.expires_at <= clock.now() + timedelta(hours=24, seconds=5)
    assert "Being replaced" in page_of(cast.alice, "keys/")
    twice = told(cast.alice, f"keys/{key.public_id}/rotate/", overlap_hours=24)
    assert "Only a key that is active" in twice
    wrong = told(cast.alice, f"keys/{key.public_id}/rotate/", overlap_hours=7)
    assert "Choose how long" in wrong


def test_a_key_is_revoked_with_its_agents_name_typed_and_a_reason(cast: Cast, agent: Agent) -> None:
    key, _ = make_key(agent)
    path = f"keys/{key.public_id}/revoke/"
    assert "Nothing was revoked" in told(cast.alice, path, typed="nonsense", reason="Lost.")
    assert "Nothing was revoked" in told(cast.alice, path, typed=agent.name, reason=" ")
    key.refresh_from_db()
    assert key.revoked_at is None
    assert "is revoked" in told(cast.sam, path, typed=agent.name, reason="Lost.")
    key.refresh_from_db()
    assert (key.revoked_reason, key.revoked_by) == ("Lost.", str(cast.sam.ref))
    assert as_(cast.alice).post(PAGE + "keys/key_none/revoke/", {
        "typed": agent.name, "reason": "x",
    }).status_code == 404  # fmt: skip


# --- versions


def test_two_versions_are_compared_with_their_risks(cast: Cast, agent: Agent) -> None:
    changed = make_manifest(version="1.1.0", dataClasses=["internal", "personal"])
    make_version(agent, changed)
    page = page_of(cast.mallory, "versions/?before=1&after=2")
    assert "sees personal data" in page
    assert "From 1.0.0 to 1.1.0" in page
    assert "sees personal data" in page_of(cast.mallory, "versions/2/")
    for broken in ("versions/99/", "versions/?before=1&after=99"):
        assert as_(cast.alice).get(PAGE + broken).status_code == 404
    assert "From" in page_of(cast.alice, "versions/?before=x&after=2")
    huge = as_(cast.alice).get(PAGE + "versions/99999999999999999999/")
    assert huge.status_code == 404


def test_another_version_is_handed_in_and_submitted(cast: Cast, agent: Agent) -> None:
    text = yaml.safe_dump(make_manifest(version="1.1.0", purpose="Now with one."))
    page = told(cast.bob, "versions/propose/", text=text)
    assert "Version 1.1.0 is handed in" in page
    assert "Version 1.1.0" in page_of(cast.alice)
    assert "Go and submit it" in page
    assert "Asked." in told(cast.alice, "submit/", justification="A purpose.")
    assert "A reviewer is asked" in page_of(cast.alice, "versions/")
    assert Review.objects.get().kind == "version"
    page = told(cast.alice, "versions/propose/", text=text.replace("1.1.0", "1.2.0"))
    assert "waits to be accepted" in page
    assert "1.2.0" in page  # what was written is still there


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["spec"].update(version="0.9.0"), "must be above 1.0.0"),
        (lambda m: m["metadata"].update(name="other"), "an agent keeps its name"),
        (lambda m: None, "says exactly this"),
        (lambda m: m["spec"].update(models=[]), "spec.models"),
    ],
)
def test_a_version_that_cannot_be_is_refused_and_not_lost(
    cast: Cast, agent: Agent, change: Callable[[dict[str, Any]], None], said: str
) -> None:
    manifest = make_manifest()
    change(manifest)
    response = post(cast.alice, "versions/propose/", text=yaml.safe_dump(manifest))
    assert response.status_code == 422
    page = response.content.decode()
    assert said in page
    assert "apiVersion: unsprawl.dev/v1" in page


def test_a_version_that_waits_is_taken_back(cast: Cast, agent: Agent) -> None:
    make_version(agent, make_manifest(version="1.1.0"))
    assert "Version 1.1.0 is withdrawn" in told(cast.alice, "versions/withdraw/")
    assert AgentVersion.objects.get(number=2).state == "rejected"


# --- stopping


def test_each_step_says_beforehand_what_will_happen(cast: Cast, agent: Agent) -> None:
    make_key(agent)
    page = page_of(cast.alice, "end/")
    assert "1 key works now" in page
    for words in ("Suspend", "Deprecate", "Retire for good", "Kill"):
        assert words in page
    assert "Resume</a>" not in page
    outsider = page_of(cast.mallory, "end/")
    assert "Nothing to stop" in outsider


def test_suspending_and_resuming_take_a_reason(cast: Cast, agent: Agent) -> None:
    assert "give a reason" in told(cast.alice, "end/suspend/", reason="  ")
    assert "is suspended" in told(cast.alice, "end/suspend/", reason="Holiday.")
    page = page_of(cast.mallory)
    assert "Holiday." in page
    assert "is running again" in told(cast.alice, "end/resume/", reason="")
    agent.refresh_from_db()
    assert agent.suspended_at is None


def test_what_security_stopped_the_owner_does_not_start(cast: Cast, agent: Agent) -> None:
    told(cast.sam, "end/suspend/", reason="Odd.")
    assert "Resume" not in page_of(cast.alice, "end/").partition("Stop and retire")[2]
    assert post(cast.alice, "end/resume/").status_code == 403


def test_killing_and_retiring_need_the_name_typed(cast: Cast, agent: Agent) -> None:
    make_key(agent)
    assert "Nothing was done" in told(cast.alice, "end/kill/", reason="Now.", typed="Invoice")
    assert not Agent.objects.filter(killed_at__isnull=False).exists()
    told(cast.sam, "end/kill/", reason="Leaked.", typed=agent.name)
    assert Agent.objects.get(killed_at__isnull=False).pk == agent.pk
    assert not AgentKey.objects.filter(revoked_at__isnull=True).exists()
    told(cast.pat, "end/resume/")
    told(cast.alice, "end/retire/", reason="Done.", typed=agent.name)
    agent.refresh_from_db()
    assert agent.stage == "retired"
    assert "Retired" in page_of(cast.mallory)


def test_a_draft_is_removed_and_its_name_is_free(cast: Cast, draft: Agent) -> None:
    assert "Remove the draft" in page_of(cast.alice, "end/")
    response = post(cast.alice, "end/remove/", typed=draft.name)
    assert response["Location"] == "/agents/"
    assert not Agent.objects.exists()


def test_a_step_that_is_none_is_not_found(cast: Cast, agent: Agent) -> None:
    assert post(cast.pat, "end/explode/", reason="x").status_code == 404


def test_hostile_words_do_nothing_anywhere(cast: Cast) -> None:
    evil = '"><img src=x onerror=alert(1)>{{ 7|add:7 }}'
    manifest = make_manifest(purpose=evil, onCall=evil, costCenter=evil[:60])
    manifest["metadata"] |= {"title": evil, "description": evil}
    make_agent(
        owner=cast.alice, manifest=manifest, stage="live", purpose=evil, on_call=evil,
        cost_center=evil, tags=[evil], tools=[evil], suspended_at=clock.now(),
        suspended_reason=evil, suspended_by="system:x",
    )  # fmt: skip
    for tab in TABS:
        page = page_of(cast.alice, tab)
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;" in page
