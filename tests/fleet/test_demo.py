"""The demo company acts: something waits, something was answered, and a policy is to be tried."""

from __future__ import annotations

from collections import Counter

import pytest

from approvals.models import Channel, Review
from effects.models import Connection, Proposal
from fleet.demo.acting import act
from fleet.demo.building import remove_company
from fleet.demo.company import Plan, plans
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent, Person
from rules.actions.shipping import ensure_shipped_bundle
from rules.models import Trial
from tests.factories import make_agent, make_key, make_manifest, make_person

pytestmark = [pytest.mark.django_db, pytest.mark.slow]


def acting_agent(plan: Plan, owner: Person) -> Agent:
    tools = [{"name": tool} for tool in plan.tools]
    manifest = make_manifest(plan.name, tools=tools, dataClasses=list(plan.data_classes))
    return make_agent(
        plan.name,
        owner=owner,
        stage=plan.stage,
        tools=list(plan.tools),
        manifest=manifest,
        is_demo=True,
    )


def test_the_demo_company_has_something_in_each_list() -> None:
    operator = Actor.system("demo")
    ensure_shipped_bundle(actor=Actor.system("prepare"))
    make_person("sana", "security")
    owner = make_person("priya")
    keys = [
        (plan, make_key(acting_agent(plan, owner))[0].public_id)
        for plan in plans()
        if plan.name in {"refund-advisor", "ticket-triage"}
    ]

    made = act(keys, actor=operator, say=print)

    states = Counter(Proposal.objects.values_list("state", flat=True))
    assert states == {"proposed": 4, "denied": 2, "withdrawn": 1, "approved": 5}
    assert made == sum(states.values())
    assert Proposal.objects.filter(rule="actions.amount_refused").count() == 1
    assert Proposal.objects.filter(edited_count__gt=0).count() == 1
    assert set(Connection.objects.values_list("name", flat=True)) == {"orders", "portal"}
    waiting = Review.objects.filter(kind="proposal", state="open")
    assert set(waiting.values_list("quorum", flat=True)) == {1, 2}
    assert Channel.objects.get().paused_at is not None
    assert Trial.objects.get().state == "waiting"
    assert Entry.objects.filter(verb="proposal.made").count() == made
    # A second load, as after one that was cut off, asks nothing twice.
    assert act(keys, actor=operator, say=print) == 0

    assert remove_company(actor=operator) == 2
    assert not Proposal.objects.exists()
    assert not Review.objects.filter(state="open").exists()
    assert Entry.objects.filter(verb="proposal.made").count() == made
