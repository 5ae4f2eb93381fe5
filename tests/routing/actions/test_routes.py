"""Task routes: whole documents, revisions, and refusals that say what there is."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection

from kernel import clock
from ledger.models import Entry
from registry.actors import RoleMissing
from routing.actions.route_gates import fail_target, pass_target
from routing.actions.route_targets import TargetDraft
from routing.actions.routes import disable_route, enable_route, put_route
from routing.errors import (
    AlreadyDisabled,
    NotDisabled,
    ReasonMissing,
    RouteInvalid,
    RouteMoved,
    RouteNotFound,
)
from routing.models import Route, RouteTarget
from routing.queries.routes import RouteNames, route_for
from tests.factories import Cast, actor, make_cast, make_model, make_route, make_vendor, operator

pytestmark = pytest.mark.django_db
ACME = TargetDraft("acme-ai", "acme-1")


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def set_count() -> int:
    return Entry.objects.filter(verb="route.set").count()


def test_a_route_is_made_and_replaced_whole(cast):
    vendor = make_vendor(regions=["eu", "us"])
    make_model(vendor, "acme-1")
    make_model(vendor, "acme-2")
    first = put_route("classify", [ACME], {"regions": []}, actor=actor(cast.pat))
    assert (first.created, first.route.revision) == (True, 1)
    targets = [
        TargetDraft("acme-ai", "acme-2", weight=30, priority=1),
        TargetDraft("acme-ai", "acme-2", weight=70, region="eu"),
    ]
    second = put_route("classify", targets, {"max_cost_micros": 5000}, actor=actor(cast.pat))
    assert (second.created, second.route.revision) == (False, 2)
    assert [str(target.model) for target in second.route.targets.all()] == ["acme-ai/acme-2"] * 2
    assert [target.region for target in second.route.targets.all()] == ["eu", ""]
    assert second.route.constraints == {"max_cost_micros": 5000}


def test_saying_the_same_again_changes_and_records_nothing(cast):
    make_model()
    put_route("classify", [ACME], actor=actor(cast.pat))
    again = put_route("classify", [ACME], actor=actor(cast.pat))
    assert (again.changed, again.route.revision, set_count()) == (False, 1, 1)


def test_a_caller_who_read_an_older_revision_overwrites_nothing(cast):
    make_model()
    put_route("classify", [ACME], actor=actor(cast.pat), expected_revision=0)
    put_route("classify", [ACME], actor=actor(cast.pat), title="New", expected_revision=1)
    with pytest.raises(RouteMoved) as refused:
        put_route("classify", [ACME], actor=actor(cast.pat), title="Mine", expected_revision=1)
    assert refused.value.facts == {"expected": 1, "revision": 2}
    assert Route.objects.get().title == "New"


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        ([], "1 to 50 targets"),
        ([TargetDraft("nowhere", "m")], "there is no vendor 'nowhere'; there are: acme-ai, bare"),
        ([TargetDraft("acme-ai", "m")], "no model 'm'; it serves: acme-1"),
        ([TargetDraft("bare", "m")], "bare serves no models yet"),
        ([ACME, ACME], "Target 2: acme-ai/acme-1 is named twice"),
        ([TargetDraft("acme-ai", "acme-1", weight=0)], "weight is 1 to 10000"),
        ([TargetDraft("acme-ai", "acme-1", priority=-1)], "priority 0 to 1000"),
        ([TargetDraft("acme-ai", "acme-1", region="mars")], "no region 'mars'; it has: eu"),
    ],
)
def test_a_target_that_cannot_serve_is_named_with_what_there_is(cast, targets, says):
    make_model(make_vendor(regions=["eu"]))
    make_vendor("bare")
    with pytest.raises(RouteInvalid) as refused:
        put_route("classify", targets, actor=actor(cast.pat))
    assert says in refused.value.detail
    assert Route.objects.count() == 0


@pytest.mark.parametrize(
    "constraints",
    [
        {"region": ["eu"]},
        {"regions": "eu"},
        {"regions": [""]},
        {"data_classes": ["secret"]},
        {"max_cost_micros": -1},
        {"max_cost_micros": True},
        {"max_cost_micros": 1.5},
        {"receipt_level": "L9"},
    ],
)
def test_a_constraint_that_would_bind_nobody_is_refused(cast, constraints):
    make_model()
    with pytest.raises(RouteInvalid):
        put_route("classify", [ACME], constraints, actor=actor(cast.pat))


@pytest.mark.parametrize("name", ["", "a b", "/a", "a/enable", "é", "x" * 101, "a\n"])
def test_a_name_that_no_agent_could_send_is_refused(cast, name):
    make_model()
    with pytest.raises(RouteInvalid):
        put_route(name, [ACME], actor=actor(cast.pat))


def test_what_will_not_be_called_is_pointed_out(cast):
    vendor = make_vendor(disabled_at=cast.pat.created_at, disabled_reason="x")
    make_model(vendor, retires_on="2026-12-11")
    limits = {"regions": ["eu"], "vendors": ["other"]}
    notes = put_route("classify", [ACME], limits, actor=actor(cast.pat)).notes
    assert [note.split(" ", 1)[1][:22] for note in notes] == [
        "is disabled and will n",
        "will be refused: its v",
        "will be refused: its r",
        "retires on 2026-12-11.",
    ]


@pytest.mark.parametrize("who", ["alice", "mallory", "sam", "ann"])
def test_only_the_platform_sets_routes(cast, who):
    make_model()
    with pytest.raises(RoleMissing):
        put_route("classify", [ACME], actor=actor(getattr(cast, who)))


def test_a_disabled_route_is_not_offered_and_a_new_document_enables_it(cast):
    make_model()
    put_route("classify", [ACME], actor=actor(cast.pat))
    disable_route("classify", actor=actor(cast.sam), reason="wrong answers")
    assert RouteNames().unknown(["classify", "x\x00"]) == {"classify", "x\x00"}
    assert RouteNames().visible_names() == []
    with pytest.raises(AlreadyDisabled):
        disable_route("classify", actor=actor(cast.sam), reason="wrong answers")
    result = put_route("classify", [ACME], actor=actor(cast.pat))
    assert (result.changed, result.route.disabled_at) == (True, None)
    assert RouteNames().unknown(["classify"]) == set()
    with pytest.raises(NotDisabled):
        enable_route("classify", actor=actor(cast.pat))
    with pytest.raises(ReasonMissing):
        disable_route("classify", actor=actor(cast.pat), reason="")


def test_an_unknown_route_is_answered_with_those_there_are(cast):
    make_route("one")
    with pytest.raises(RouteNotFound, match="There are: one"):
        route_for(actor(cast.alice), "two")


@pytest.mark.django_db(transaction=True)
def test_of_two_who_make_a_route_at_once_both_end_well_or_one_is_told():
    make_model()
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def put() -> None:
        gate.wait()
        try:
            put_route("classify", [ACME], actor=operator(), expected_revision=0)
            outcomes.append("made")
        except RouteMoved:
            outcomes.append("told")
        finally:
            connection.close()

    threads = [threading.Thread(target=put) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "told"]
    assert RouteTarget.objects.count() == 1
    assert set_count() == 1


def test_options_and_canaries_are_part_of_the_document(cast):
    vendor = make_vendor()
    make_model(vendor, "acme-1")
    make_model(vendor, "acme-2")
    canary = TargetDraft("acme-ai", "acme-2", canary_percent=5, first_byte_ms=900)
    options = {"retries": 1, "fallback_on": ["429"]}
    put_route("classify", [ACME, canary], actor=actor(cast.pat), options=options)
    route = Route.objects.get(name="classify")
    assert route.options == {"fallback_on": ["429"], "retries": 1}
    row = route.targets.get(model__name="acme-2")
    assert (row.canary_percent, row.first_byte_ms) == (5, 900)
    again = put_route("classify", [canary, ACME], actor=actor(cast.pat), options=options)
    assert (again.changed, set_count()) == (False, 1)
    assert put_route("classify", [ACME, canary], actor=actor(cast.pat)).route.options == {}


@pytest.mark.parametrize(
    ("percents", "said"),
    [((5, 5), "at least one"), ((60, 50, None), "more than 100"), ((101, None), "0 to 100")],
)
def test_canaries_leave_somebody_to_serve_everybody_else(cast, percents, said):
    vendor = make_vendor()
    targets = []
    for number, percent in enumerate(percents):
        make_model(vendor, f"acme-{number}")
        targets.append(TargetDraft("acme-ai", f"acme-{number}", canary_percent=percent))
    with pytest.raises(RouteInvalid, match=said):
        put_route("classify", targets, actor=actor(cast.pat))


def test_an_override_and_its_reason_are_on_record(cast):
    make_model()
    until = (clock.now() + timedelta(hours=1)).isoformat()
    override = {"vendor": "acme-ai", "model": "acme-1", "until": until, "reason": "a slow day"}
    put_route("classify", [ACME], actor=actor(cast.pat), options={"override": override})
    facts = json.loads(bytes(Entry.objects.get(verb="route.set").header))["facts"]
    assert facts["override"] == f"acme-ai/acme-1 until {until}"
    assert facts["override_reason"] == "a slow day"


def test_a_target_passes_its_gate_with_a_reason_and_stays_so_when_the_route_is_said_again(cast):
    make_model()
    pat = actor(cast.pat)
    put_route("classify", [ACME], actor=pat)
    with pytest.raises(ReasonMissing):
        pass_target("classify", "acme-ai", "acme-1", actor=pat, reason=" ")
    with pytest.raises(RouteInvalid, match="is no target of classify"):
        pass_target("classify", "acme-ai", "acme-9", actor=pat, reason="tried on 50 runs")
    pass_target("classify", "acme-ai", "acme-1", actor=pat, reason="tried on 50 runs")
    put_route("classify", [ACME], actor=pat, title="Sorting")
    row = RouteTarget.objects.get()
    assert (row.passed_eval_at is not None, row.passed_eval_reason) == (True, "tried on 50 runs")
    assert Entry.objects.filter(verb="route.target_passed").count() == 1
    with pytest.raises(RoleMissing):
        pass_target("classify", "acme-ai", "acme-1", actor=actor(cast.alice), reason="mine")
    fail_target("classify", "acme-ai", "acme-1", actor=actor(cast.sam), reason="wrong totals")
    row.refresh_from_db()
    assert (row.passed_eval_at, row.passed_eval_reason) == (None, "")
    assert Entry.objects.filter(verb="route.target_failed").count() == 1


def test_what_a_step_and_a_shadow_name_must_be_there(cast):
    make_model()
    nowhere = {"vendor": "acme-ai", "model": "acme-9"}
    steps = {"extract": {"first": [nowhere]}}
    for options in ({"steps": steps}, {"shadow": nowhere | {"percent": 5}}):
        with pytest.raises(RouteInvalid):
            put_route("classify", [ACME], actor=actor(cast.pat), options=options)
    good = {"choose": "cheapest", "steps": {"extract": {"choose": "fastest"}}}
    put_route("classify", [ACME], actor=actor(cast.pat), options=good)
    assert Route.objects.get(name="classify").options == good


def test_a_name_and_a_further_name_lead_to_one_route_only(cast):
    make_model()
    pat = actor(cast.pat)
    put_route("classify", [ACME], actor=pat, aliases=["gpt-5", "claude-sonnet", "classify"])
    assert Route.objects.get().aliases == ["claude-sonnet", "gpt-5"]
    again = put_route("classify", [ACME], actor=pat, aliases=["gpt-5", "claude-sonnet"])
    assert not again.changed
    for name, aliases in (("other", ["gpt-5"]), ("other", ["classify"]), ("gpt-5", [])):
        with pytest.raises(RouteInvalid, match="already"):
            put_route(name, [ACME], actor=pat, aliases=aliases)
    with pytest.raises(RouteInvalid, match="cannot be a name"):
        put_route("other", [ACME], actor=pat, aliases=["two words"])
    put_route("classify", [ACME], actor=pat)
    put_route("gpt-5", [ACME], actor=pat)
    assert Route.objects.count() == 2
