"""A model of the demo company ends: moves in most states, real figures, and nothing left behind."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.conf import settings

from approvals.models import Review
from fleet.campaigns.models import Campaign, Move
from fleet.cutovers.models import Cutover
from fleet.demo import building
from fleet.demo.building import build_company, guard_of, remove_company
from fleet.demo.company import plans
from fleet.demo.finding import find
from fleet.demo.history import Teller
from fleet.demo.moving import Moving, begun_at
from fleet.discovery.models import Finding
from fleet.evaluations.models import Evaluation
from fleet.health.models import Incident
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.actions.run_sums import sum_runs
from routing.actions.usage import count_usage
from routing.models import LifecycleOverride, Shift
from rules.actions.shipping import ensure_shipped_bundle

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# Who has a part in the campaign, less those that only wait, and who is named in findings.
CONCERNED = {
    "newsletter-builder", "policy-redline", "content-drafts", "proposal-drafts",
    "dunning-letters", "knowledge-gardener", "escalation-writer", "quality-reports", "call-prep",
}  # fmt: skip


def test_the_demo_shows_a_retirement_in_most_states_and_can_be_taken_out(
    app_address: str, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    from ledger.grants import apply_grants

    apply_grants()
    ensure_shipped_bundle(actor=Actor.system("prepare"))
    few = [plan for plan in plans() if plan.name in CONCERNED]
    monkeypatch.setattr(building, "plans", lambda: few)
    operator = Actor.system("demo")
    keys = build_company(actor=operator, say=print)
    teller = Teller(address=app_address, keys_dir=settings.KEYS_DIR, say=print)
    busy = [(plan, key) for plan, key in keys if plan.name != "call-prep"]
    teller.tell(teller.past_of(busy, until=begun_at(clock.now())))
    count_usage(actor=operator)
    sum_runs(actor=operator)
    Moving(keys, teller, actor=operator).go()

    states = dict(Move.objects.filter(campaign__state="open").values_list("agent__name", "state"))
    assert states == {
        "newsletter-builder": "done", "policy-redline": "ready", "content-drafts": "shifting",
        "proposal-drafts": "signing", "dunning-letters": "ready", "knowledge-gardener": "open",
        "escalation-writer": "contested", "quality-reports": "evaluating",
    }  # fmt: skip
    verdicts = Counter(Evaluation.objects.values_list("state", flat=True))
    assert verdicts == {"passed": 5, "failed": 1, "running": 1}
    cutovers = Counter(Cutover.objects.values_list("state", flat=True))
    assert cutovers == {"done": 1, "rolled_back": 1, "running": 1, "signing": 1}
    assert Incident.objects.get().agent.name == "policy-redline"  # type: ignore[union-attr]
    assert Review.objects.filter(kind="cutover", state="open").count() == 1

    find(guard=guard_of(), operator=operator)
    found = Counter(Finding.objects.values_list("state", flat=True))
    assert found["claimed"] == found["merged"] == found["dismissed"] == 1
    assert found["assigned"] >= 1

    assert remove_company(actor=operator) == len(CONCERNED) + 1  # one was claimed
    assert not Agent.objects.exists()
    for left in (Campaign, Evaluation, Cutover, Finding, Incident, Shift):
        assert not left._default_manager.exists(), left
    assert not LifecycleOverride.objects.filter(lifted_at=None).exists()
