"""A model of the demo company ends: moves in most states, real figures, and nothing left behind."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import Resolver404, resolve, reverse

from approvals.models import Review
from config.context import SECTIONS
from fleet.campaigns.models import Move
from fleet.cutovers.models import Cutover
from fleet.demo import building, tending
from fleet.demo.building import build_company, guard_of, remove_company
from fleet.demo.company import plans
from fleet.demo.counting import count_told
from fleet.demo.drifting import NAME, call_lately
from fleet.demo.finding import find
from fleet.demo.history import Teller
from fleet.demo.moving import Moving, begun_at
from fleet.discovery.models import Finding
from fleet.drift.models import Change
from fleet.evaluations.models import Evaluation
from fleet.health.models import Incident
from fleet.telling.models import Message
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Person, Role
from routing.models import LifecycleOverride
from rules.actions.shipping import ensure_shipped_bundle
from tests.factories import browser_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
# Who has a part in the campaign, less those that only wait, and who is named in findings.
CONCERNED = {
    "newsletter-builder", "policy-redline", "content-drafts", "proposal-drafts",
    "dunning-letters", "knowledge-gardener", "escalation-writer", "quality-reports", "call-prep",
}  # fmt: skip
# What a removal leaves: the record and what it is read by, the company's people, vendors and
# routes for whoever goes on with them, answered reviews, a quarter's list, which is kept as it was
# shown, and marks, which count nothing. Sessions are the test's own.
STAYS = re.compile(
    r"django_session$|ledger_|registry_(person|team)$|routing_(vendor|model|route|routetarget|lifecyclechange"
    r"|lifecycleoverride|usagemark)$|approvals_review(decision)?$|auditlog_logentry$"
    r"|health_sweep$|conformance_conformancemark$|worth_(worthmark|lookmark|quarter|listed)$"
)
LINK = re.compile(r'href="(/[^"?#]*)"')


def rows() -> dict[str, int]:
    """Count the rows of each table, less those that a removal leaves on purpose."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace"
        )
        names = [name for (name,) in cursor.fetchall() if not STAYS.match(name)]
        found = {}
        for name in names:
            cursor.execute(f'SELECT count(*) FROM "{name}"')
            found[name] = int(cursor.fetchone()[0])
    return found


def addresses(page: str) -> Iterator[tuple[str, str]]:
    """Yield the pages that a page leads to, each by its name."""
    for address in LINK.findall(page.partition("<main")[2]):
        try:
            yield resolve(address).view_name, address
        except Resolver404:  # a file
            continue


def walked(person: Person, roles: set[str]) -> dict[str, int]:
    """Open what the sidebar offers, and of each kind of page behind that the first."""
    browser: Client = browser_of(person)
    found: dict[str, int] = {}
    seen = set()
    behind: dict[str, str] = {}
    for section in SECTIONS:
        if section.roles and not roles & set(section.roles):
            continue
        address = reverse(section.name)
        answer = browser.get(address)
        found[address] = answer.status_code
        seen.add(section.name)
        if answer.status_code == 200:
            for name, to in addresses(answer.content.decode()):
                behind.setdefault(name, to)
    for name, address in behind.items():
        if name not in seen:
            found[address] = browser.get(address).status_code
    return found


def test_the_demo_shows_a_retirement_in_most_states_and_can_be_taken_out(
    app_address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ledger.grants import apply_grants

    apply_grants()
    ensure_shipped_bundle(actor=Actor.system("prepare"))
    before = rows()
    few = [plan for plan in plans() if plan.name in CONCERNED | {NAME}]
    monkeypatch.setattr(building, "plans", lambda: few)
    monkeypatch.setattr(tending, "_BEATING", (("quality-reports", 3600, "down", "It is late."),))
    operator = Actor.system("demo")
    keys = build_company(actor=operator, say=print)
    teller = Teller(address=app_address, keys_dir=settings.KEYS_DIR, say=print)
    busy = [(plan, key) for plan, key in keys if plan.name not in {"call-prep", NAME}]
    quiet = [(plan, key) for plan, key in keys if plan.name == NAME]
    teller.tell(
        [
            *teller.past_of(busy, until=begun_at(clock.now())),
            *teller.past_of(quiet, since=clock.now() - timedelta(days=9)),
        ]
    )
    call_lately(keys, teller)
    count_told(actor=operator)
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

    tending.tend(operator=operator)
    quietly = Change.objects.get(figure="substituted", over_at=None)
    assert (quietly.watch.route, quietly.watch.model) == ("summarise", "gemini-2.5-flash")
    assert Incident.objects.filter(kind="drift", resolved_at=None).count() == 1
    owner = Agent.objects.get(name="content-drafts").owner
    assert owner is not None
    people = [(owner, {Role.EMPLOYEE.value})] + [
        (Person.objects.filter(roles__contains=[role.value])[0], {role.value})
        for role in (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)
    ]
    for person, roles in people:
        opened = walked(person, roles)
        assert len(opened) > 40, opened
        assert {at: code for at, code in opened.items() if code != 200} == {}, person

    assert remove_company(actor=operator) == len(CONCERNED) + 2  # one was claimed
    assert not Agent.objects.exists()
    assert list(Message.objects.values_list("subject", "kind")) == []
    assert {name: count for name, count in rows().items() if count != before.get(name)} == {}
    assert not LifecycleOverride.objects.filter(lifted_at=None).exists()
