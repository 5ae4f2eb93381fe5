from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from registry.manifest import read_manifest
from registry.models import Agent
from tests.factories import Cast, client_of, make_agent, make_key, make_manifest

YAML_TYPES = ["application/yaml", "application/x-yaml", "text/yaml"]
STEPS = ["suspend", "resume", "deprecate", "retire", "kill"]


def client(cast: Cast, who: str) -> APIClient:
    return client_of(getattr(cast, who))


def code(response: Any) -> str:
    assert response["Content-Type"] == "application/problem+json"
    assert response["x-unsprawl-error"] == response.json()["code"]
    return str(response.json()["code"])


def register(cast: Cast, who: str = "alice", name: str = "invoice-sorter", **spec: Any) -> Any:
    return client(cast, who).post("/api/v1/agents", make_manifest(name, **spec), format="json")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "agents"),
        ("post", "agents"),
        ("post", "manifests/check"),
        ("get", "agents/a"),
        ("delete", "agents/a"),
        ("get", "agents/a/manifest.yaml"),
        ("get", "agents/a/history"),
        ("get", "agents/a/versions"),
        ("post", "agents/a/versions"),
        ("put", "agents/a/versions"),
        ("delete", "agents/a/versions/proposed"),
        ("get", "agents/a/versions/1"),
        ("get", "agents/a/versions/1/diff/2"),
        ("get", "agents/a/keys"),
        ("post", "agents/a/keys"),
        ("post", "agents/a/keys/key_x/rotate"),
        ("delete", "agents/a/keys/key_x"),
        *(("post", f"agents/a/{step}") for step in STEPS),
    ],
)
def test_nobody_is_answered_without_a_credential(cast: Cast, method: str, path: str) -> None:
    make_agent("a", owner=cast.alice, stage="live")
    response = getattr(APIClient(), method)(f"/api/v1/{path}", {}, format="json")
    assert (response.status_code, code(response)) == (401, "kernel.unauthenticated")


def test_the_smallest_manifest_is_registered(cast: Cast) -> None:
    response = register(cast)
    said = response.json()
    assert response.status_code == 201
    assert (said["name"], said["stage"], said["similar"]) == ("invoice-sorter", "draft", [])
    assert said["id"].startswith("agt_")
    assert said["links"]["self"].endswith("/api/v1/agents/invoice-sorter")
    assert response["Location"] == said["links"]["self"]


@pytest.mark.parametrize("media_type", YAML_TYPES)
def test_yaml_is_registered_as_json_is(cast: Cast, media_type: str) -> None:
    text = yaml.safe_dump(make_manifest())
    response = client(cast, "alice").post("/api/v1/agents", text, content_type=media_type)
    assert response.status_code == 201
    assert register(cast).status_code == 200  # the same manifest, this time in JSON


@pytest.mark.parametrize(("field", "name"), [("manifest", "agent.yaml"), ("file", "agent.json")])
def test_a_file_can_be_uploaded(cast: Cast, field: str, name: str) -> None:
    file = SimpleUploadedFile(
        name, json.dumps(make_manifest()).encode(), "application/octet-stream"
    )
    response = client(cast, "alice").post("/api/v1/agents", {field: file}, format="multipart")
    assert response.status_code == 201
    assert Agent.objects.get().versions.get().source == "upload"


def test_the_same_manifest_again_is_answered_with_what_exists(cast: Cast) -> None:
    first, again = register(cast), register(cast)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])


def test_a_taken_name_is_a_conflict(cast: Cast) -> None:
    register(cast)
    response = register(cast, costCenter="1")
    assert (response.status_code, code(response)) == (409, "registry.name_taken")


def test_the_agents_most_like_it_come_with_the_answer(cast: Cast) -> None:
    make_agent("invoice-sorting", owner=cast.bob)
    [similar] = register(cast).json()["similar"]
    assert (similar["name"], similar["owner"]) == ("invoice-sorting", "bob@acme.test")
    assert 0.3 <= similar["score"] <= 1
    assert similar["reasons"]


def test_an_invalid_manifest_names_every_key_and_its_line(cast: Cast) -> None:
    text = yaml.safe_dump(make_manifest(backup_owner="x", owner="user:nobody@acme.test"))
    response = client(cast, "alice").post("/api/v1/agents", text, content_type="application/yaml")
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "backup_owner" in row)
    assert (response.status_code, code(response)) == (422, "registry.manifest_invalid")
    assert response.json()["errors"] == [
        {
            "key": "spec.backup_owner",
            "line": line,
            "message": "unknown key; did you mean backupOwner?",
            "suggestion": "backupOwner",
        }
    ]


