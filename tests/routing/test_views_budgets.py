"""The pages of budgets: how full, what it would have stopped, and who may change what."""

from __future__ import annotations

import pytest
from django.test import Client

from kernel import clock
from routing.models import Budget, BudgetNotice, BudgetWindow
from routing.queries.budgets import standing
from tests.factories import Cast, make_agent, make_budget, make_call, make_cast

pytestmark = pytest.mark.django_db
GIVEN = {
    "subject_kind": "organisation", "measure": "cost month", "amount": "250", "currency": "USD",
    "thresholds": "50, 80", "reason": "The quarter's plan.",
}  # fmt: skip


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def browser(person) -> Client:
    made = Client()
    made.force_login(person, backend="registry.authentication.PasswordBackend")
    return made


def test_a_budget_is_previewed_then_set_changed_and_ended(cast):
    pat = browser(cast.pat)
    make_call(make_agent(), cost_micros=300_000_000)
    looked = pat.post("/budgets/new/", GIVEN | {"preview": "1"})
    assert "would have stopped 1 call " in looked.content.decode()
    assert not Budget.objects.exists()
    assert pat.post("/budgets/new/", GIVEN).status_code == 302
    budget = Budget.objects.get()
    assert (budget.cap, budget.thresholds) == (250_000_000, [50, 80])
    page = f"/budgets/{budget.public_id}/"
    window = standing(budget).span.starts_at
    BudgetWindow.objects.filter(starts_at=window).update(spent=100_000_000)
    assert "$100.00" in pat.get(page).content.decode()
    assert "40% of the cap" in pat.get("/budgets/").content.decode()
    changed = pat.post(f"{page}change/", {"amount": "300", "thresholds": "50"})
    assert changed.status_code == 302
    assert pat.post(f"{page}change/", {"amount": "300", "thresholds": "x"}).status_code == 422
    assert pat.get(f"{page}change/").status_code == 200
    assert pat.get(f"{page}end/").status_code == 200
    assert pat.post(f"{page}end/", {"reason": "Over."}).status_code == 302
    assert pat.get(page).status_code == 404


def test_home_tells_of_what_is_nearly_spent(cast):
    budget = make_budget(cap=100_000_000)
    since = standing(budget).span.starts_at
    BudgetWindow.objects.create(budget=budget, starts_at=since, spent=90_000_000)
    home = browser(cast.pat).get("/").content.decode()
    assert "Budgets near their caps" not in home
    BudgetNotice.objects.create(budget=budget, starts_at=since, percent=80, noticed_at=clock.now())
    home = browser(cast.pat).get("/").content.decode()
    assert "Budgets near their caps" in home
    assert "90% of the cap" in home


def test_what_is_wrong_is_said_at_its_field(cast):
    pat = browser(cast.pat)
    wrong = pat.post("/budgets/new/", GIVEN | {"subject_kind": "agent", "subject": "nobody"})
    assert wrong.status_code == 422
    assert "There is no agent" in wrong.content.decode()


def test_who_owns_an_agent_sees_its_budget_and_changes_nothing(cast):
    agent = make_agent(owner=cast.alice)
    budget = make_budget(subject_kind="agent", subject=agent.public_id)
    alice, mallory = browser(cast.alice), browser(cast.mallory)
    assert agent.title in alice.get("/budgets/").content.decode()
    assert alice.get(f"/budgets/{budget.public_id}/").status_code == 200
    for page in ("/budgets/new/", f"/budgets/{budget.public_id}/change/"):
        assert alice.get(page).status_code == 403
    assert mallory.get(f"/budgets/{budget.public_id}/").status_code == 404
