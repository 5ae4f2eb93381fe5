"""Golden cases: added, read on record, replaced, retired; from steps and from corrections."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction

from fleet.evaluations.actions.asking import ask_golden
from fleet.evaluations.actions.golden import golden_from_step
from fleet.evaluations.errors import GoldenInvalid
from fleet.evaluations.expecting.content import checked
from fleet.evaluations.expecting.expectations import check_expectation, fault_of_answer
from fleet.evaluations.models import GoldenCase
from fleet.evaluations.sampling.drawing import draw_sample
from kernel.refs import Ref
from ledger.models import DataKey, Entry, Payload
from ledger.retention.shredding import shred
from registry.actors import Actor
from routing.comparing.spoken import Answer, ToolCall
from tests.factories import browser_of, client_of, make_run
from tests.fleet.evaluations.scene import WORKER, Scene, question, tool_call

pytestmark = [pytest.mark.django_db(transaction=True)]
CASE = {
    "name": "refund-above-limit",
    "request": {"messages": [{"role": "user", "content": "Refund 900 to Gruber."}]},
    "expects": "tool",
    "expected": {"name": "refund", "arguments": {"amount": 900}},
    "note": "Above 500 a person decides.",
}


@pytest.mark.parametrize(
    ("kind", "expected", "good", "bad"),
    [
        ("exact", {"text": "Yes."}, Answer(" Yes.\n"), Answer("yes")),
        ("json", {"schema": {"required": ["a"]}}, Answer('{"a": 1}'), Answer("{}")),
        ("tool", {"name": "pay", "arguments": {"to": "a"}},
         Answer("", (ToolCall("pay", '{"to": "a"}'),)), Answer("", (ToolCall("pay", "{}"),))),
        ("contains", {"texts": ["Gruber", "900"]}, Answer("900 for GRUBER"), Answer("900")),
        ("matches", {"pattern": r"^\d+ EUR$"}, Answer("12 EUR"), Answer("12")),
    ],
)  # fmt: skip
def test_every_kind_of_expectation_holds_or_says_why_not(kind, expected, good, bad):
    assert check_expectation(kind, expected) == expected
    assert fault_of_answer(kind, expected, good) == ""
    assert fault_of_answer(kind, expected, bad)
    assert fault_of_answer("rubric", {"rubric": "Kind."}, good) is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("exact", {"text": " "}), ("exact", {}), ("json", {"schema": {"type": 7}}),
        ("json", {"schema": {"pattern": "(?=a)"}}), ("tool", {"name": "", "arguments": {}}),
        ("tool", {"name": "x", "arguments": []}), ("contains", {"texts": []}),
        ("matches", {"pattern": r"(a)\1"}), ("wish", {}), ("exact", "text"),
    ],
)  # fmt: skip
def test_what_nothing_can_be_judged_by_is_refused(kind, expected):
    with pytest.raises(GoldenInvalid):
        check_expectation(kind, expected)


def test_what_is_asked_says_something_in_its_dialect():
    wrong: list[Any] = [{}, {"messages": "hi"}, [], {"input": "hi"}]
    for request in wrong:
        with pytest.raises(GoldenInvalid):
            checked(operation="chat", request=request, expects="exact", expected={"text": "x"})


def test_over_rest_a_case_is_added_read_on_record_replaced_and_retired(scene: Scene) -> None:
    owner = client_of(scene.cast.alice)
    place = f"/api/v1/agents/{scene.agent.name}/golden-cases"
    made = owner.post(place, CASE, format="json")
    assert made.status_code == 201, made.data
    one = f"/api/v1/golden-cases/{made.data['id']}"
    assert owner.post(place, CASE, format="json").data["code"] == "fleet.golden_exists"
    # What was typed is nowhere but in the sealed payload.
    row = GoldenCase.objects.get()
    header = bytes(Entry.objects.get(entry_id=row.entry_id).header)
    assert b"Gruber" not in header
    assert b"Above 500" not in header
    assert b"Gruber" not in bytes(Payload.objects.get(entry_id=row.entry_id).ciphertext)
    read = owner.post(f"{one}/content", {"reason": "to check it"}, format="json")
    assert read.data["expected"] == CASE["expected"]
    assert read["cache-control"] == "no-store"
    assert Entry.objects.filter(verb="payload.read").count() == 1
    changed = {name: value for name, value in CASE.items() if name != "name"} | {
        "expects": "contains", "expected": {"texts": ["Gruber"]},
    }  # fmt: skip
    newer = owner.put(one, changed, format="json").data
    assert (newer["name"], newer["number"], newer["state"]) == (row.name, 2, "live")
    assert owner.put(one, changed, format="json").data["code"] == "fleet.golden_ended"
    assert [each["number"] for each in owner.get(place).data["results"]] == [2]
    assert len(owner.get(place, {"ended": "true"}).data["results"]) == 2
    assert owner.delete(f"/api/v1/golden-cases/{newer['id']}").data["state"] == "retired"
    assert owner.get(place).data["results"] == []
    for other in (scene.cast.mallory, scene.cast.ann):
        assert client_of(other).post(place, CASE, format="json").status_code == 403
    assert client_of(scene.cast.mallory).get(one).status_code == 404
    assert client_of(scene.cast.mallory).post(f"{one}/content", {"reason": "x"}).status_code == 404


def test_from_a_recorded_step_a_case_expects_what_came_of_it(scene: Scene) -> None:
    run, actor = make_run(scene.agent, "step"), Actor.of(scene.cast.alice)
    called = scene.call(run, question("Pay."), tool_call("pay", to="a"))
    wrote = scene.call(run, question("Sort."), '{"label": "invoice"}')
    spoke = scene.call(run, question("Say hi."), "Hello.")
    made = [golden_from_step(run.run_id, one, actor=actor) for one in (called, wrote, spoke)]
    assert [one.expects for one in made] == ["tool", "json", "exact"]
    assert {one.source for one in made} == {"step"}
    assert [one.source_id for one in made] == [called, wrote, spoke]
    page = browser_of(scene.cast.alice)
    spoken = scene.call(run, question("Bye."), "Bye.")
    answer = page.post(f"/runs/{run.run_id}/calls/{spoken}/golden/")
    assert answer.status_code == 302
    assert "/golden-cases/gld_" in answer["Location"]
    assert browser_of(scene.cast.mallory).post(
        f"/runs/{run.run_id}/calls/{spoken}/golden/"
    ).status_code == 404  # fmt: skip
    with pytest.raises(GoldenInvalid):
        golden_from_step(run.run_id, "ent_none", actor=actor)


def test_erasing_the_agents_data_leaves_the_row_and_takes_the_case_out(
    scene: Scene, tmp_path: Any, settings: Any
) -> None:
    settings.SHREDS_DIR = tmp_path / "shreds"
    owner = client_of(scene.cast.alice)
    made = owner.post(f"/api/v1/agents/{scene.agent.name}/golden-cases", CASE, format="json").data
    assert len(draw_sample(scene.agent, scene.baseline, 10, 5, "s").golden) == 1
    keys = sorted(DataKey.objects.filter(scope=scene.agent.public_id).values_list(flat=True))
    with transaction.atomic():
        shred(keys, why="request", subject=Ref("erasure", "ers_1"), actor=Ref("person", "per_s"))
    sample = draw_sample(scene.agent, scene.baseline, 10, 5, "s")
    assert (sample.golden, sample.excluded) == ((), {"golden": 1})
    one = f"/api/v1/golden-cases/{made['id']}"
    assert owner.post(f"{one}/content", {"reason": "x"}, format="json").status_code in {404, 410}
    page = browser_of(scene.cast.alice).post(f"/golden-cases/{made['id']}/", {"reason": "x"})
    assert page.status_code == 409


def test_a_golden_case_is_asked_of_a_model_and_says_whether_it_holds(
    scene: Scene, gateway: Any, serving: Any
) -> None:
    owner = client_of(scene.cast.alice)
    owner.post(f"/api/v1/agents/{scene.agent.name}/golden-cases", CASE, format="json")
    golden = GoldenCase.objects.select_related("agent").get()
    good, bad = serving(lambda body: tool_call("refund", amount=900)), serving(lambda body: "No.")
    one = scene.model("one-ai", "one", good.address)
    other = scene.model("two-ai", "two", bad.address)
    held = ask_golden(golden, one, actor=WORKER)
    assert (held.status, held.holds, held.fault) == ("ok", True, ""), held
    assert (held.cost_micros, held.input_tokens) == (22, 12)
    broken = ask_golden(golden, other, actor=WORKER)
    assert (broken.holds, broken.fault) == (False, "no tool was called")
    assert good.seen[0]["messages"] == CASE["request"]["messages"]  # type: ignore[index]
    away = ask_golden(golden, scene.model("gone-ai", "g", "http://127.0.0.1:9/v1"), actor=WORKER)
    assert (away.holds, away.answer.text) == (None, "")
    told = json.loads(bytes(Entry.objects.filter(verb="call.intended").first().header))  # type: ignore[union-attr]
    assert told["facts"]["effects"] == "blocked"