@pytest.mark.parametrize(
    ("raw", "media_type", "status", "expected"),
    [
        (b'{"a": 1, "a": 2}', "application/json", 400, "kernel.not_json"),
        (b'{"a": NaN}', "application/json", 400, "kernel.not_json"),
        (b"", "application/json", 400, "kernel.malformed"),
        (b"a: &b [*b]", "application/yaml", 400, "registry.manifest_unreadable"),
        (b"a: !!python/name:os.system x", "text/yaml", 400, "registry.manifest_unreadable"),
        (b" " * 300_000, "application/yaml", 413, "kernel.body_too_large"),
        (b" " * 300_000, "application/json", 413, "kernel.body_too_large"),
        (b"a=1", "application/x-www-form-urlencoded", 415, "kernel.unsupported_media_type"),
        (b"{}", "text/plain", 415, "kernel.unsupported_media_type"),
        (b"[]", "application/json", 422, "registry.manifest_invalid"),
        (b'"text"', "application/json", 422, "registry.manifest_invalid"),
    ],
)
@pytest.mark.parametrize("path", ["agents", "manifests/check"])
def test_a_body_that_is_no_manifest_is_refused_with_its_reason(
    cast: Cast, path: str, raw: bytes, media_type: str, status: int, expected: str
) -> None:
    response = client(cast, "alice").post(f"/api/v1/{path}", raw, content_type=media_type)
    assert (response.status_code, code(response)) == (status, expected)
    assert not Agent.objects.exists()


def test_an_upload_without_a_file_or_too_large_is_refused(cast: Cast) -> None:
    alice = client(cast, "alice")
    empty = alice.post("/api/v1/agents", {"other": "x"}, format="multipart")
    large = SimpleUploadedFile("a.yaml", b" " * 300_000)
    too_large = alice.post("/api/v1/agents", {"manifest": large}, format="multipart")
    assert (empty.status_code, code(empty)) == (400, "kernel.malformed")
    assert (too_large.status_code, code(too_large)) == (413, "kernel.body_too_large")


@pytest.mark.parametrize("who", ["bob", "mallory", "sam", "ann"])
def test_registering_for_another_person_is_refused(cast: Cast, who: str) -> None:
    response = register(cast, who)
    assert (response.status_code, code(response)) == (403, "registry.owner_must_be_you")


def test_the_platform_registers_for_others(cast: Cast) -> None:
    assert register(cast, "pat").json()["owner"] == "alice@acme.test"


def test_checking_answers_what_registering_would(cast: Cast) -> None:
    make_agent("invoice-sorting", owner=cast.bob)
    alice = client(cast, "alice")
    fresh = alice.post("/api/v1/manifests/check", make_manifest(), format="json").json()
    assert [each["name"] for each in fresh["similar"]] == ["invoice-sorting"]
    assert (fresh["changes"], fresh["risk_tier"]) == ([], "low")
    register(cast)
    changed = make_manifest(dataClasses=["internal", "personal"])
    again = alice.post("/api/v1/manifests/check", changed, format="json").json()
    assert [each["risk"] for each in again["changes"]] == ["sees personal data"]
    assert Agent.objects.count() == 2


@pytest.mark.parametrize("who", ["alice", "bob", "mallory", "sam", "pat", "ann"])
def test_everybody_who_is_signed_in_sees_the_inventory(cast: Cast, who: str) -> None:
    make_agent("a", owner=cast.alice, stage="live")
    viewer = client(cast, who)
    assert [each["name"] for each in viewer.get("/api/v1/agents").json()["results"]] == ["a"]
    shown = viewer.get("/api/v1/agents/a").json()
    assert (shown["stage"], shown["version"], shown["proposed"]) == ("live", "1.0.0", None)
    assert shown["manifest"]["metadata"]["name"] == "a"


def test_an_agent_is_found_by_its_id_too(cast: Cast) -> None:
    agent = make_agent("a", owner=cast.alice)
    shown = client(cast, "mallory").get(f"/api/v1/agents/{agent.public_id}").json()
    assert shown["name"] == "a"
    assert shown["proposed"]["version"] == "1.0.0"


@pytest.mark.parametrize("name", ["nothing", "agt_nothing", "%00", "a%2Fb", "x" * 500])
def test_an_absent_agent_is_not_found(cast: Cast, name: str) -> None:
    response = client(cast, "alice").get(f"/api/v1/agents/{name}")
    assert response.status_code == 404


