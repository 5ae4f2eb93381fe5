"""Judging outside the gateway: by what is in force at this moment, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kernel import clock
from policy.bundle import BASE, Bundle, bundle_files
from policy.facts import legible, read_facts
from registry.actors import Actor
from rules.actions.activating import activate_bundle
from rules.actions.adding import add_bundle, read_directory
from rules.actions.shipping import ensure_shipped_bundle
from rules.judging import fault_here, judge_facts
from rules.models import Activation
from rules.models import Bundle as Kept

OPERATOR = Actor.system("prepare")
GOOD: dict[str, Any] = {
    "call": {"route": "r", "operation": "chat", "region": ""},
    "agent": {
        "name": "a",
        "stage": "live",
        "data_classes": ["internal"],
        "routes": ["r"],
        "team": "finance",
    },
    "target": {
        "vendor": "acme",
        "model": "acme-1",
        "region": "eu",
        "dialect": "openai",
        "data_classes": ["internal"],
    },
    "route": {"name": "r", "constraints": {}},
}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    directory = tmp_path / "other"
    directory.mkdir()
    for path in bundle_files(BASE):
        (directory / path.name).write_bytes(path.read_bytes())
    document = json.loads((BASE / "data.json").read_text())
    document["settings"]["vendors"]["refused"] = ["acme"]
    (directory / "data.json").write_text(json.dumps(document))
    return directory


def keep(directory: Path) -> Kept:
    return add_bundle(
        read_directory(directory), title="Ours", origin=Kept.Origin.UPLOADED, actor=OPERATOR
    )


@pytest.mark.django_db
def test_without_a_policy_everything_is_denied() -> None:
    assert judge_facts(GOOD).rule == "policy.unavailable"
    assert fault_here() == "No policy is in force."


@pytest.mark.django_db
def test_what_is_in_force_now_answers(other: Path) -> None:
    ensure_shipped_bundle(actor=OPERATOR)
    first = judge_facts(GOOD)
    assert (first.allow, first.bundle_digest) == (True, Bundle.load(BASE).digest)
    activate_bundle(keep(other), actor=OPERATOR, reason="No acme.")
    assert judge_facts(GOOD).rule == "calls.vendor_refused"
    activate_bundle(Kept.objects.get(origin="shipped"), actor=OPERATOR, reason="Back.")
    assert judge_facts(GOOD).allow
    Activation.objects.filter(ended_at=None).update(ended_at=clock.now())
    assert judge_facts(GOOD).rule == "policy.unavailable"


@pytest.mark.django_db
def test_a_bundle_that_does_not_build_leaves_the_old_one(tmp_path: Path) -> None:
    ensure_shipped_bundle(actor=OPERATOR)
    assert judge_facts(GOOD).allow
    (tmp_path / "calls.rego").write_text("package unsprawl.calls\n\nanswer := {} if nonsense(\n")
    (tmp_path / "data.json").write_text("{}")
    activate_bundle(keep(tmp_path), actor=OPERATOR, reason="Broken.")
    decision = judge_facts(GOOD)
    assert (decision.allow, decision.bundle_digest) == (True, Bundle.load(BASE).digest)
    assert fault_here() != ""


@pytest.mark.django_db
def test_a_fork_makes_a_child_of_its_own() -> None:
    ensure_shipped_bundle(actor=OPERATOR)
    assert judge_facts(GOOD).allow
    pid = os.fork()
    if pid == 0:
        # The connection is the parent's, so the fork asks without the database.
        from rules import judging

        os._exit(0 if judging._bench._seated is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert judge_facts(GOOD).allow


@pytest.mark.django_db
def test_an_operators_own_directory_judges_whatever_is_in_force(settings: Any, other: Path) -> None:
    ensure_shipped_bundle(actor=OPERATOR)
    settings.POLICY_DIR = other
    assert judge_facts(GOOD).rule == "calls.vendor_refused"
    assert fault_here() == ""


@pytest.mark.django_db
def test_a_server_that_does_not_answer_denies(settings: Any) -> None:
    settings.OPA_URL = "http://127.0.0.1:9"
    assert judge_facts(GOOD).rule == "policy.unavailable"


@pytest.mark.django_db
def test_the_shipped_policy_is_in_force_until_people_choose(
    other: Path, make_next: Callable[[str], Path]
) -> None:
    assert ensure_shipped_bundle(actor=OPERATOR) == "in force"
    assert ensure_shipped_bundle(actor=OPERATOR) == "up to date"
    assert "newer one is in force" in ensure_shipped_bundle(
        actor=OPERATOR, directory=make_next("two")
    )
    activate_bundle(keep(other), actor=OPERATOR, reason="Ours.", review_id="rev_1")
    assert "offered" in ensure_shipped_bundle(actor=OPERATOR, directory=make_next("three"))
    in_force = Activation.objects.select_related("bundle").get(ended_at=None)
    assert in_force.bundle.origin == "uploaded"


@pytest.fixture
def make_next(tmp_path: Path) -> Callable[[str], Path]:
    def make(name: str) -> Path:
        directory = tmp_path / name
        directory.mkdir()
        for path in BASE.glob("*"):
            (directory / path.name).write_bytes(path.read_bytes())
        with (directory / "calls.rego").open("a") as rules:
            rules.write(f"\n# {name}\n")
        return directory

    return make


def test_what_people_typed_can_be_judged_once_it_is_legible() -> None:
    typed = {'a"b': ["one\ntwo", "\\", 'say "yes"', 7, None, True]}
    assert read_facts(typed)[0] is None
    shown = legible(typed)
    assert shown == {"a�b": ["one two", "�", "say �yes�", 7, None, True]}
    assert read_facts({"x": shown})[0] is not None
