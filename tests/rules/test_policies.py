"""Bundles from the upload to the day they judge: linted, tested, compared, decided by two."""

from __future__ import annotations

import io
import json
import zipfile
from base64 import b64encode
from typing import Any

import pytest
from rest_framework.test import APIClient

from ledger.models import Artifact, Entry
from policy.bundle import BASE, bundle_files
from policy.cases import read_cases
from policy.errors import BundleUnusable
from registry.actors import Actor
from rules.actions.shipping import ensure_shipped_bundle
from rules.judging import judge_facts
from rules.models import Activation, Bundle
from tests.factories import Cast, client_of, make_cast, make_person
from tests.rules.test_judging import GOOD

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    ensure_shipped_bundle(actor=Actor.system("prepare"))
    return make_cast()


def files(**settings: Any) -> dict[str, str]:
    found = {path.name: path.read_text() for path in bundle_files(BASE)}
    document = json.loads(found["data.json"])
    document["settings"] |= settings
    return found | {"data.json": json.dumps(document)}


NO_ACME = {"vendors": {"allowed": ["*"], "refused": ["acme"]}}
CASES = json.dumps([{"name": "No acme", "input": GOOD, "answer": "deny"}])


def add(client: APIClient, of: dict[str, str], **over: Any) -> Any:
    return client.post("/api/v1/policies", {"title": "No acme", "files": of} | over)


def test_a_change_comes_into_force_once_another_person_agreed(cast: Cast) -> None:
    sam, sue = client_of(cast.sam), client_of(cast.sue)
    made = add(sam, files(**NO_ACME) | {"cases.json": CASES})
    assert made.status_code == 201, made.json()
    policy = made.json()["id"]
    assert made.json()["tested"] == {"cases": 1, "failed": []}
    asked = sam.post(f"/api/v1/policies/{policy}/activate", {"reason": "They had a breach."})
    assert asked.status_code == 202
    review = asked.json()["review"]
    shown = sue.get(f"/api/v1/reviews/{review}").json()
    (changed,) = shown["evidence"]["files"]
    assert changed["name"] == "data.json"
    assert any(line["kind"] == "added" and "acme" in line["text"] for line in changed["lines"])
    answer = {"decision": "approve"}
    assert sam.post(f"/api/v1/reviews/{review}/decisions", answer).status_code == 403
    assert judge_facts(GOOD).allow
    assert sue.post(f"/api/v1/reviews/{review}/decisions", answer).status_code in {200, 201}
    assert judge_facts(GOOD).rule == "calls.vendor_refused"
    now = sam.get("/api/v1/activations").json()["results"]
    assert [row["title"] for row in now] == ["No acme", "Shipped policy"]
    assert (now[0]["review"], now[0]["ended_at"]) == (review, None)
    entry = Entry.objects.filter(verb="policy.activated").latest("id")
    facts = json.loads(bytes(entry.header))["facts"]
    assert facts["bundle"] == made.json()["digest"]
    assert Artifact.objects.filter(digest=facts["bundle"]).exists()


def test_who_wrote_a_policy_does_not_decide_on_it_whoever_asks(cast: Cast) -> None:
    made = add(client_of(cast.sue), files(**NO_ACME))
    again = make_person("sue+two", "security")
    path = f"/api/v1/policies/{made.json()['id']}/activate"
    review = client_of(cast.pat).post(path, {"reason": "Sue says so."}).json()["review"]
    decide, answer = f"/api/v1/reviews/{review}/decisions", {"decision": "approve"}
    for author in (cast.sue, again):
        refused = client_of(author).post(decide, answer)
        assert (refused.status_code, refused.json()["code"]) == (403, "approvals.own_matter")
    assert client_of(cast.sam).post(decide, answer).status_code in {200, 201}
    assert judge_facts(GOOD).rule == "calls.vendor_refused"


def test_going_back_is_activating_an_earlier_one(cast: Cast) -> None:
    sam, sue = client_of(cast.sam), client_of(cast.sue)
    policy = add(sam, files(**NO_ACME)).json()["id"]
    shipped = Bundle.objects.get(origin="shipped").public_id
    for wanted in (policy, shipped):
        asked = sam.post(f"/api/v1/policies/{wanted}/activate", {"reason": "Now."}).json()
        sue.post(f"/api/v1/reviews/{asked['review']}/decisions", {"decision": "approve"})
    assert judge_facts(GOOD).allow
    assert Activation.objects.count() == 3
    again = sam.post(f"/api/v1/policies/{shipped}/activate", {"reason": "Again."})
    assert (again.status_code, again.json()["code"]) == (409, "rules.already_in_force")


def test_what_came_into_force_meanwhile_voids_a_question(cast: Cast) -> None:
    sam, sue = client_of(cast.sam), client_of(cast.sue)
    first = add(sam, files(**NO_ACME)).json()["id"]
    second = add(sam, files(stages=["live"]), title="Live alone").json()["id"]
    asked = [
        sam.post(f"/api/v1/policies/{each}/activate", {"reason": "Now."}).json()["review"]
        for each in (first, second)
    ]
    sue.post(f"/api/v1/reviews/{asked[0]}/decisions", {"decision": "approve"})
    late = sue.post(f"/api/v1/reviews/{asked[1]}/decisions", {"decision": "approve"})
    assert (late.status_code, late.json()["code"]) == (409, "approvals.review_void")


