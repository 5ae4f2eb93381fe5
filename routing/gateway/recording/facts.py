"""What the entry of an intent, of a result and of a refusal says.

Owns the facts of each: a closed list of short values; no header of a request, no secret, no
text of a prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kernel.refs import Ref
from ledger.entries import Fact
from ledger.verbs import Verb
from policy.decision import Decision
from routing.gateway.recording.attempt import Attempt, Outcome, Subject
from routing.gateway.relay import Withheld
from routing.gateway.reserving import Unaffordable
from routing.gateway.snapshot import Route, Shift, Target


def decided_facts(decision: Decision) -> dict[str, Fact]:
    """Say which decision let an attempt through, or did not."""
    return {
        "bundle": decision.bundle_digest,
        "input": decision.input_digest,
        "rule": decision.rule,
    }


def intent_facts(attempt: Attempt) -> dict[str, Fact]:
    """Say what is about to leave, and what is held for it."""
    target = attempt.target
    facts: dict[str, Fact] = {
        **attempt.decided,
        **attempt.numbered(),
        "operation": attempt.operation,
        "route": attempt.route,
        "requested_model": attempt.requested_model,
        "vendor": target.vendor.name,
        "model": target.model.name,
        "region": target.region,
        "key": attempt.subject.key_id,
        "streamed": attempt.streamed,
    }
    if attempt.setup:
        facts["setup"] = attempt.setup
    if attempt.choice:
        facts["choice"] = attempt.choice
    facts |= attempt.reserved.facts
    return facts


def result_facts(attempt: Attempt, outcome: Outcome, cost: int | None) -> dict[str, Fact]:
    """Say how an attempt ended, what it used, and what is settled for it."""
    target, usage = attempt.target, outcome.usage
    facts: dict[str, Fact] = {
        **attempt.numbered(),
        "status": outcome.status,
        "http_status": outcome.http_status,
        "route": attempt.route,
        "requested_model": attempt.requested_model,
        "vendor": target.vendor.name,
        "model": target.model.name,
        "reported_model": outcome.reported_model,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "usage_estimated": usage.is_estimated,
        "cost_micros": cost,
        "currency": target.model.currency,
        "duration_ms": outcome.duration_ms,
        "streamed": attempt.streamed,
        **outcome.facts,
    }
    facts |= _noted(outcome)
    facts |= attempt.reserved.settled_facts(usage, cost)
    if usage.is_open and "settled" in facts:
        facts["charged"] = "reserved"
    return facts


def _noted(outcome: Outcome) -> dict[str, Fact]:
    """Say what is true of some answers only."""
    facts: dict[str, Fact] = {
        "error": outcome.error_code,
        "said_of_model": outcome.said_of_model,
        "contract": outcome.contract,
        "model_substituted": outcome.is_substituted,
        "response_id": outcome.response_id,
        "payload_cut": outcome.is_payload_cut,
        "withheld": outcome.was_withheld,
    }
    noted: dict[str, Fact] = {name: value for name, value in facts.items() if value}
    if outcome.first_byte_ms is not None:
        noted["first_byte_ms"] = outcome.first_byte_ms
    return noted


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing of a call left, as its entry says it and as the agent is told."""

    why: Mapping[str, Fact]
    status: int
    error_code: str
    verb: Verb = Verb.CALL_DENIED
    about: Ref | None = None  # the route, unless it is about something else

    @classmethod
    def by_policy(cls, decision: Decision) -> Refusal:
        facts = {**decided_facts(decision), "answer": "ask" if decision.ask else "deny"}
        return cls(facts, 403, "approval_required" if decision.ask else "call_denied")

    @classmethod
    def by_pause(cls, shift: Shift) -> Refusal:
        why: dict[str, Fact] = {"shift": shift.public_id, "rule": "model_paused"}
        return cls({**why, "answer": "deny"}, 404, "model_paused")

    @classmethod
    def by_declaration(cls) -> Refusal:
        code = "route_not_declared"
        return cls({"rule": code, "answer": "deny", "error": code}, 403, code)

    @classmethod
    def by_screen(cls, withheld: Withheld) -> Refusal:
        error = withheld.error
        code = error.code.partition(".")[2]
        return cls({**withheld.facts, "answer": "deny", "error": code}, error.status, code)

    @classmethod
    def by_budget(cls, unaffordable: Unaffordable, told: tuple[int, str]) -> Refusal:
        return cls(
            {**unaffordable.facts, "answer": "deny"},
            *told,
            verb=Verb.CALL_OVER_BUDGET,
            about=Ref("budget", unaffordable.limit.public_id),
        )

    def facts(
        self, subject: Subject, route: Route, target: Target, after: Attempt | None
    ) -> dict[str, Fact]:
        """Say why, whose call it was, and after which attempt it could not go on."""
        facts: dict[str, Fact] = {
            **self.why,
            **subject.facts(),
            "route": route.name,
            "vendor": target.vendor.name,
            "model": target.model.name,
            "region": target.region,
            "key": subject.key_id,
        }
        if subject.span is not None:
            facts |= subject.span.facts()
        if after is not None:
            facts |= {"call": after.call_id or after.entry_id, "attempt": after.number + 1}
        return facts