FILTERS = [
    ("stage=live", ["beta"]),
    ("team=finance", ["alpha", "beta"]),
    ("owner=mallory@acme.test", ["gamma"]),
    ("owner=MALLORY@acme.test", ["gamma"]),
    ("route=classify-invoice", ["gamma"]),
    ("data_class=personal", ["gamma"]),
    ("suspended=true", ["beta"]),
    ("suspended=false", ["alpha", "gamma"]),
    ("search=bet", ["beta"]),
    ("search=mallory", ["gamma"]),
    ("stage=live&team=research", []),
    ("tool=jira", ["gamma"]),
    ("tag=finance", []),
]


@pytest.fixture
def three(cast: Cast) -> None:
    make_agent("alpha", owner=cast.alice)
    make_agent("beta", owner=cast.bob, stage="live", suspended_at="2026-11-01T00:00:00Z")
    make_agent(
        "gamma",
        owner=cast.mallory,
        tools=["jira"],
        manifest=make_manifest(
            "gamma",
            dataClasses=["personal"],
            models=[{"alias": "a", "route": "classify-invoice"}],
        ),
    )


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(("query", "names"), FILTERS)
def test_the_inventory_is_filtered(cast: Cast, query: str, names: list[str]) -> None:
    page = client(cast, "alice").get(f"/api/v1/agents?ordering=name&{query}").json()
    assert [each["name"] for each in page["results"]] == names


@pytest.mark.usefixtures("three")
def test_the_inventory_is_ordered_and_paged_by_cursor(cast: Cast) -> None:
    alice = client(cast, "alice")
    first = alice.get("/api/v1/agents?ordering=-name&page_size=2").json()
    second = alice.get(first["next"]).json()
    assert [each["name"] for each in first["results"]] == ["gamma", "beta"]
    assert [each["name"] for each in second["results"]] == ["alpha"]
    assert second["next"] is None


@pytest.mark.parametrize(
    "query", ["stge=live", "stage=flying", "ordering=owner__password", "suspended=maybe"]
)
def test_a_question_the_list_does_not_know_is_refused(cast: Cast, query: str) -> None:
    response = client(cast, "alice").get(f"/api/v1/agents?{query}")
    assert (response.status_code, code(response)) == (422, "kernel.invalid")


