"""When a model ends: which source counts, what is noted when it changes, and by whom."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from kernel import clock
from ledger.models import Entry
from registry.actors import RoleMissing
from routing.actions.catalogue import drop_document, load_catalogue, load_shipped_catalogue
from routing.actions.models import ModelDraft, add_models, change_model
from routing.actions.overriding import OverrideDraft, lift_override, override_fate
from routing.errors import ModelInvalid, NoOverride, ReasonMissing
from routing.models import LifecycleChange, LifecycleOverride, ListedModel, Model
from routing.queries.fate import fate_of
from tests.factories import Cast, actor, make_cast, make_model, make_vendor, operator

pytestmark = pytest.mark.django_db
DECEMBER, JANUARY, MARCH = date(2026, 12, 11), date(2027, 1, 14), date(2027, 3, 1)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def model() -> Model:
    return make_model(make_vendor("openai", platform="openai"), "gpt-5")


def shipped(*rows: dict[str, Any], generated: str = "2026-11-21") -> None:
    smallest = {"platform": "openai", "model": "gpt-5", "as_of": generated, "precision": "exact"}
    document = {
        "schema": "unsprawl-lifecycle/1",
        "generated": generated,
        "rows": [smallest | row for row in rows],
    }
    load_catalogue(json.dumps(document).encode(), actor=operator(), came_from="shipped")


def feed(generated: str, **model: Any) -> None:
    document = {
        "spec": "model-eol/0.1",
        "publisher": "openai",
        "generated": generated,
        "models": [{"id": "gpt-5"} | model],
    }
    load_catalogue(json.dumps(document).encode(), actor=operator(), came_from="feed")


def listed(model: Model, **over: Any) -> ListedModel:
    now = clock.now()
    given = {"has_spoken": True, "first_listed_at": now, "listed_at": now}
    return ListedModel.objects.create(vendor=model.vendor, name=model.name, **given | over)


def kinds(model: Model) -> list[str]:
    rows = LifecycleChange.objects.filter(model=model).order_by("id")
    return list(rows.values_list("kind", flat=True))


def now_of(model: Model) -> Any:
    model.refresh_from_db()
    return fate_of(model)


def test_an_end_is_announced_moved_given_another_replacement_and_taken_back(model):
    shipped({"retires": "2026-12-11", "replacement": "gpt-5.6-sol"})
    assert kinds(model) == ["announced"]
    shipped(
        {"retires": "2027-01-14", "replacement": "gpt-6.1-sol", "as_of": "2026-11-22"},
        generated="2026-11-22",
    )
    assert kinds(model) == ["announced", "moved", "replaced"]
    moved = LifecycleChange.objects.get(model=model, kind="moved")
    assert (moved.before["retires_on"], moved.after["retires_on"]) == ("2026-12-11", "2027-01-14")
    assert moved.after["replacement"] == "gpt-6.1-sol"
    feed("2026-11-22", shutdown=None, status="active")
    assert kinds(model)[-1] == "withdrawn"
    assert now_of(model).retires_on is None


def test_every_change_is_on_the_models_record(model):
    shipped({"retires": "2026-12-11"})
    entry = Entry.objects.get(verb="lifecycle.changed", subject=str(model.ref))
    facts = json.loads(bytes(entry.header))["facts"]
    assert facts["kind"] == "announced"
    assert json.loads(facts["after"])["retires_on"] == "2026-12-11"
    assert facts["change"] == LifecycleChange.objects.get(model=model).public_id


def test_loading_the_same_again_notes_nothing(model):
    shipped({"retires": "2026-12-11"})
    shipped({"retires": "2026-12-11", "as_of": "2026-11-22"}, generated="2026-11-22")
    assert kinds(model) == ["announced"]


def test_a_model_that_is_added_with_an_end_has_it_announced(cast):
    make_vendor("openai", platform="openai")
    shipped({"retires": "2026-12-11"})
    (added,) = add_models("openai", [ModelDraft("gpt-5")], actor=actor(cast.pat))
    assert kinds(added) == ["announced"]


def test_a_row_that_nobody_uses_is_noted_too_but_not_the_first_load():
    shipped({"model": "a", "retires": "2026-12-11"}, {"model": "b", "retires": "2026-12-11"})
    assert not LifecycleChange.objects.exists()
    shipped({"model": "a", "retires": "2027-01-14"}, {"model": "c", "retires": "2027-03-01"})
    noted = LifecycleChange.objects.order_by("model_name").values_list("model_name", "kind")
    assert list(noted) == [("a", "moved"), ("c", "announced")]
    entry = Entry.objects.get(verb="lifecycle.changed")
    assert json.loads(bytes(entry.header))["facts"]["moved"] == 1


def test_the_vendors_list_counts_before_a_person_a_feed_and_what_ships(cast, model):
    shipped({"retires": "2026-12-11", "replacement": "gpt-6.1-sol"})
    assert (now_of(model).kind, now_of(model).retires_on) == ("catalogue", DECEMBER)
    feed("2026-08-01", shutdown="2027-01-14")
    assert (now_of(model).kind, now_of(model).retires_on) == ("feed", JANUARY)
    draft = OverrideDraft(retires_on=MARCH, source="notice of 3 Nov", reason="extended by contract")
    override_fate(model.public_id, draft, actor=actor(cast.sam))
    held = now_of(model)
    assert (held.kind, held.retires_on, held.source) == ("override", MARCH, "notice of 3 Nov")
    assert held.is_overridden
    assert [(other.kind, other.retires_on) for other in held.conflicts] == [("feed", JANUARY)]
    listed(model, retires_on=date(2026, 12, 1), date_precision="exact", status="deprecated")
    change_model(model.public_id, {"context_tokens": 9000}, actor=actor(cast.pat))
    told = now_of(model)
    assert (told.kind, told.retires_on) == ("vendor", date(2026, 12, 1))
    assert told.source == "vendor list: openai"
    assert {other.kind for other in told.conflicts} == {"override", "feed"}


def test_a_list_that_never_spoke_of_ends_takes_no_date_away(cast, model):
    shipped({"retires": "2026-12-11"})
    silent = listed(model, has_spoken=False)
    change_model(model.public_id, {"context_tokens": 9000}, actor=actor(cast.pat))
    assert now_of(model).retires_on == DECEMBER
    silent.has_spoken, silent.status = True, "active"
    silent.save(update_fields=["has_spoken", "status"])
    change_model(model.public_id, {"context_tokens": 9001}, actor=actor(cast.pat))
    answered = now_of(model)
    assert (answered.retires_on, answered.kind) == (None, "vendor")
    assert answered.conflicts[0].retires_on == DECEMBER
    assert kinds(model)[-1] == "withdrawn"


def test_two_accounts_may_be_told_two_dates(cast):
    shipped({"retires": "2026-12-11"})
    one = make_model(make_vendor("openai", platform="openai"), "gpt-5")
    other = make_model(make_vendor("openai-eu", platform="openai"), "gpt-5")
    listed(one, retires_on=JANUARY, date_precision="exact")
    for each in (one, other):
        change_model(each.public_id, {"context_tokens": 9000}, actor=actor(cast.pat))
    assert (now_of(one).retires_on, now_of(other).retires_on) == (JANUARY, DECEMBER)


def test_past_its_date_it_is_overdue_until_the_vendor_says_retired(cast, model):
    row = listed(model, retires_on=date(2026, 1, 5), date_precision="exact", status="deprecated")
    change_model(model.public_id, {"context_tokens": 9000}, actor=actor(cast.pat))
    assert now_of(model).standing == "overdue"
    row.status = "retired"
    row.save(update_fields=["status"])
    change_model(model.public_id, {"context_tokens": 9001}, actor=actor(cast.pat))
    assert now_of(model).standing == "retired"
    assert kinds(model) == ["announced", "retired"]


def test_a_promise_is_shown_and_is_no_end(model):
    shipped({"retires": "2027-01-14", "precision": "not_sooner_than", "status": "active"})
    fate = now_of(model)
    assert (fate.retires_on, fate.not_before) == (None, JANUARY)
    assert (fate.precision_words, fate.standing) == ("not sooner than", "active")
    assert not kinds(model)


def test_an_override_needs_a_role_a_reason_and_dates_that_can_be(cast, model):
    for who in (cast.alice, cast.mallory, cast.ann):
        with pytest.raises(RoleMissing):
            override_fate(model.public_id, OverrideDraft(reason="x"), actor=actor(who))
        with pytest.raises(RoleMissing):
            lift_override(model.public_id, actor=actor(who), reason="x")
    with pytest.raises(ReasonMissing):
        override_fate(model.public_id, OverrideDraft(reason=" "), actor=actor(cast.pat))
    backwards = OverrideDraft(retires_on=DECEMBER, deprecated_on=JANUARY, reason="x")
    vague = OverrideDraft(retires_on=DECEMBER, date_precision="about", reason="x")
    for draft in (backwards, vague):
        with pytest.raises(ModelInvalid):
            override_fate(model.public_id, draft, actor=actor(cast.pat))
    with pytest.raises(NoOverride):
        lift_override(model.public_id, actor=actor(cast.pat), reason="x")


def test_one_override_follows_another_and_lifting_gives_the_model_back(cast, model):
    shipped({"retires": "2026-12-11"})
    first = OverrideDraft(retires_on=JANUARY, reason="the account manager wrote")
    override_fate(model.public_id, first, actor=actor(cast.pat))
    override_fate(model.public_id, OverrideDraft(reason="no end after all"), actor=actor(cast.sam))
    assert now_of(model).retires_on is None
    assert LifecycleOverride.objects.filter(lifted_at__isnull=True).count() == 1
    lift_override(model.public_id, actor=actor(cast.pat), reason="the page says otherwise")
    assert (now_of(model).retires_on, now_of(model).kind) == (DECEMBER, "catalogue")
    assert kinds(model) == ["announced", "moved", "withdrawn", "announced"]
    verbs = list(Entry.objects.filter(verb__startswith="lifecycle.over").values_list("verb"))
    assert len(verbs) == 4
    # What people typed is in the payload, sealed; never in the header.
    headers = [bytes(entry.header) for entry in Entry.objects.all()]
    assert not any(b"account manager" in header for header in headers)


def test_a_date_that_was_written_before_overrides_were_kept_stays(cast, model):
    Model.objects.update(retires_on=MARCH, lifecycle_source="contract of 2026")
    shipped({"retires": "2026-12-11"})
    fate = now_of(model)
    assert (fate.retires_on, fate.kind) == (MARCH, "override")
    change_model(model.public_id, {"retires_on": None}, actor=actor(cast.pat))
    assert now_of(model).retires_on == DECEMBER


def test_a_new_price_or_limit_is_a_change_and_a_first_price_is_not(cast, model):
    Model.objects.update(input_micros_per_mtok=None, output_micros_per_mtok=None)
    first = {"input_micros_per_mtok": 100, "price_source": "list"}
    change_model(model.public_id, first, actor=actor(cast.pat))
    assert not kinds(model)
    change_model(model.public_id, {"input_micros_per_mtok": 250}, actor=actor(cast.pat))
    change_model(model.public_id, {"requests_per_minute": 500}, actor=actor(cast.pat))
    assert kinds(model) == ["price", "rate_limit"]
    price = LifecycleChange.objects.get(kind="price")
    before, after = price.before["input_micros_per_mtok"], price.after["input_micros_per_mtok"]
    assert (before, after) == (100, 250)


def test_a_feed_that_is_dropped_leaves_what_ships(model):
    shipped({"retires": "2026-12-11"})
    feed("2026-11-22", shutdown="2027-01-14")
    assert now_of(model).retires_on == JANUARY
    assert drop_document("model-eol:openai", actor=operator()) == 1
    assert (now_of(model).retires_on, now_of(model).kind) == (DECEMBER, "catalogue")


def test_what_a_feed_leaves_out_is_not_taken_back(model):
    feed("2026-11-01", shutdown="2027-01-14")
    feed("2026-11-20", id="gpt-6")
    assert now_of(model).retires_on == JANUARY


def test_the_deadlines_of_these_weeks_hold_for_models_that_are_used_here(cast):
    load_shipped_catalogue(actor=operator())
    wanted = {
        "openai": ("gpt-5", "gpt-5-mini", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"),
        "anthropic": ("claude-sonnet-4-5",),
        "gemini": ("gemini-2.5-pro", "gemini-2.5-flash"),
    }
    found: dict[str, Model] = {}
    for platform, names in wanted.items():
        make_vendor(platform, platform=platform)
        drafts = [ModelDraft(name) for name in names]
        found |= {one.name: one for one in add_models(platform, drafts, actor=actor(cast.pat))}
    ends = {name: one.retires_on for name, one in found.items()}
    assert ends["gpt-5"] == ends["gpt-5-mini"] == DECEMBER
    assert ends["gpt-4o-2024-08-06"] == ends["gpt-4o-2024-11-20"] == JANUARY
    assert ends["claude-sonnet-4-5"] == date(2026, 11, 30)
    moved = fate_of(found["gemini-2.5-pro"])
    assert moved.retires_on == date(2026, 12, 1)
    assert date(2026, 10, 16) in {other.retires_on for other in moved.conflicts}
    assert fate_of(found["gpt-5"]).replacements == ["gpt-6.1-sol"]
