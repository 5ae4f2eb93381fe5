from __future__ import annotations

from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from registry.models import Agent, AgentVersion, Person
from tests.factories import (
    Cast,
    make_agent,
    make_cast,
    make_manifest,
    make_model,
    make_person,
    make_route,
    make_vendor,
)

pytestmark = pytest.mark.django_db
REGISTER = "/agents/register/"


@pytest.fixture
def cast() -> Cast:
    made = make_cast()
    make_route("sandbox", make_model(make_vendor("sandbox", data_classes=["public", "internal"])))
    return made


def as_(person: Person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def answers(**over: Any) -> dict[str, Any]:
    return {
        "way": "form",
        "title": "Invoice sorter",
        "description": "Reads incoming invoices and sorts them by cost centre.",
        "backup_owner": "bob@acme.test",
        "data_classes": ["internal"],
        "routes": ["sandbox"],
    } | over


def hand_in(person: Person, text: str) -> Any:
    return as_(person).post(REGISTER, {"way": "yaml", "text": text})


def test_the_answers_make_a_draft_with_a_name_of_its_own(cast: Cast) -> None:
    response = as_(cast.alice).post(REGISTER, answers())
    assert response["Location"] == "/agents/invoice-sorter/"
    agent = Agent.objects.get()
    assert (agent.name, agent.stage, agent.owner) == ("invoice-sorter", "draft", cast.alice)
    assert (agent.backup_owner, agent.team) == (cast.bob, cast.finance)
    assert AgentVersion.objects.get().source == "form"


def test_everything_that_can_be_said_is_in_the_manifest(cast: Cast) -> None:
    given = answers(
        purpose="Saves time.", team="research", tools="mailbox: read\nerp:write\n\nbank",
        steps="fetch: deterministic\nclassify", on_call="#finance", cost_center="4711",
        tags="Finance, invoices ,finance", risk_tier="high", name="sorter",
    )  # fmt: skip
    assert as_(cast.alice).post(REGISTER, given).status_code == 302
    spec = AgentVersion.objects.get().manifest["spec"]
    assert spec["tools"] == [
        {"name": "mailbox", "effect": "read"},
        {"name": "erp", "effect": "write"},
        {"name": "bank", "effect": "read"},
    ]
    assert [step["kind"] for step in spec["steps"]] == ["deterministic", "model"]
    assert (spec["team"], spec["riskTier"], spec["costCenter"]) == ("research", "high", "4711")
    assert Agent.objects.get().tags == ["finance", "invoices"]


def test_several_routes_have_several_aliases(cast: Cast) -> None:
    make_route("openai/gpt-5", make_model(make_vendor("openai"), "gpt-5"))
    given = answers(routes=["sandbox", "openai/gpt-5"])
    assert as_(cast.alice).post(REGISTER, given).status_code == 302
    models = AgentVersion.objects.get().manifest["spec"]["models"]
    assert {model["route"] for model in models} == {"sandbox", "openai/gpt-5"}
    assert len({model["alias"] for model in models}) == 2


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"title": ""}, "This field is required"),
        ({"backup_owner": "nobody@acme.test"}, "There is no person nobody@acme.test"),
        ({"backup_owner": "alice@acme.test"}, "Must be somebody else than the owner"),
        ({"data_classes": []}, "This field is required"),
        ({"data_classes": ["secret"]}, "not one of the available choices"),
        ({"routes": []}, "This field is required"),
        ({"tools": "bank: explode"}, "Line 1: after the colon comes one of"),
        ({"name": "Not A Slug"}, "valid"),
        ({"name": "register"}, "is reserved"),
        ({"title": "\u0444\u0430\u043a\u0442\u0443\u0440\u044b"}, "Give it a short name"),
        ({"description": "In\u202evisible"}, "cannot be seen"),
        ({"description": "x" * 5000}, "at most 4000"),
    ],
)
def test_a_wrong_answer_is_shown_beside_it_and_nothing_is_lost(
    cast: Cast, over: dict[str, Any], said: str
) -> None:
    given = answers(purpose="Keep this sentence.", **over)
    response = as_(cast.alice).post(REGISTER, given)
    page = response.content.decode()
    assert response.status_code == 422
    assert said in page
    assert "Keep this sentence." in page
    assert not Agent.objects.exists()
    if "data_classes" not in over:
        assert '<input type="checkbox" name="data_classes" value="internal" checked>' in page


def test_a_name_that_is_taken_is_said_beside_the_name(cast: Cast) -> None:
    make_agent("invoice-sorter", owner=cast.mallory)
    response = as_(cast.alice).post(REGISTER, answers())
    assert response.status_code == 422
    assert "is an agent of Mallory" in response.content.decode()


def test_only_the_platform_names_another_owner(cast: Cast) -> None:
    given = answers(owner="mallory@acme.test")
    as_(cast.alice).post(REGISTER, given)
    assert Agent.objects.get().owner == cast.alice
    as_(cast.pat).post(REGISTER, given | {"name": "second"})
    assert Agent.objects.get(name="second").owner == cast.mallory