def test_a_page_of_the_inventory_costs_the_same_queries_however_long(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        make_agent(f"a{number}", owner=cast.alice, stage="live")
    alice = client(cast, "alice")
    alice.get("/api/v1/agents")
    with django_assert_max_num_queries(3):
        assert len(alice.get("/api/v1/agents").json()["results"]) == 12


def test_the_manifest_is_given_back_as_yaml_that_reads_the_same(
    cast: Cast, full: dict[str, Any]
) -> None:
    alice = client(cast, "alice")
    alice.post("/api/v1/agents", full, format="json")
    response = alice.get("/api/v1/agents/expense-triage/manifest.yaml")
    digest = Agent.objects.get().versions.get().digest
    assert response["Content-Type"] == "application/yaml; charset=utf-8"
    assert response["ETag"] == f'"{digest}"'
    assert read_manifest(response.content, "application/yaml").digest == digest


WHO_MAY = {
    "suspend": {"alice", "bob", "sam", "pat"},
    "kill": {"alice", "bob", "sam", "pat"},
    "deprecate": {"alice", "pat"},
    "retire": {"alice", "pat"},
}


@pytest.mark.parametrize("who", ["alice", "bob", "mallory", "sam", "pat", "ann"])
@pytest.mark.parametrize("step", WHO_MAY)
def test_steps_over_rest_are_open_to_those_they_name(cast: Cast, step: str, who: str) -> None:
    make_agent("a", owner=cast.alice, backup_owner=cast.bob, stage="live")
    response = client(cast, who).post(f"/api/v1/agents/a/{step}", {"reason": "x"}, format="json")
    if who in WHO_MAY[step]:
        assert response.status_code == 200
        assert response.json()["callable"] is (step == "deprecate")
    else:
        assert (response.status_code, code(response)) == (403, "registry.not_your_agent")
        assert response.json()["rule"].startswith("registry.")


@pytest.mark.parametrize("step", WHO_MAY)
def test_a_step_without_a_reason_is_refused(cast: Cast, step: str) -> None:
    make_agent("a", owner=cast.alice, stage="live")
    response = client(cast, "alice").post(f"/api/v1/agents/a/{step}", {}, format="json")
    assert (response.status_code, code(response)) == (422, "registry.reason_missing")


def test_an_unknown_field_beside_the_reason_is_refused(cast: Cast) -> None:
    make_agent("a", owner=cast.alice, stage="live")
    body = {"reason": "x", "force": True}
    response = client(cast, "alice").post("/api/v1/agents/a/retire", body, format="json")
    assert (response.status_code, list(response.json()["errors"])) == (422, ["force"])


def test_a_step_out_of_turn_is_a_conflict_that_says_the_stage(cast: Cast) -> None:
    make_agent("a", owner=cast.alice)
    response = client(cast, "alice").post("/api/v1/agents/a/retire", {"reason": "x"}, format="json")
    assert (response.status_code, code(response)) == (409, "registry.illegal_transition")
    assert response.json()["stage"] == "draft"


def test_a_kill_answers_what_it_revoked(cast: Cast) -> None:
    key = make_key(make_agent("a", owner=cast.alice, stage="live"))[0]
    response = client(cast, "sam").post("/api/v1/agents/a/kill", {"reason": "x"}, format="json")
    assert response.json()["revoked_keys"] == [key.public_id]
    assert response.json()["killed_at"] is not None


def test_suspend_and_resume_over_rest(cast: Cast) -> None:
    make_agent("a", owner=cast.alice, stage="live")
    sam = client(cast, "sam")
    stopped = sam.post("/api/v1/agents/a/suspend", {"reason": "odd"}, format="json").json()
    resumed = sam.post("/api/v1/agents/a/resume", {"reason": "fine"}, format="json").json()
    assert (stopped["suspended"], stopped["suspended_reason"]) == (True, "odd")
    assert (resumed["suspended"], resumed["callable"]) == (False, True)


def test_the_history_is_for_those_who_may_see_inside(cast: Cast) -> None:
    register(cast)
    page = client(cast, "alice").get("/api/v1/agents/invoice-sorter/history").json()
    assert [entry["verb"] for entry in page["results"]] == ["agent.registered"]
    assert page["results"][0]["facts"]["name"] == "invoice-sorter"
    assert client(cast, "ann").get("/api/v1/agents/invoice-sorter/history").status_code == 200
    refused = client(cast, "mallory").get("/api/v1/agents/invoice-sorter/history")
    assert (refused.status_code, code(refused)) == (403, "registry.not_your_agent")


def test_a_draft_is_removed_over_rest(cast: Cast) -> None:
    register(cast)
    assert client(cast, "mallory").delete("/api/v1/agents/invoice-sorter").status_code == 403
    assert client(cast, "alice").delete("/api/v1/agents/invoice-sorter").status_code == 204
    assert client(cast, "alice").get("/api/v1/agents/invoice-sorter").status_code == 404


def test_the_schema_is_open_to_everybody(db: None) -> None:
    response = APIClient().get("/schemas/agent-v1.json")
    assert response.status_code == 200
    assert json.loads(response.content)["$id"].endswith("/schemas/agent-v1.json")


def test_an_agents_own_key_opens_nothing_here(cast: Cast) -> None:
    text = make_key(make_agent("a", owner=cast.alice, stage="live"))[1]
    agent = APIClient()
    agent.credentials(HTTP_AUTHORIZATION=f"Bearer {text}")
    assert agent.get("/api/v1/agents").status_code == 401


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("finance", ["alpha", "beta"]),
        ("BETA", ["beta"]),
        ("bob beta", ["beta"]),
        ("bob alpha", []),
        ("what does.", ["alpha", "beta", "gamma"]),
        ("%", []),
        ("_", []),
        ("labelled", ["alpha"]),
    ],
)
@pytest.mark.usefixtures("three")
def test_every_word_must_occur_in_texts_tags_people_or_teams(
    cast: Cast, words: str, names: list[str]
) -> None:
    Agent.objects.filter(name="alpha").update(tags=["labelled"])
    response = client(cast, "alice").get("/api/v1/agents", {"search": words, "ordering": "name"})
    assert [each["name"] for each in response.json()["results"]] == names


@pytest.mark.parametrize("cursor", ["x", "cD1ub25zZW5zZQ==", "bz0xJnA9eA=="])
def test_a_forged_cursor_of_the_history_is_refused(cast: Cast, cursor: str) -> None:
    register(cast)
    path = f"/api/v1/agents/invoice-sorter/history?cursor={cursor}"
    response = client(cast, "alice").get(path)
    assert (response.status_code, code(response)) == (422, "kernel.invalid")
