"""Decisions put on record in bulk, as the gateway and proposals put them there."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction

from kernel import clock
from kernel.canonical import canonical, digest_bytes
from kernel.refs import Ref
from ledger.artifacts import DECISION_INPUT, POLICY_BUNDLE
from ledger.entries import GENESIS, Fields, link
from ledger.models import Entry
from ledger.record import record
from ledger.shared import keep_artifact
from ledger.verbs import Verb
from policy.decision import Decision
from policy.engine import Judge
from tests.policy.conftest import ACTION, GOOD

_COLUMNS = ("stream", "writer", "seq", "prev_hash", "header", "leaf_hash")
_FIELDS = ("kind", "verb", "agent_id", "intent_id", "recorded_at")


def call_facts(**over: Any) -> dict[str, Any]:
    facts = copy.deepcopy(GOOD)
    for path, value in over.items():
        part, _, name = path.partition("_")
        facts[part][name] = value
    return facts


def action_facts(**over: Any) -> dict[str, Any]:
    facts = copy.deepcopy(ACTION)
    for path, value in over.items():
        part, _, name = path.partition("_")
        facts[part][name] = value
    return facts


def said(decision: Decision) -> str:
    return "allow" if decision.allow else "ask" if decision.ask else "deny"


def keep_bundle(judge: Judge) -> None:
    packed = judge.packed_bundle(judge.bundle_digest)
    if packed is not None:
        keep_artifact(POLICY_BUNDLE, packed)


def put_calls(
    asked: Iterable[tuple[dict[str, Any], int]],
    judge: Judge,
    *,
    agent_id: str = "agt_one",
    at: datetime | None = None,
    stream: str = "run_tried",
) -> int:
    """Record each question as often as it says, decided by the judge; return how many."""
    keep_bundle(judge)
    at, seq, prev, rows = at or clock.now(), 0, GENESIS, []
    for facts, times in asked:
        keep_artifact(DECISION_INPUT, canonical(facts))
        decision = judge.decide(facts)
        decided = {
            "bundle": decision.bundle_digest,
            "input": decision.input_digest,
            "rule": decision.rule,
        }
        verb = Verb.CALL_INTENDED if decision.allow else Verb.CALL_DENIED
        if not decision.allow:
            decided["answer"] = said(decision)
        for _ in range(times):
            seq += 1
            fields = Fields(
                kind="intent" if decision.allow else "decision",
                verb=str(verb),
                actor=Ref("agent", agent_id),
                subject=Ref("route", "classify-invoice"),
                recorded_at=at,
                agent_id=agent_id,
                facts=decided,
            )
            added = link(fields, stream=stream, writer="wrt_1", seq=seq, prev_hash=prev)
            prev = added.leaf_hash
            rows.append(
                Entry(
                    entry_id=added.entry_id,
                    actor=str(fields.actor),
                    subject=str(fields.subject),
                    **{name: getattr(added, name) for name in _COLUMNS},
                    **{name: getattr(fields, name) for name in _FIELDS},
                )
            )
    Entry.objects.bulk_create(rows, batch_size=2000)
    return len(rows)


def put_action(facts: dict[str, Any], judge: Judge, *, agent_id: str = "agt_one") -> str:
    """Record a judged proposal, its facts encrypted with it; return the entry's id."""
    keep_bundle(judge)
    decision = judge.decide(facts)
    with transaction.atomic():
        return record(
            Verb.PROPOSAL_JUDGED,
            Ref("proposal", "prp_1"),
            actor=Ref("system", "proposals"),
            kind=Entry.Kind.DECISION,
            facts={
                "bundle": decision.bundle_digest,
                "input": digest_bytes(canonical(facts)),
                "rule": decision.rule,
                "answer": said(decision),
            },
            agent_id=agent_id,
            payload=canonical(facts),
        ).entry_id
