"""What vendors have really announced, from the shipped data, as it stands on 22 November 2026."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from fleet.campaigns.actions.falling_due import carry_out_rules
from fleet.campaigns.actions.following import follow_changes
from fleet.campaigns.actions.opening import open_due
from fleet.campaigns.actions.reminding import remind_owners
from fleet.campaigns.models import Campaign, Move
from fleet.campaigns.queries.candidates import candidates_for
from fleet.telling.models import Message
from kernel import clock
from routing.actions.catalogue import load_shipped_catalogue
from routing.actions.linking import relink
from routing.actions.overriding import OverrideDraft, override_fate
from routing.models import Model
from tests.factories import Cast, actor, make_cast, make_model, make_vendor, operator
from tests.fleet.campaigns.made import SWEEP, move_of, using

pytestmark = pytest.mark.django_db
TODAY = datetime(2026, 11, 22, 9, tzinfo=UTC)
# A month past its day, and called today.
OVERDUE = date(2026, 11, 29)
CASES = {
    ("openai", "gpt-5-2025-08-07"): (date(2026, 12, 11), "gpt-6.1-sol"),
    ("openai", "gpt-5-mini"): (date(2026, 12, 11), "gpt-6.1-terra"),
    ("openai", "gpt-4o-2024-08-06"): (date(2027, 1, 14), "gpt-6-luna"),
    ("openai", "gpt-4o-2024-11-20"): (date(2027, 1, 14), "gpt-6-luna"),
    ("openai", "gpt-4o-mini-2024-07-18"): (date(2027, 1, 14), "gpt-6-luna"),
    ("openai", "gpt-4o-2024-05-13"): (OVERDUE, "gpt-5.6-sol"),
    ("openai", "o3-mini"): (OVERDUE, "gpt-5.6-sol"),
    ("anthropic", "claude-sonnet-4-5-20250929"): (date(2026, 11, 30), "claude-sonnet-5-5"),
}
PRICED = {"input_micros_per_mtok": 1_000_000, "output_micros_per_mtok": 4_000_000}


@pytest.fixture(autouse=True)
def on_that_day() -> Iterator[None]:
    with clock.held_at(TODAY):
        yield


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def models(cast: Cast) -> dict[str, Model]:
    load_shipped_catalogue(actor=operator())
    vendors = {name: make_vendor(name, platform=name) for name in ("openai", "anthropic")}
    made = [make_model(vendors[vendor], name) for vendor, name in CASES]
    relink(made, actor=operator().ref)
    for number, model in enumerate(made):
        using(model, f"agent-{number}", cast.alice)
    return {model.name: model for model in made}


def test_every_model_in_use_that_ends_has_its_campaign_day_and_replacement(
    models: dict[str, Model],
) -> None:
    assert open_due(actor=SWEEP) == len(CASES)
    rows = Campaign.objects.values_list(
        "model__vendor__name", "model__name", "due_on", "replacement"
    )
    assert {(vendor, name): (day, to) for vendor, name, day, to in rows} == CASES
    assert follow_changes(actor=SWEEP) == 0
    assert remind_owners(actor=SWEEP) == Move.objects.count()


def test_sonnet_falls_due_eight_days_from_now_and_what_is_overdue_the_day_before(
    models: dict[str, Model],
) -> None:
    open_due(actor=SWEEP)
    with clock.held_at(datetime(2026, 11, 28, 10, 1, tzinfo=UTC)):
        carry_out_rules(actor=SWEEP)
        gone = Model.objects.filter(disabled_at__isnull=False)
        assert set(gone.values_list("name", flat=True)) == {"gpt-4o-2024-05-13", "o3-mini"}
    with clock.held_at(datetime(2026, 11, 29, 10, 1, tzinfo=UTC)):
        carry_out_rules(actor=SWEEP)
        assert gone.filter(name__startswith="claude").exists()
        assert not gone.filter(name__startswith="gpt-5").exists()


def test_a_replacement_changed_in_mid_notice_is_ranked_anew_and_told(
    cast: Cast, models: dict[str, Model]
) -> None:
    model = models["gpt-5-2025-08-07"]
    sol = make_model(model.vendor, "gpt-6.1-sol", **PRICED)
    luna = make_model(model.vendor, "gpt-6-luna", **PRICED)
    open_due(actor=SWEEP)
    campaign = Campaign.objects.get(model=model)
    move = campaign.moves.select_related("agent").get()
    assert [each.model for each in candidates_for(move) if each.is_named] == [sol]
    Move.objects.filter(pk=move.pk).update(
        state="ready", candidate=sol, chosen_by=str(cast.alice.ref), chosen_at=TODAY
    )
    override_fate(
        model.public_id,
        OverrideDraft(
            retires_on=date(2026, 12, 11), replacement="gpt-6-luna", reason="their letter"
        ),
        actor=actor(cast.pat),
    )
    assert follow_changes(actor=SWEEP) == 1
    move = move_of(campaign, move.agent)
    assert (move.state, move.candidate) == ("open", None)
    assert [each.model for each in candidates_for(move) if each.is_named] == [luna]
    (told,) = Message.objects.filter(kind="move.changed")
    assert "gpt-6.1-sol is no longer the replacement" in told.title


def test_a_day_moved_on_the_day_before_brings_back_what_was_paused(
    cast: Cast, models: dict[str, Model]
) -> None:
    model = models["gpt-5-2025-08-07"]
    open_due(actor=SWEEP)
    campaign = Campaign.objects.get(model=model)
    with clock.held_at(datetime(2026, 12, 10, 11, tzinfo=UTC)):
        carry_out_rules(actor=SWEEP)
        assert campaign.moves.get().state == "paused"
        draft = OverrideDraft(retires_on=date(2027, 2, 11), reason="their letter of today")
        override_fate(model.public_id, draft, actor=actor(cast.pat))
        follow_changes(actor=SWEEP)
        campaign.refresh_from_db()
        model.refresh_from_db()
        assert campaign.moves.get().state == "open"
        assert (campaign.due_on, model.disabled_at) == (date(2027, 2, 11), None)
    with clock.held_at(datetime(2027, 2, 10, 10, tzinfo=UTC) + timedelta(seconds=1)):
        carry_out_rules(actor=SWEEP)
        assert campaign.moves.get().state == "paused"