def test_the_same_answers_twice_make_one_agent(cast: Cast) -> None:
    client = as_(cast.alice)
    client.post(REGISTER, answers())
    again = client.post(REGISTER, answers(), follow=True)
    assert "is registered already" in again.content.decode()
    assert Agent.objects.count() == 1


def test_the_agents_most_like_it_show_while_one_writes(cast: Cast) -> None:
    make_agent("invoice-sorter", owner=cast.mallory)
    page = as_(cast.alice).post(REGISTER + "check/", {"title": "Invoice sorter"}).content.decode()
    assert "100% alike" in page or "9" in page
    assert "Mallory" in page
    assert "The name is taken" in page
    assert not Agent.objects.filter(owner=cast.alice).exists()


def test_the_manifest_of_the_answers_shows_while_one_writes(cast: Cast) -> None:
    page = as_(cast.alice).post(REGISTER + "check/", answers(data_classes=["personal"]))
    text = page.content.decode()
    assert "name: invoice-sorter" in text
    assert "takes no personal data" in text
    assert as_(cast.alice).post(REGISTER + "check/", {}).status_code == 200
    assert as_(cast.alice).get(REGISTER + "check/").status_code == 405


def test_a_pasted_manifest_registers(cast: Cast) -> None:
    response = hand_in(cast.alice, yaml.safe_dump(make_manifest("pasted")))
    assert response["Location"] == "/agents/pasted/"
    response = hand_in(cast.alice, '{"apiVersion": ')
    assert response.status_code == 422


def test_an_uploaded_manifest_wins_over_the_text(cast: Cast) -> None:
    raw = yaml.safe_dump(make_manifest("uploaded")).encode()
    file = SimpleUploadedFile("agent.yaml", raw, "application/yaml")
    response = as_(cast.alice).post(REGISTER, {"way": "yaml", "text": "x: 1", "file": file})
    assert response["Location"] == "/agents/uploaded/"
    assert AgentVersion.objects.get().source == "upload"


def test_problems_of_a_manifest_are_shown_by_their_lines(cast: Cast) -> None:
    manifest = make_manifest("wrong", dataClasses=["internl"], backupOwner="user:who@acme.test")
    text = yaml.safe_dump(manifest, sort_keys=False) + "surprise: 1\n"
    response = hand_in(cast.alice, text)
    page = response.content.decode()
    assert response.status_code == 422
    assert f"line {text.count(chr(10))}" in page
    assert "surprise" in page
    mended = hand_in(cast.alice, text.replace("surprise: 1\n", ""))
    page = mended.content.decode()
    assert "there is no person who@acme.test" in page
    assert '<code class="inline-code">internal</code>' in page
    assert "user:who@acme.test" in page  # the text is still in the box


@pytest.mark.parametrize(
    "text", ["", "   ", "[]", "a: b: c", "x: &a 1\ny: *a", "{" * 200, "\t- x", "name: \x00"]
)
def test_a_text_that_is_no_manifest_is_refused_kindly(cast: Cast, text: str) -> None:
    assert hand_in(cast.alice, text).status_code == 422
    assert not Agent.objects.exists()


def test_bytes_that_are_no_text_are_refused_kindly(cast: Cast) -> None:
    file = SimpleUploadedFile("agent.yaml", b"\xff\xfe\x00", "application/yaml")
    assert as_(cast.alice).post(REGISTER, {"way": "yaml", "file": file}).status_code == 422
    big = SimpleUploadedFile("agent.yaml", b"#" * 300_000, "application/yaml")
    response = as_(cast.alice).post(REGISTER, {"way": "yaml", "file": big})
    assert response.status_code == 422


def test_somebody_elses_agent_cannot_be_handed_in(cast: Cast) -> None:
    manifest = make_manifest("theirs", owner="user:mallory@acme.test")
    response = hand_in(cast.alice, yaml.safe_dump(manifest))
    assert response.status_code == 422
    assert "Name yourself as spec.owner" in response.content.decode()


@pytest.mark.parametrize("way", ["form", "yaml", "shell", "nonsense"])
def test_every_way_in_has_its_page(cast: Cast, way: str) -> None:
    response = as_(cast.alice).get(f"{REGISTER}?way={way}")
    assert response.status_code == 200
    assert "Register an agent" in response.content.decode()


def test_the_form_says_where_data_would_go(cast: Cast) -> None:
    vendor = make_vendor("acme-eu", title="Acme Europe", regions=["eu"], data_classes=["personal"])
    make_route("people-data", make_model(vendor, "acme-1"))
    page = as_(cast.alice).get(REGISTER).content.decode()
    assert "acme-1 at Acme Europe" in page
    assert "· eu" in page


def test_an_auditor_without_the_employee_role_registers_nothing(cast: Cast) -> None:
    guest = make_person("guest", roles=["auditor"])
    assert as_(guest).get(REGISTER).status_code == 403
    assert as_(guest).post(REGISTER, answers()).status_code == 403


def test_nobody_registers_without_signing_in(cast: Cast) -> None:
    for url in (REGISTER, REGISTER + "check/"):
        assert Client().post(url, answers())["Location"].startswith("/signin/")
