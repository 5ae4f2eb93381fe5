"""The pages of routes: the list, one route, and setting one after looking at what it means."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel import clock
from routing.models import Route, UsageFallback, UsageRoute
from tests.factories import (
    Cast,
    browser_of,
    make_agent,
    make_cast,
    make_model,
    make_route,
    make_vendor,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def document(*models, do="save", revision=0, **over):
    sent = {
        "do": do, "name": "classify", "title": "Sort things", "regions": "",
        "revision": revision, "targets-TOTAL_FORMS": len(models), "targets-INITIAL_FORMS": 0,
    }  # fmt: skip
    for number, model in enumerate(models):
        sent |= {
            f"targets-{number}-model": model.public_id if model else "",
            f"targets-{number}-region": "",
            f"targets-{number}-priority": number,
            f"targets-{number}-weight": 100,
        }
    return sent | over


@pytest.mark.parametrize("who", ["alice", "mallory", "sam", "pat"])
def test_everybody_sees_what_serves_a_route_and_who_uses_it(cast, who):
    route = make_route("classify/invoice", make_model(make_vendor(), "acme-1"))
    make_agent("sorter", owner=cast.alice, stage="live", routes=["classify/invoice"])
    browser = browser_of(getattr(cast, who))
    listed = browser.get("/routes/").content.decode()
    assert f"/routes/{route.public_id}/" in listed
    page = browser.get(f"/routes/{route.public_id}/").content.decode()
    assert "acme-1" in page
    assert "sorter" in page


def test_a_route_is_made_after_a_look_at_what_it_means(cast):
    vendor = make_vendor()
    first, second = make_model(vendor, "one"), make_model(vendor, "two")
    pat = browser_of(cast.pat)
    looked = pat.post("/routes/new/", document(first, second, do="preview"))
    assert looked.status_code == 200
    assert "nothing is saved yet" in looked.content.decode()
    assert not Route.objects.exists()
    saved = pat.post(
        "/routes/new/", document(first, second, data_classes=["internal"]), follow=True
    )
    route = Route.objects.get()
    assert "classify is made" in saved.content.decode()
    assert [target.model.name for target in route.targets.order_by("priority")] == ["one", "two"]
    assert route.constraints == {"data_classes": ["internal"]}


def test_the_look_says_whose_calls_would_be_refused(cast):
    model = make_model(make_vendor(data_classes=["public"]))
    route = make_route("classify", model)
    make_agent("sorter", owner=cast.alice, stage="live", routes=["classify"])
    sent = document(model, do="preview", revision=1)
    page = browser_of(cast.pat).post(f"/routes/{route.public_id}/change/", sent).content.decode()
    assert "the calls of 1 would be refused" in page
    assert "acme-ai may not receive internal data" in page
    shown = browser_of(cast.alice).get(f"/routes/{route.public_id}/").content.decode()
    assert "no target takes its calls" in shown


def test_a_row_is_added_and_removed_without_scripts(cast):
    vendor = make_vendor()
    first, second = make_model(vendor, "one"), make_model(vendor, "two")
    route = make_route("classify", first, second)
    pat, url = browser_of(cast.pat), f"/routes/{route.public_id}/change/"
    added = pat.post(url, document(first, second, do="add", revision=1)).content.decode()
    assert added.count('class="target-row"') == 3
    assert "Sort things" in added
    sent = document(first, second, revision=1) | {"targets-0-DELETE": "on"}
    assert pat.post(url, sent).status_code == 302
    assert [target.model.name for target in route.targets.all()] == ["two"]


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(cast):
    model = make_model()
    route = make_route("classify", model)
    pat, url = browser_of(cast.pat), f"/routes/{route.public_id}/change/"
    assert pat.post(url, document(model, revision=1)).status_code == 302
    late = pat.post(url, document(model, revision=1, title="Late"))
    assert late.status_code == 422
    assert "Read it again" in late.content.decode()
    assert 'value="Late"' in late.content.decode()


def test_a_name_that_is_taken_is_not_taken_over(cast):
    model = make_model()
    make_route("classify", model)
    answer = browser_of(cast.pat).post("/routes/new/", document(model))
    assert answer.status_code == 422
    assert "There is a route of that name" in answer.content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "no spaces please"},
        {"targets-0-weight": "0"},
        {"targets-0-priority": "x"},
        {"targets-0-region": "mars"},
        {"targets-0-model": "mod_unknown"},
        {"targets-0-DELETE": "on"},
        {"targets-TOTAL_FORMS": "99999"},
        {"targets-TOTAL_FORMS": "x"},
        {"revision": "x"},
        {"data_classes": ["secret"]},
    ],
)
def test_a_route_that_could_not_serve_is_refused_with_words(cast, wrong):
    model = make_model()
    answer = browser_of(cast.pat).post("/routes/new/", document(model) | wrong)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode() or "field-error" in answer.content.decode()
    assert not Route.objects.exists()


def test_what_only_the_api_sets_is_kept(cast):
    model = make_model()
    route = make_route("classify", model, constraints={"max_cost_micros": 5})
    sent = document(model, revision=1, data_classes=["public"])
    browser_of(cast.pat).post(f"/routes/{route.public_id}/change/", sent)
    route.refresh_from_db()
    assert route.constraints == {"data_classes": ["public"], "max_cost_micros": 5}


def test_how_a_route_falls_back_survives_the_form(cast):
    vendor = make_vendor()
    usual, canary = make_model(vendor, "one"), make_model(vendor, "two")
    route = make_route("classify", usual)
    route.targets.create(model=canary, priority=1, canary_percent=5, first_byte_ms=900)
    Route.objects.update(options={"retries": 1, "fallback_on": ["429"]})
    sent = document(usual, canary, revision=1, title="Other words")
    browser_of(cast.pat).post(f"/routes/{route.public_id}/change/", sent)
    route.refresh_from_db()
    assert (route.title, route.options) == (
        "Other words",
        {"retries": 1, "fallback_on": ["429"]},
    )
    row = route.targets.get(model=canary)
    assert (row.canary_percent, row.first_byte_ms) == (5, 900)


def test_a_route_is_stopped_with_a_reason(cast):
    route = make_route("classify", make_model())
    url = f"/routes/{route.public_id}"
    done = browser_of(cast.sam).post(f"{url}/disable/", {"reason": "leak"}, follow=True)
    assert "every call to it is refused" in done.content.decode()
    again = browser_of(cast.pat).post(f"{url}/enable/", follow=True)
    assert "Agents can call classify again" in again.content.decode()


def asked(**over):
    """Return the fields of the options as a browser sends them, with nothing chosen."""
    blank = dict.fromkeys(
        ("other_statuses", "first_byte_seconds", "deadline_seconds", "retries", "override_model",
         "override_region", "override_until", "override_reason", "shadow_model", "shadow_region",
         "shadow_percent"), "",
    )  # fmt: skip
    fallback = {"fallback_on": ["connect", "timeout", "broken", "429", "5xx"], "choose": "listed"}
    return {f"options-{name}": value for name, value in (blank | fallback | over).items()}


def test_the_form_sets_how_far_a_route_goes(cast):
    vendor = make_vendor()
    usual, canary = make_model(vendor, "one"), make_model(vendor, "two")
    until = (clock.now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    sent = document(usual, canary) | asked(
        choose="cheapest", sticky="on", translate="no", drop_hints="on", fallback_on=["429"],
        tools="strip",
        other_statuses="404",
        first_byte_seconds="1.5", deadline_seconds="60", retries="1",
        override_model="acme-ai/one", override_until=until, override_reason="a slow day",
        shadow_model="acme-ai/two", shadow_percent="5",
    )  # fmt: skip
    sent |= {"targets-1-canary_percent": "10", "targets-1-first_byte_seconds": "0.9"}
    pat = browser_of(cast.pat)
    preview = pat.post("/routes/new/", sent | {"do": "preview"}).content.decode()
    assert "canary for 10 % of runs, 0.9 s" in preview
    assert "5 % of calls to acme-ai/two as well" in preview
    assert not Route.objects.exists()
    pat.post("/routes/new/", sent | {"do": "save"})
    route = Route.objects.get()
    assert route.options == {
        "choose": "cheapest",
        "deadline_ms": 60_000,
        "fallback_on": ["404", "429"],
        "first_byte_ms": 1500,
        "override": {
            "vendor": "acme-ai", "model": "one", "region": "", "until": f"{until}:00+00:00",
            "reason": "a slow day",
        },
        "retries": 1,
        "shadow": {"vendor": "acme-ai", "model": "two", "region": "", "percent": 5},
        "sticky": True,
        "tools": "strip",
        "translate": False,
        "drop_hints": True,
    }  # fmt: skip
    row = route.targets.get(model=canary)
    assert (row.canary_percent, row.first_byte_ms) == (10, 900)
    page = pat.get(f"/routes/{route.public_id}/").content.decode()
    for words in ("a slow day", "End now", "Who gets what", "everybody else, below", "404"):
        assert words in page
    form = pat.get(f"/routes/{route.public_id}/change/").content.decode()
    assert 'value="1.5"' in form
    assert f'value="{until}"' in form
    assert (
        "has ended"
        in pat.post(f"/routes/{route.public_id}/end-override/", follow=True).content.decode()
    )
    route.refresh_from_db()
    assert "override" not in route.options
    assert route.targets.get(model=canary).canary_percent == 10


@pytest.mark.parametrize(
    "wrong",
    [
        {"retries": "9"},
        {"other_statuses": "sometimes"},
        {"override_model": "acme-ai/acme-1"},
        {"shadow_model": "acme-ai/acme-1"},
        {"override_model": "acme-ai/none"},
    ],
)
def test_an_option_that_would_not_work_is_refused_at_its_field(cast, wrong):
    answer = browser_of(cast.pat).post("/routes/new/", document(make_model()) | asked(**wrong))
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()


def test_the_page_says_what_each_target_did_and_why_calls_went_on(cast):
    route = make_route("classify", make_model())
    today = clock.now().date()
    given = {"day": today, "route": "classify"}
    UsageRoute.objects.create(vendor="acme-ai", model="acme-1", calls=3, attempts=4, **given)
    UsageFallback.objects.create(
        vendor="acme-ai", model="acme-1", reason="http_429", calls=1, **given
    )
    page = browser_of(cast.pat).get(f"/routes/{route.public_id}/").content.decode()
    assert "the vendor&#x27;s limit (HTTP 429): 1" in page
    assert (
        "Since yesterday"
        not in browser_of(cast.alice).get(f"/routes/{route.public_id}/").content.decode()
    )


def test_the_form_sets_what_a_route_looks_for_and_keeps_kinds_of_ones_own(cast):
    model = make_model(make_vendor(), "one")
    pat = browser_of(cast.pat)
    pat.post(
        "/routes/new/", document(model) | asked(request_card="redact", response_secret="block")
    )
    route = Route.objects.get()
    assert route.options["detectors"] == {
        "request": {"card": "redact"}, "response": {"secret": "block"},
    }  # fmt: skip
    page = pat.get(f"/routes/{route.public_id}/").content.decode()
    assert "Looks at calls for" in page
    assert "cards (redacted)" in page
    route.options["detectors"]["request"]["staff_no"] = "block"
    route.save(update_fields=["options"])
    sent = document(model, revision=route.revision) | asked(request_card="")
    pat.post(f"/routes/{route.public_id}/change/", sent)
    route.refresh_from_db()
    assert route.options["detectors"] == {"request": {"staff_no": "block"}}
