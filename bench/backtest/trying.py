"""What a worker does in a trial, in a process of its own: records decisions, tries a bundle."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any, Final

import django

django.setup()

from django.db import transaction  # noqa: E402  Django is set up first

from kernel import clock  # noqa: E402
from kernel.canonical import canonical, digest_bytes  # noqa: E402
from kernel.refs import Ref  # noqa: E402
from ledger.artifacts import DECISION_INPUT, POLICY_BUNDLE  # noqa: E402
from ledger.entries import GENESIS, Fields, link  # noqa: E402
from ledger.models import Entry  # noqa: E402
from ledger.record import record  # noqa: E402
from ledger.shared import keep_artifact  # noqa: E402
from ledger.verbs import Verb  # noqa: E402
from policy.bundle import BASE, Bundle, pack_files  # noqa: E402
from policy.engine import Judge  # noqa: E402
from registry.actors import Actor  # noqa: E402
from rules.models import Bundle as Kept  # noqa: E402
from rules.models import Trial  # noqa: E402
from rules.trying.making import try_bundles  # noqa: E402

_AGENT: Final = Ref("agent", "agt_bench")
_WORKER: Final = Actor.system("policy-trials")


def main(calls: int, questions: int, actions: int) -> None:
    """Print what the trials took, as JSON."""
    stricter = _stricter()
    with Judge(deadline_seconds=20) as judge:
        keep_artifact(POLICY_BUNDLE, judge.packed_bundle(judge.bundle_digest) or b"")
        _put_calls(judge, calls, questions)
        cells = [_try("calls", stricter, days=90)]
        _put_actions(judge, actions)
        cells.append(_try("actions", stricter, days=30))
    json.dump(cells, sys.stdout)


def _stricter() -> Kept:
    """Keep the shipped bundle with one vendor refused and every action decided by two."""
    files = {path.name: path.read_bytes() for path in BASE.glob("*.rego")}
    files = {name: raw for name, raw in files.items() if not name.endswith("_test.rego")}
    document = json.loads((BASE / "data.json").read_bytes())
    document["settings"]["vendors"]["refused"] = ["vendor-7"]
    document["settings"]["actions"]["reviews"]["usual"]["quorum"] = 2
    bundle = Bundle.unpack(pack_files(files | {"data.json": json.dumps(document).encode()}))
    return Kept.objects.create(
        public_id="pol_bench", digest=bundle.digest, title="Stricter", origin="uploaded",
        packed=bundle.packed, added_by="system:bench", added_at=clock.now(),
    )  # fmt: skip


def _try(name: str, bundle: Kept, *, days: int) -> dict[str, Any]:
    trial = Trial.objects.create(
        public_id=f"trl_{name}", bundle=bundle, days=days, asked_by="system:bench",
        asked_at=clock.now(),
    )  # fmt: skip
    started, cpu = time.perf_counter(), time.process_time()
    while trial.is_under_way:
        try_bundles(actor=_WORKER)
        trial.refresh_from_db()
    seconds = time.perf_counter() - started
    return {
        "name": name,
        "state": trial.state,
        "decisions": trial.decisions,
        "questions": trial.questions,
        "changed": trial.counts["stricter"] + trial.counts["looser"] + trial.counts["otherwise"],
        "identical": trial.counts["identical"],
        "seconds": round(seconds, 2),
        "decisions_per_second": round(trial.decisions / seconds),
        "questions_per_second": round(trial.questions / seconds),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _call(number: int) -> dict[str, Any]:
    vendor = f"vendor-{number % 20}"
    return {
        "call": {"route": "draft", "operation": "chat.completions", "region": ""},
        "agent": {
            "name": f"agent-{number}", "stage": "live", "data_classes": ["internal"],
            "routes": ["draft"], "team": "finance",
        },
        "target": {
            "vendor": vendor, "model": "m-1", "region": "eu", "dialect": "openai",
            "data_classes": ["public", "internal"],
        },
        "route": {"name": "draft", "constraints": {}},
    }  # fmt: skip


def _put_calls(judge: Judge, calls: int, questions: int) -> None:
    decided = []
    for number in range(questions):
        facts = _call(number)
        keep_artifact(DECISION_INPUT, canonical(facts))
        decision = judge.decide(facts)
        decided.append(
            {
                "bundle": decision.bundle_digest,
                "input": decision.input_digest,
                "rule": decision.rule,
                "route": "draft", "vendor": facts["target"]["vendor"], "key": "uak_bench",
            }
        )  # fmt: skip
    rows = _intents(calls, decided)
    while some := list(islice(rows, 5000)):
        Entry.objects.bulk_create(some)


def _intents(calls: int, decided: list[dict[str, Any]]) -> Iterator[Entry]:
    # Long before the actions, so that each trial has its own.
    prev, at = GENESIS, clock.now() - timedelta(days=60)
    for seq in range(1, calls + 1):
        fields = Fields(
            kind="intent", verb=str(Verb.CALL_INTENDED), actor=_AGENT, subject=_AGENT,
            recorded_at=at, agent_id="agt_bench", facts=decided[seq % len(decided)],
        )  # fmt: skip
        added = link(fields, stream="run_bench", writer="wrt_bench", seq=seq, prev_hash=prev)
        prev = added.leaf_hash
        yield Entry(
            entry_id=added.entry_id, stream=added.stream, writer=added.writer, seq=seq,
            prev_hash=added.prev_hash, header=added.header, leaf_hash=added.leaf_hash,
            kind=fields.kind, verb=fields.verb, actor=str(_AGENT), subject=str(_AGENT),
            agent_id=fields.agent_id, recorded_at=at,
        )  # fmt: skip


def _action(number: int) -> dict[str, Any]:
    return {
        "question": "action",
        "agent": {
            "name": "poster", "stage": "live", "risk_tier": "low", "data_classes": ["internal"],
            "team": "finance", "owner": "per_1", "tools": ["erp.*"],
        },
        "action": {
            "adapter": "http", "connection": "erp", "operation": "pay", "effect": "money",
            "is_reversible": True, "is_new": False,
            "arguments": {"amount": number % 900, "currency": "EUR", "reference": f"r-{number}"},
        },
        "edited": False,
        "requested": {"weekday": "mon", "minute": 600},
        "counts": {"hour": number % 60, "day": number % 600, "open": 0},
    }  # fmt: skip


def _put_actions(judge: Judge, actions: int) -> None:
    for number in range(actions):
        facts = _action(number)
        decision = judge.decide(facts)
        said = "allow" if decision.allow else "ask" if decision.ask else "deny"
        with transaction.atomic():
            record(
                Verb.PROPOSAL_JUDGED, Ref("proposal", f"prp_{number}"), actor=_AGENT,
                kind=Entry.Kind.DECISION, agent_id="agt_bench", payload=canonical(facts),
                facts={
                    "bundle": decision.bundle_digest, "input": digest_bytes(canonical(facts)),
                    "rule": decision.rule, "answer": said,
                },
            )  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
