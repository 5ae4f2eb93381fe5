"""Loading the catalogue: idempotent, ranked by age, and models kept in step with it."""

from __future__ import annotations

import json
from datetime import date

import pytest
from django.utils import timezone

from ledger.models import Entry
from registry.actors import Actor, RoleMissing
from routing.actions.catalogue import load_catalogue, load_shipped_catalogue
from routing.models import CatalogueLoad, LifecycleRow, Model, Price, Vendor
from routing.queries.catalogue import lifecycle_for, price_for

pytestmark = pytest.mark.django_db
OPERATOR = Actor.system("tests")


def document(*rows: dict[str, object], generated: str = "2026-11-21") -> bytes:
    smallest = {"platform": "openai", "model": "m-1", "as_of": "2026-11", "precision": "exact"}
    return json.dumps(
        {
            "schema": "unsprawl-lifecycle/1",
            "generated": generated,
            "rows": [smallest | row for row in rows],
        }
    ).encode()


def load(*rows: dict[str, object], **more: str) -> None:
    load_catalogue(document(*rows, **more), actor=OPERATOR, came_from="test")


def stored_model(name: str = "m-1", platform: str = "openai", **over: object) -> Model:
    vendor, _ = Vendor.objects.get_or_create(
        name=f"v-{platform}",
        defaults={
            "public_id": f"ven_{platform}",
            "platform": platform,
            "dialect": "openai",
            "base_url": "https://api.example/v1",
            "created_at": timezone.now(),
        },
    )
    return Model.objects.create(
        public_id=f"mod_{name}", vendor=vendor, name=name, created_at=timezone.now(), **over
    )


def test_the_shipped_catalogue_loads_once_and_is_skipped_after_that():
    first = load_shipped_catalogue(actor=OPERATOR)
    assert [result.unchanged for result in first] == [False, False]
    rows, prices = LifecycleRow.objects.count(), Price.objects.count()
    assert rows > 900
    assert prices > 2000
    again = load_shipped_catalogue(actor=OPERATOR)
    assert [result.unchanged for result in again] == [True, True]
    CatalogueLoad.objects.all().delete()
    load_shipped_catalogue(actor=OPERATOR)
    assert (LifecycleRow.objects.count(), Price.objects.count()) == (rows, prices)
    assert Entry.objects.filter(verb="catalogue.loaded").count() == 4


def test_the_deadlines_of_these_weeks_are_known():
    load_shipped_catalogue(actor=OPERATOR)
    keys = [
        ("openai", "gpt-5"),
        ("openai", "gpt-4o-2024-08-06"),
        ("anthropic", "claude-sonnet-4-5"),
        ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ]
    known = lifecycle_for(keys)
    assert [known[key].retires_on for key in keys] == [
        date(2026, 12, 11),
        date(2027, 1, 14),
        date(2026, 11, 30),
        date(2027, 4, 8),
    ]
    assert known[keys[1]].replacement == "gpt-6-luna"
    assert known[keys[2]].replacement == "claude-sonnet-5-5"
    assert ("openai", "no-such-model") not in lifecycle_for([("openai", "no-such-model")])


def test_a_snapshot_costs_what_its_family_costs():
    load_shipped_catalogue(actor=OPERATOR)
    family, snapshot = ("openai", "gpt-4o-mini"), ("openai", "gpt-4o-mini-2024-07-18")
    prices = price_for([family, snapshot, ("openai", "no-such")])
    assert prices[family].input_micros_per_mtok == 150_000
    assert prices[snapshot].output_micros_per_mtok == 600_000
    assert set(prices) == {family, snapshot}


def test_the_newest_source_is_current_and_disagreement_is_shown():
    load(
        {"retires": "2026-10-16", "as_of": "2026-04-01"},
        {"retires": "2026-12-01", "as_of": "2026-11-10"},
    )
    old, new = LifecycleRow.objects.order_by("as_of")
    assert (old.is_current, new.is_current) == (False, True)
    assert old.conflicting_dates == new.conflicting_dates == [date(2026, 10, 16), date(2026, 12, 1)]


def test_loading_twice_changes_nothing():
    load({"retires": "2026-12-11"})
    load({"retires": "2026-12-11"})
    assert LifecycleRow.objects.count() == 1
    assert Entry.objects.filter(verb="catalogue.loaded").count() == 1


def test_a_model_gets_its_dates_and_follows_when_they_move():
    model = stored_model()
    load({"retires": "2026-12-11", "announced": "2026-06-11", "replacement": "m-2", "source": "u"})
    model.refresh_from_db()
    assert (model.retires_on, model.deprecated_on) == (date(2026, 12, 11), date(2026, 6, 11))
    assert (model.replacement, model.lifecycle_source) == ("m-2", "catalogue: u")
    load({"retires": "2027-02-01", "as_of": "2026-11-15", "source": "u"}, generated="2026-11-15")
    model.refresh_from_db()
    assert model.retires_on == date(2027, 2, 1)
    assert Entry.objects.filter(verb="model.changed", subject=str(model.ref)).count() == 2


def test_what_a_person_set_is_not_overwritten():
    model = stored_model(retires_on=date(2027, 5, 5), lifecycle_source="contract of 2026")
    load({"retires": "2026-12-11"})
    model.refresh_from_db()
    assert model.retires_on == date(2027, 5, 5)


def test_a_promise_is_not_an_end():
    model = stored_model()
    load({"retires": "2026-12-11", "precision": "not_sooner_than", "status": "active"})
    model.refresh_from_db()
    assert model.retires_on is None


def test_another_platform_has_another_clock():
    model = stored_model(platform="azure")
    load({"retires": "2026-12-11"})
    model.refresh_from_db()
    assert model.retires_on is None


def test_of_several_versions_behind_one_name_the_soonest_ahead_counts():
    load(
        {"platform": "azure", "model": "gpt-9", "version": "2024-01-01", "retires": "2025-01-01"},
        {"platform": "azure", "model": "gpt-9", "version": "2025-01-01", "retires": "2027-01-01"},
        {"platform": "azure", "model": "gpt-9", "version": "2026-01-01", "retires": "2028-01-01"},
    )
    keys = [("azure", "gpt-9"), ("azure", "gpt-9-2026-01-01")]
    known = lifecycle_for(keys)
    assert [known[key].retires_on for key in keys] == [date(2027, 1, 1), date(2028, 1, 1)]


def test_loading_needs_the_platform_role():
    nobody = Actor(OPERATOR.ref, frozenset({"employee", "security"}))
    with pytest.raises(RoleMissing):
        load_catalogue(document(), actor=nobody, came_from="test")
