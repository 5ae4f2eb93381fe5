"""A bundle tried on past decisions, with real children, a real ledger and real payloads."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from kernel import clock
from ledger.models import Entry
from policy.bundle import BASE
from policy.engine import Judge
from tests.factories import make_agent, make_cast
from tests.rules.decisions import action_facts, call_facts, put_action, put_calls

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("trials")]
SIZE = int(os.environ.get("UNSPRAWL_SOAK_DECISIONS", "2000"))


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(deadline_seconds=20) as one:
        yield one


@pytest.fixture
def cast() -> Any:
    return make_cast()


@pytest.fixture
def sam(cast: Any) -> Any:
    from registry.actors import Actor

    return Actor.of(cast.sam)


@pytest.fixture
def keep(tmp_path: Path, sam: Any) -> Callable[..., Any]:
    """Keep a bundle: the shipped one, changed."""
    from rules.actions.adding import add_bundle, read_directory

    def make(change: Callable[[dict[str, Any]], None] | None = None, **files: str) -> Any:
        directory = tmp_path / f"bundle-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(BASE, directory)
        if change is not None:
            document = json.loads((BASE / "data.json").read_bytes())
            change(document["settings"])
            (directory / "data.json").write_text(json.dumps(document))
        for name, text in files.items():
            (directory / f"{name}.rego").write_text(text)
        sources = read_directory(directory)
        return add_bundle(sources, title="Tried", origin="uploaded", actor=sam)

    return make


def carry_out(trial: Any) -> Any:
    from registry.actors import Actor
    from rules.trying.making import try_bundles

    try_bundles(actor=Actor.system("policy-trials"))
    trial.refresh_from_db()
    return trial


@pytest.fixture
def tried(sam: Any) -> Callable[..., Any]:
    from rules.actions.trying import ask_trial

    return lambda bundle, **over: carry_out(ask_trial(bundle, actor=sam, **over))


def no_vendor(settings: dict[str, Any]) -> None:
    settings["vendors"]["allowed"] = ["globex"]


def drafts_too(settings: dict[str, Any]) -> None:
    settings["stages"].append("draft")


def test_the_bundle_that_judged_changes_nothing_and_every_decision_is_identical(
    judge: Judge, keep: Any, tried: Any
) -> None:
    stages = ("live", "draft", "soft_launch", "retired")
    asked = [
        (call_facts(agent_name=f"agent-{number}", agent_stage=stages[number % 4]), 5)
        for number in range(SIZE // 20)
    ]
    regulated = [(call_facts(agent_data_classes=["regulated"]), 7)]
    regulated[0][0]["target"]["data_classes"] = ["regulated"]
    number = put_calls(asked + regulated, judge)
    for minute in range(50):
        put_action(action_facts(requested_minute=minute * 20), judge)
    trial = tried(keep())
    assert trial.state == "ready", trial.failure
    assert trial.decisions == number + 50
    assert trial.questions == len(asked) + 1 + 50
    assert trial.counts["checked"] == trial.counts["identical"] == trial.decisions
    assert trial.counts["unchanged"] == trial.decisions
    assert not trial.asked.exists()
    assert not trial.changes.exists()


def test_what_would_change_is_listed_by_agent_and_owner_with_how_often(
    judge: Judge, keep: Any, tried: Any, cast: Any
) -> None:
    agent = make_agent("sorter", owner=cast.alice, backup_owner=cast.bob, stage="live")
    earlier = clock.now() - timedelta(days=3)
    put_calls([(call_facts(), 4)], judge, agent_id=agent.public_id, at=earlier, stream="run_a")
    put_calls(
        [(call_facts(call_operation="embeddings"), 2), (call_facts(agent_stage="draft"), 3)],
        judge,
        agent_id=agent.public_id,
        stream="run_b",
    )
    trial = tried(keep(no_vendor))
    (change,) = trial.changes.all()
    assert (change.found, change.answer, change.new_answer) == ("stricter", "allow", "deny")
    assert (change.rule, change.new_rule) == ("calls.allowed", "calls.vendor_refused")
    assert (change.agent_id, change.owner) == (agent.public_id, cast.alice.public_id)
    assert (change.questions, change.decisions) == (2, 6)
    assert change.first_at == earlier
    assert change.last_at > earlier
    assert trial.counts["unchanged"] == 3
    assert trial.counts["changed_questions"] == 2
    assert {each.owner for each in trial.asked.all()} == {cast.alice.public_id}


def test_what_would_be_let_through_is_looser(judge: Judge, keep: Any, tried: Any) -> None:
    put_calls([(call_facts(agent_stage="draft"), 2), (call_facts(), 1)], judge)
    trial = tried(keep(drafts_too))
    assert trial.counts["looser"] == 2
    assert trial.counts["unchanged"] == 1


def test_a_constraint_that_changes_is_named_with_both_values(
    judge: Judge, keep: Any, tried: Any
) -> None:
    put_action(action_facts(agent_stage="soft_launch"), judge)

    def two_decide(settings: dict[str, Any]) -> None:
        settings["actions"]["reviews"]["usual"]["quorum"] = 2

    trial = tried(keep(two_decide))
    (change,) = trial.changes.all()
    assert change.found == "stricter"
    assert change.constraints == {"quorum": [1, 2]}


def test_what_is_older_than_the_days_is_left_out(judge: Judge, keep: Any, tried: Any) -> None:
    put_calls([(call_facts(), 3)], judge, stream="run_a")
    put_calls([(call_facts(), 2)], judge, at=clock.now() - timedelta(days=20), stream="run_b")
    assert tried(keep(no_vendor), days=10).decisions == 3


def test_payloads_are_read_on_record_once_and_shredded_ones_are_not_readable(
    judge: Judge, keep: Any, tried: Any
) -> None:
    from ledger.models import DataKey

    put_action(action_facts(), judge, agent_id="agt_gone")
    for minute in range(5):
        put_action(action_facts(requested_minute=600 + minute), judge, agent_id="agt_kept")
    gone = DataKey.objects.get(scope="agt_gone")
    DataKey.objects.filter(pk=gone.pk).update(
        state="shredded", wrapped_key=None, shredded_at=clock.now(), shredded_by="ent_x"
    )
    trial = tried(keep())
    assert trial.counts["unreadable"] == 1
    assert trial.counts["identical"] == 5
    readings = Entry.objects.filter(verb="payload.read", subject=str(trial.ref))
    assert readings.count() == 1
    assert readings.get().actor == trial.asked_by


def test_a_trial_of_calls_alone_reads_no_payload(judge: Judge, keep: Any, tried: Any) -> None:
    put_calls([(call_facts(), 1)], judge)
    trial = tried(keep())
    assert not trial.opens_payloads
    assert not Entry.objects.filter(verb="payload.read").exists()


def test_decisions_of_a_bundle_that_is_not_here_are_counted_apart(
    judge: Judge, keep: Any, tried: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(BASE, other)
    (other / "data.json").write_text((BASE / "data.json").read_text() + "\n")
    with Judge(other) as elsewhere:
        monkeypatch.setattr(elsewhere, "packed_bundle", lambda _: None)
        put_calls([(call_facts(), 3)], elsewhere)
    trial = tried(keep(no_vendor))
    assert trial.counts["bundle_unknown"] == 3
    assert trial.counts["checked"] == 0
    assert trial.counts["stricter"] == 3


def test_an_input_that_is_not_kept_is_counted_as_not_readable(
    judge: Judge, keep: Any, tried: Any
) -> None:
    facts = call_facts(agent_name="forgotten")
    decision = judge.decide(facts)
    from django.db import transaction

    from kernel.refs import Ref
    from ledger.record import record
    from ledger.verbs import Verb

    with transaction.atomic():
        record(
            Verb.CALL_INTENDED,
            Ref("route", "r"),
            actor=Ref("agent", "agt_one"),
            kind="intent",
            agent_id="agt_one",
            facts={"bundle": decision.bundle_digest, "input": decision.input_digest, "rule": "x.y"},
        )
    assert tried(keep()).counts["unreadable"] == 1


def test_a_record_that_says_otherwise_than_its_own_bundle_is_found(
    judge: Judge, keep: Any, tried: Any
) -> None:
    put_calls([(call_facts(), 2)], judge)
    from django.db import transaction

    from kernel.refs import Ref
    from ledger.record import record
    from ledger.verbs import Verb

    decision = judge.decide(call_facts())
    with transaction.atomic():
        record(
            Verb.CALL_DENIED,
            Ref("route", "r"),
            actor=Ref("agent", "agt_one"),
            kind="decision",
            agent_id="agt_one",
            facts={
                "bundle": decision.bundle_digest, "input": decision.input_digest,
                "rule": "calls.stage", "answer": "deny",
            },
        )  # fmt: skip
    trial = tried(keep())
    assert trial.counts["different"] == 1
    assert trial.counts["identical"] == 2
    assert trial.asked.get(own="different").answer == "deny"


FOR_EVER = """package unsprawl.calls

