from __future__ import annotations

import os
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction

from kernel.refs import Ref
from ledger.record import record
from ledger.verbs import Verb
from policy.engine import Judge
from tests.rules.decisions import action_facts, call_facts, put_action, put_calls

pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("trials")]
SIZE = int(os.environ.get("UNSPRAWL_SOAK_DECISIONS", "2000"))


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    with Judge(deadline_seconds=20) as one:
        yield one


def test_every_recorded_decision_is_identical_on_its_own_bundle(judge: Judge) -> None:
    asked = [
        (call_facts(agent_name=f"agent-{number}", agent_data_classes=[word]), 10)
        for number in range(SIZE // 40)
        for word in ("public", "internal", "regulated", "secret")
    ]
    number = put_calls(asked, judge)
    put_action(action_facts(action_effect="money"), judge)
    said = StringIO()
    call_command("recheck_decisions", stdout=said)
    assert f"{number + 1} of {number + 1} identical" in said.getvalue()


def test_a_decision_that_its_bundle_does_not_make_is_named(judge: Judge) -> None:
    put_calls([(call_facts(), 1)], judge)
    decision = judge.decide(call_facts())
    with transaction.atomic():
        entry = record(
            Verb.CALL_DENIED, Ref("route", "r"), actor=Ref("agent", "agt_one"), kind="decision",
            facts={
                "bundle": decision.bundle_digest, "input": decision.input_digest,
                "rule": "calls.stage", "answer": "deny",
            },
        )  # fmt: skip
    said = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("recheck_decisions", stdout=said)
    assert ended.value.code == 1
    assert "1 of 2 identical" in said.getvalue()
    assert f"different: {entry.entry_id}" in said.getvalue()
