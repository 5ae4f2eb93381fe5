"""Proposals, leases, channels and their reviews in a real browser, made as people make them.

One company, one visit of every page: an action with hostile text that waits, one that was
corrected, one a check refused, a policy and a grant to be decided, an agent that asks to go
live, a channel that fails, a mail with a link.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail

from approvals.actions import decide_review, request_promotion
from approvals.actions.channels import WantedChannel, add_channel
from approvals.actions.sending import send_notices
from approvals.models import Channel, Review
from credentials.actions import seal_secret
from credentials.leasing.lending import lend
from credentials.models import Lease
from effects.models import Connection, Operation
from kernel import clock
from registry.actors import Actor
from rules.actions.granting import Wish, ask_grant
from tests.browser.looks import LOOKS, complaints_of, faults_here, faults_of
from tests.browser.test_inbox import HOSTILE
from tests.browser.test_steering_pages import kept, opened
from tests.effects.launch.acting import Acts
from tests.effects.proposals.story import Story, make_story
from tests.factories import actor, client_of, make_agent, make_route, make_vendor
from tests.rules.test_policies import NO_ACME, add, files

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]
CHECKS = [
    {"name": "small", "kind": "json_schema",
     "schema": {"properties": {"amount": {"maximum": 500}}},
     "reason": "More than 500 at once needs the finance system."},
    {"name": "customer-is-named", "kind": "json_schema", "schema": {"required": ["customer"]}},
]  # fmt: skip
SENDER = Actor.system("channels")


class Company:
    """Everything that is looked at, and where it is."""

    def __init__(self) -> None:
        self.story = story = make_story()
        self.cast = cast = story.cast
        make_route("sandbox")
        Operation.objects.filter(name="add-note").update(checks=CHECKS)
        self._channels(story)
        self.pages: dict[str, str] = {}
        self._proposals(story)
        self._leases(story)
        self._rules(cast)
        self._launch(cast)
        send_notices(actor=SENDER)

    def _channels(self, story: Story) -> None:
        sam, pat = actor(story.cast.sam), actor(story.cast.pat)
        hook = WantedChannel(
            "finance-desk", "webhook", address="https://desk.example/in", carries="summary",
            decides_up_to="write", events=("opened", "escalated"), agents=("note-taker",),
        )  # fmt: skip
        self.hook = add_channel(hook, actor=sam).channel
        broken = WantedChannel("old-desk", "webhook", address="http://127.0.0.1:9/in")
        self.broken = add_channel(broken, actor=pat).channel
        post = WantedChannel("mail", "mail", decides_up_to="write")
        self.mail = add_channel(post, actor=sam).channel
        Channel.objects.filter(pk=self.hook.pk).update(paused_at=clock.now())

    def _proposals(self, story: Story) -> None:
        olga = actor(story.approver)
        first = story.waiting("first", arguments={"note": "Called back on Monday."})
        decide_review(first.review_id, actor=olga, decision="approve", comment="Read it.")
        corrected = story.waiting("second", arguments={"note": "Called back on Tuesday."})
        decide_review(
            corrected.review_id, actor=olga, decision="approve", comment="The day was wrong.",
            edited={"customer": "c-17", "note": "Called back on Wednesday.", "amount": 12},
        )  # fmt: skip
        refused = story.propose("third", arguments={"amount": 501}).json()["id"]
        rejected = story.waiting("fourth")
        decide_review(rejected.review_id, actor=olga, decision="reject", comment="Not again.")
        self.hostile = story.waiting(
            "fifth", arguments={"note": HOSTILE, "amount": 7, "lines": [{"to": "p\u0430ypal"}, []]}
        )
        self.pages |= {
            "proposals": "/proposals/",
            "proposals-none": "/proposals/?search=nothing-like-it",
            "proposal-corrected": f"/proposals/{corrected.public_id}/",
            "proposal-refused": f"/proposals/{refused}/",
            "proposal-hostile": f"/proposals/{self.hostile.public_id}/",
        }

    def _leases(self, story: Story) -> None:
        connection = Connection.objects.get()
        seal_secret(connection.ref, "tool-secret", ring="tool", actor=story.cast.pat.ref)
        with lend(
            connection_ref=connection.ref, kind="static", settings={}, seconds=30,
            holder_agent=story.agent.public_id, proposal=self.hostile.public_id,
        ) as lent:  # fmt: skip
            done = lent.lease_id
        now = clock.now()
        stuck = Lease.objects.create(  # it takes a server that will not, and days
            public_id="lse_stuck", connection=str(connection.ref), agent_id=story.agent.public_id,
            proposal_id=self.hostile.public_id, kind="postgresql_role", state="irrevocable",
            handle="unsprawl_lse_stuck", goal="revoked", fault="privilege", attempts=1,
            issued_at=now, expires_at=now + timedelta(minutes=5), reason="The agent was stopped.",
        )  # fmt: skip
        self.pages |= {
            "leases": "/leases/",
            "leases-none": "/leases/?search=nothing-like-it",
            "lease-returned": f"/leases/{done}/",
            "lease-irrevocable": f"/leases/{stuck.public_id}/",
        }

    def _rules(self, cast: Any) -> None:
        sue = client_of(cast.sue)
        cases = json.dumps([])
        policy = add(sue, files(**NO_ACME) | {"cases.json": cases}).json()["id"]
        sue.post(f"/api/v1/policies/{policy}/activate", {"reason": "They had a breach."})
        make_vendor("acme", data_classes=["regulated"])
        make_agent("claims-reader", owner=cast.alice, data_classes=["regulated"])
        wish = Wish("claims-reader", "acme", "regulated", clock.now() + timedelta(days=30))
        ask_grant(wish, actor=actor(cast.alice), reason="The pilot with the claims team.")

    def _launch(self, cast: Any) -> None:
        payer = make_agent(
            "payer", owner=cast.alice, backup_owner=cast.bob, stage="soft_launch",
            risk_tier="medium",
        )  # fmt: skip
        acts = Acts(payer)
        acts.judged("approved", 9)
        acts.judged("edited", 1)
        acts.judged("rejected", 1, on="erp.post-entry-with-a-long-name")
        acts.judged("approved", 2, on="erp.post-entry-with-a-long-name", state="failed")
        request_promotion(
            "payer", actor=actor(cast.alice), justification="It does well.",
            exception="It runs once a year, on the day of the audit.",
        )  # fmt: skip


@pytest.fixture
def company(transactional_db: None, settings: Any) -> Company:
    settings.EMAIL_HOST = "127.0.0.1"
    settings.REVIEW_ESCALATE_SECONDS = None
    return Company()


def link_to(email: str) -> str:
    for each in mail.outbox:
        if each.to == [email] and "/answer/" in each.body:
            return "/answer/" + str(each.body).partition("/answer/")[2].split()[0]
    raise AssertionError(f"no link for {email} in {len(mail.outbox)} mails")


def test_every_page_is_sound_in_every_look(
    browser: Any, live_server: Any, company: Company
) -> None:
    def look(name: str) -> None:
        kept(page, f"effect-{name}")

    reviews = Review.objects.filter(state="open")
    pages = company.pages | {
        f"review-{each.kind}": f"/reviews/{each.public_id}/" for each in reviews
    }
    assert {"review-proposal", "review-policy", "review-grant", "review-promotion"} <= set(pages)
    pages |= {
        "channels": "/channels/",
        "channel-new": "/channels/new/",
        "channel": f"/channels/{company.broken.public_id}/",
        "channel-paused": f"/channels/{company.hook.public_id}/",
        "notices": "/account/notices/",
        "home": "/",
    }
    page = opened(browser, live_server, company.cast.sam)
    found = faults_of(page, pages, look, LOOKS)
    heard = complaints_of(page)
    page.goto(f"/reviews/{company.hostile.review_id}/")
    assert not set(page.title()) & set("\u202e\u202c\u200b\x1b")
    page.get_by_text("Correct it and approve that").click()
    look("review-edit")
    found += faults_here(page, "the edit form", LOOKS)
    page.goto(link_to("sam@acme.test"))
    look("answer")
    found += faults_here(page, "an answer by mail", LOOKS)
    page.context.close()
    assert found + heard == []