def test_a_bundle_that_fails_its_own_cases_is_kept_and_not_put_to_anybody(cast: Cast) -> None:
    sam = client_of(cast.sam)
    wrong = json.dumps([{"name": "Wrong", "input": GOOD, "answer": "allow"}])
    made = add(sam, files(**NO_ACME) | {"cases.json": wrong}).json()
    (failed,) = made["tested"]["failed"]
    assert failed == {
        "name": "Wrong",
        "wanted": "allow",
        "got": "deny by calls.vendor_refused",
    }
    asked = sam.post(f"/api/v1/policies/{made['id']}/activate", {"reason": "Now."})
    assert (asked.status_code, asked.json()["code"]) == (409, "rules.cases_fail")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (
            "extra.rego",
            'package x\n\na := http.send({"url": "y"})\n',
            "rego:3: built-in http",
        ),
        ("extra.rego", "package x\n\ndefault allow := true\n", "rego:3: a default may never"),
        ("extra.rego", "package x\n\na := data.b with input as {}\n", "extra.rego:3: `with`"),
        ("extra.rego", "package x\n\nallow {\n  true\n}\n", "extra.rego:3: rule allow"),
        ("extra.rego", "package x\n\na := (\n", "does not build"),
        ("../up.rego", "package x\n", "is no file of a bundle"),
        ("notes.txt", "x", "is no file of a bundle"),
        ("cases.json", '[{"name": 7}]', "Case 1 of cases.json"),
        ("cases.json", "{", "cases.json cannot be read"),
        ("data.json", "[]", "data object"),
    ],
)
def test_what_cannot_judge_is_refused_with_the_place(
    cast: Cast, name: str, text: str, says: str
) -> None:
    got = add(client_of(cast.sam), files() | {name: text})
    assert (got.status_code, got.json()["code"]) == (422, "rules.bundle_refused")
    assert says in got.json()["detail"]
    assert Bundle.objects.count() == 1


def zipped(of: dict[str, str], folder: str = "ours/") -> str:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in of.items():
            archive.writestr(folder + name, text)
    return b64encode(raw.getvalue()).decode()


def test_a_zip_is_taken_out_of_its_folder(cast: Cast) -> None:
    sam = client_of(cast.sam)
    given = files(**NO_ACME) | {"README.md": "Ours."}
    made = sam.post("/api/v1/policies", {"title": "Zipped", "zip": zipped(given)})
    assert made.status_code == 201, made.json()
    whole = sam.get(f"/api/v1/policies/{made.json()['id']}").json()
    assert set(whole["files"]) == set(files())
    for bad in ("bm90IGEgemlw", "!"):
        got = sam.post("/api/v1/policies", {"title": "Bad", "zip": bad})
        assert got.json()["code"] == "rules.bundle_refused"
    bomb = zipped({"data.json": " " * 5_000_000})
    assert sam.post("/api/v1/policies", {"title": "Bomb", "zip": bomb}).status_code == 422


def test_facts_are_tried_without_anything_coming_of_it(cast: Cast) -> None:
    sam = client_of(cast.sam)
    entries = Entry.objects.count()
    got = sam.post("/api/v1/policies/try", {"facts": GOOD}).json()
    assert (got["answer"], got["rule"]) == ("allow", "calls.allowed")
    assert 0 < got["micros"] < 5_000_000
    policy = add(sam, files(**NO_ACME)).json()["id"]
    got = sam.post("/api/v1/policies/try", {"facts": GOOD, "policy": policy}).json()
    assert (got["answer"], got["rule"]) == ("deny", "calls.vendor_refused")
    changes = sam.get(f"/api/v1/policies/{policy}/changes").json()["files"]
    assert [each["name"] for each in changes] == ["data.json"]
    assert Entry.objects.filter(verb="policy.added").count() == 2
    assert Entry.objects.count() == entries + 1


def test_policies_are_for_those_who_govern(cast: Cast) -> None:
    policy = Bundle.objects.get().public_id
    for path in ("policies", f"policies/{policy}", "activations", f"policies/{policy}/changes"):
        assert client_of(cast.alice).get(f"/api/v1/{path}").status_code == 403
        assert client_of(cast.ann).get(f"/api/v1/{path}").status_code == 200
    assert add(client_of(cast.ann), files(**NO_ACME)).status_code == 403
    assert client_of(cast.alice).post("/api/v1/policies/try", {"facts": {}}).status_code == 403
    assert client_of(cast.sam).get("/api/v1/policies/pol_x").status_code == 404
    shipped = {path.name: path.read_text() for path in bundle_files(BASE)}
    again = add(client_of(cast.sam), shipped)
    assert (again.status_code, again.json()["code"]) == (409, "rules.bundle_known")


def test_cases_are_read_strictly() -> None:
    for raw in (b"7", b"[7]", b'[{"name": "", "input": {}, "answer": "allow"}]'):
        with pytest.raises(BundleUnusable):
            read_cases(raw)