answer := count([1 |
    some a in data.settings.many
    some b in data.settings.many
    some c in data.settings.many
    some d in data.settings.many
])
"""
NO_ANSWER = "package unsprawl.calls\n\nanswer := 7\n"


def hundred(settings: dict[str, Any]) -> None:
    settings["many"] = list(range(100))


@pytest.mark.parametrize(("rules", "change"), [(FOR_EVER, hundred), (NO_ANSWER, None)])
def test_a_bundle_that_never_answers_ends_as_a_report(
    judge: Judge,
    keep: Any,
    tried: Any,
    monkeypatch: pytest.MonkeyPatch,
    rules: str,
    change: Any,
) -> None:
    from rules.trying import bench

    monkeypatch.setattr(bench, "DEADLINE_SECONDS", 0.3)
    monkeypatch.setattr(bench, "MOST_WITHOUT_ANSWER", 4)
    put_calls([(call_facts(agent_name=f"agent-{number}"), 1) for number in range(20)], judge)
    trial = tried(keep(change, calls=rules))
    assert trial.state == "failed"
    assert "no clean answer" in trial.failure
    assert 4 <= trial.counts["no_answer"] <= 8
    assert trial.counts["not_judged"] == 20 - trial.counts["no_answer"]
    assert trial.changes.get(found="no_answer").new_answer == "deny"


def test_a_bundle_that_cannot_be_built_ends_as_a_report(
    judge: Judge, keep: Any, tried: Any
) -> None:
    put_calls([(call_facts(), 1)], judge)
    trial = tried(keep(calls="package unsprawl.calls\n\nanswer := http.send({})\n"))
    assert trial.state == "failed"
    assert "http.send" in trial.failure


def test_after_a_worker_was_killed_the_next_goes_on_and_counts_nothing_twice(
    judge: Judge, keep: Any, sam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rules.actions.trying import ask_trial
    from rules.trying import making, recorded
    from rules.trying.models import Trial

    put_calls([(call_facts(agent_name=f"agent-{number}"), 3) for number in range(30)], judge)
    monkeypatch.setattr(recorded, "PAGE_IDS", 20)
    monkeypatch.setattr(making, "AT_ONCE", 7)
    trial = ask_trial(keep(no_vendor), actor=sam)

    class Killed(BaseException):
        pass

    def killed_at(name: str, count: int) -> None:
        real, left = getattr(making, name), [count]

        def dying(*given: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return real(*given)

        monkeypatch.setattr(making, name, dying)
        with pytest.raises(Killed):
            carry_out(trial)
        monkeypatch.setattr(making, name, real)
        Trial.objects.filter(pk=trial.pk).update(leased_until=clock.now() - timedelta(seconds=1))

    killed_at("join_page", 3)
    killed_at("keep_verdicts", 2)
    killed_at("keep_changes", 1)
    carry_out(trial)
    assert trial.state == "ready"
    assert trial.decisions == trial.counts["stricter"] == 90
    assert trial.changes.get().decisions == 90


def test_nobody_else_takes_a_trial_while_a_worker_has_it(judge: Judge, keep: Any, sam: Any) -> None:
    from registry.actors import Actor
    from rules.actions.trying import ask_trial
    from rules.trying import making

    ask_trial(keep(), actor=sam)
    assert making._claim() is not None
    assert making.try_bundles(actor=Actor.system("policy-trials")) == 0


def test_a_cancelled_trial_is_gone_on_with_by_nobody(
    judge: Judge, keep: Any, sam: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rules.actions.trying import ask_trial, cancel_trial
    from rules.errors import TrialOver
    from rules.trying import making

    put_calls([(call_facts(agent_name=f"agent-{number}"), 1) for number in range(30)], judge)
    monkeypatch.setattr(making, "AT_ONCE", 5)
    trial = ask_trial(keep(no_vendor), actor=sam)
    real = making.tasks_of

    def cancelled(*given: Any) -> Any:
        monkeypatch.setattr(making, "tasks_of", real)
        cancel_trial(trial, actor=sam)
        return real(*given)

    monkeypatch.setattr(making, "tasks_of", cancelled)
    carry_out(trial)
    assert trial.state == "cancelled"
    with pytest.raises(TrialOver):
        cancel_trial(trial, actor=sam)


def test_a_bundle_is_tried_once_at_a_time_and_by_whom_it_concerns(
    keep: Any, sam: Any, cast: Any
) -> None:
    from kernel.errors import Denied
    from registry.actors import Actor
    from rules.actions.trying import ask_trial
    from rules.errors import TrialUnderWay

    bundle = keep()
    with pytest.raises(Denied):
        ask_trial(bundle, actor=Actor.of(cast.alice))
    ask_trial(bundle, actor=Actor.of(cast.pat))
    with pytest.raises(TrialUnderWay):
        ask_trial(bundle, actor=sam)


def test_more_changes_than_are_kept_are_still_counted(
    judge: Judge, keep: Any, tried: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rules.trying import concluding

    monkeypatch.setattr(concluding, "MOST_KEPT", 10)
    put_calls([(call_facts(call_operation=f"op-{number}"), 1) for number in range(40)], judge)
    trial = tried(keep(no_vendor))
    assert trial.counts["changed_questions"] == 40
    assert trial.asked.count() == 10
    assert trial.changes.get().questions == 40


def test_no_decisions_at_all_is_a_result_too(keep: Any, tried: Any) -> None:
    trial = tried(keep())
    assert (trial.state, trial.decisions, trial.percent) == ("ready", 0, 100)


def test_the_newest_trial_that_ended_is_what_a_review_shows(keep: Any, tried: Any) -> None:
    from rules.queries.trials import latest_trial

    bundle = keep()
    assert latest_trial(bundle) is None
    tried(bundle)
    last = tried(bundle)
    assert latest_trial(bundle) == last
