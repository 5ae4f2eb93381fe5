"""The pages of the policy: what judges, what was decided, and what comes next."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from kernel import clock
from kernel.refs import Ref
from ledger.record import record
from ledger.shared import keep_artifact
from ledger.verbs import Verb
from policy.bundle import BASE, Bundle, bundle_files
from registry.actors import Actor
from rules.actions.shipping import ensure_shipped_bundle
from rules.catalogue import rules_in
from rules.models import Activation, Grant
from rules.models import Bundle as Kept
from tests.factories import Cast, browser_of, make_agent, make_cast, make_vendor
from tests.rules.test_judging import GOOD

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    ensure_shipped_bundle(actor=Actor.system("prepare"))
    return make_cast()


def decide(rule: str, answer: str = "", verb: Verb = Verb.CALL_INTENDED) -> str:
    asked = keep_artifact("decision_input", json.dumps(GOOD).encode())
    facts: dict[str, Any] = {"rule": rule, "bundle": "sha256:x", "input": asked, "vendor": "acme"}
    with transaction.atomic():
        record(
            verb,
            Ref("model", "mdl_x"),
            actor=Ref("system", "test"),
            kind="intent" if verb == Verb.CALL_INTENDED else "decision",
            facts=facts | ({"answer": answer} if answer else {}),
            stream="run_x",
        )
    return asked


def test_the_page_says_what_is_in_force_and_what_its_rules_decided(cast: Cast) -> None:
    for _ in range(3):
        decide("calls.allowed")
    asked = decide("calls.data_class_approval", "ask", Verb.CALL_DENIED)
    decide("calls.stage", "deny", Verb.CALL_DENIED)
    sam = browser_of(cast.sam)
    shown = sam.get("/policies/").content.decode()
    assert "Shipped policy" in shown
    assert "The first policy of this installation." in shown
    assert "calls.vendor_refused" in shown
    assert f"/policies/try/?input={asked.replace(':', '%3A')}" in shown
    only = sam.get("/policies/?rule=calls.stage").content.decode()
    assert only.count("Why: its facts") == 1
    assert sam.get("/policies/?search=nothing-like-it").status_code == 200
    assert browser_of(cast.alice).get("/policies/").status_code == 403


def test_every_rule_of_the_shipped_bundle_says_what_it_is_for() -> None:
    modules = {path.name: path.read_text() for path in bundle_files(BASE) if path.suffix == ".rego"}
    rules = {rule.name: rule for rule in rules_in(modules)}
    assert {"calls.stage", "calls.allowed", "tools.undeclared"} <= set(rules)
    assert rules["calls.stage"].sentence.startswith("Agent … is in stage …, and only approved")
    assert not [name for name, rule in rules.items() if not rule.sentence]
    spoken = rules_in({"a.rego": '# own.rule: Said better.\nx := {"rule": "own.rule"}\n'})
    assert spoken[0].sentence == "Said better."


def test_the_facts_of_a_recorded_decision_are_tried_again(cast: Cast) -> None:
    asked = decide("calls.allowed")
    sam = browser_of(cast.sam)
    assert "invoice" not in sam.get(f"/policies/try/?input={asked}").content.decode()
    shown = sam.post("/policies/try/", {"facts": json.dumps(GOOD)}).content.decode()
    assert "calls.allowed" in shown
    for bad in ("{", "[]"):
        assert sam.post("/policies/try/", {"facts": bad}).status_code == 422


def test_a_bundle_is_uploaded_compared_and_put_to_security(cast: Cast) -> None:
    sam = browser_of(cast.sam)
    files = [SimpleUploadedFile(path.name, path.read_bytes()) for path in bundle_files(BASE)]
    files.append(SimpleUploadedFile("extra.rego", b"package extra\n\nyes if true\n"))
    made = sam.post("/policies/new/", {"title": "Ours", "uploads": files})
    kept = Kept.objects.get(origin="uploaded")
    assert made["location"] == f"/policies/{kept.public_id}/"
    shown = sam.get(made["location"]).content.decode()
    assert "extra.rego" in shown
    assert "yes if true" in shown
    asked = sam.post(made["location"], {"reason": "We need it."})
    review = browser_of(cast.sue).get(asked["location"]).content.decode()
    assert "would judge every call" in review
    assert "yes if true" in review
    browser_of(cast.sue).post(asked["location"] + "decide/", {"decision": "approve"})
    assert Activation.objects.get(ended_at=None).bundle == kept


def test_an_upload_that_is_refused_says_every_problem_with_its_line(cast: Cast) -> None:
    bad = SimpleUploadedFile("calls.rego", b"package unsprawl.calls\n\ndefault answer := true\n")
    data = SimpleUploadedFile("data.json", b"{}")
    got = browser_of(cast.sam).post("/policies/new/", {"title": "Bad", "uploads": [bad, data]})
    assert got.status_code == 422
    assert "calls.rego:3" in got.content.decode()


def test_settings_are_changed_in_a_form_and_make_a_further_bundle(cast: Cast) -> None:
    sam, shipped = browser_of(cast.sam), Kept.objects.get()
    address = f"/policies/{shipped.public_id}/settings/"
    form = sam.get(address).context["form"]
    given = {name: value for name, value in form.initial.items() if value is not None}
    made = sam.post(address, given | {"vendors_refused": "acme, globex", "max_cost": "0.5"})
    assert made.status_code == 302, made.content.decode()
    kept = Kept.objects.get(origin="uploaded")
    settings = json.loads(Bundle.unpack(bytes(kept.packed)).data)["settings"]
    assert settings["vendors"]["refused"] == ["acme", "globex"]
    assert settings["constraints"]["max_cost_micros"] == 500_000
    broken = sam.post(address, given | {"rest": "{"})
    assert broken.status_code == 422


def test_a_grant_is_asked_for_where_the_refusal_leads(cast: Cast) -> None:
    make_vendor("acme", data_classes=["regulated"])
    make_agent("claims-reader", owner=cast.alice, data_classes=["regulated"])
    alice = browser_of(cast.alice)
    address = "/policies/grants/new?agent=claims-reader&vendor=acme"
    assert "claims-reader" in alice.get(address).content.decode()
    given = {
        "agent": "claims-reader",
        "vendor": "acme",
        "data_class": "regulated",
        "days": "30",
        "reason": "Claims.",
    }
    asked = alice.post("/policies/grants/new", given)
    assert alice.get(address)["location"] == asked["location"]
    review = browser_of(cast.sam).get(asked["location"]).content.decode()
    assert "may send regulated data to acme" in review
    browser_of(cast.sam).post(asked["location"] + "decide/", {"decision": "approve"})
    listed = alice.get("/policies/grants/").content.decode()
    assert "Revoke" in listed

    grant = Grant.objects.get()
    assert grant.until - clock.now() < timedelta(days=31)
    alice.post(f"/policies/grants/{grant.public_id}/revoke/", {"reason": "Done."})
    grant.refresh_from_db()
    assert grant.state == "revoked"
