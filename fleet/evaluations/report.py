"""A report in words and as a document: one sentence first, then axis by axis.

Owns what an owner reads in a minute. Figures come from the rows; nothing is computed anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fleet.evaluations.models import Arm, Asking, Evaluation
from kernel.sheets import table

TITLES: Final = {
    "golden": "Golden cases hold",
    "failures": "Calls not answered",
    "format": "Keeps the format",
    "tools": "Calls the same tools",
    "arguments": "With the same arguments",
    "fitting": "Arguments fit the tools' schemas",
    "refusals": "Refuses",
    "cost": "Cost",
    "latency": "Time",
    "text_exact": "Same text, exactly",
    "text_normalised": "Same text, normalised",
    "text_judge": "Text no worse, by a judge",
    "text_embedding": "Text alike, by embeddings",
}
_BAD_SHARES: Final = frozenset({"failures", "refusals"})
_RATIOS: Final = frozenset({"cost", "latency"})
# What an evaluation waits for, by the code of what held it up.
HELD_UP: Final = {
    "limit_reached": "a limit of the agent or of a vendor is reached for now",
    "vendor_not_ready": "the vendor of a candidate has no secret (tried each quarter of an hour)",
    "under_way": "calls have left and not come back",
    "undecided": "policy could not be asked",
    "not_governed": "policy could not be asked",
    "shutting_down": "the gateway is starting anew",
    "routing.gateway_unreachable": "the gateway does not answer",
}
CUT_SHORT: Final = {
    "budget": "A budget of the agent had no room for more.",
    "cap": "The cap of the evaluation was reached.",
}


def sentence_of(evaluation: Evaluation, arm: Arm) -> str:
    """Say what an evaluation comes to for one candidate, in one sentence."""
    if evaluation.state == Evaluation.State.RUNNING:
        return f"{arm.target} is being compared with {evaluation.baseline_name}."
    if evaluation.state == Evaluation.State.CANCELLED:
        return "It was cancelled before it came to a verdict."
    named = {one["axis"]: one for one in arm.figures}
    if arm.verdict == "passed":
        held = [_held(one) for one in arm.figures if one["verdict"] == "passed" and one["count"]]
        return f"{arm.target} may take the place of {evaluation.baseline_name}: {_listed(held)}."
    if arm.verdict == "failed":
        broken = [_broken(one) for one in arm.figures if one["verdict"] == "failed"]
        return f"{arm.target} must not take its place: {_listed(broken)}."
    if evaluation.altered:
        return (
            f"{arm.target} may not take its place: {len(evaluation.altered)} entries of the"
            " record are not what was recorded, and nothing passes beside them."
        )
    return f"It cannot be told yet whether {arm.target} may take its place: {_open(named)}."


def more_runs_of(arm: Arm) -> int | None:
    """Return how many more runs would settle it, about; None where nobody knows."""
    unsettled = [one["more_runs"] for one in arm.figures if one["verdict"] == "inconclusive"]
    known = [number for number in unsettled if number is not None]
    return max(known) if known and len(known) == len(unsettled) else None


def told(evaluation: Evaluation, stale: str) -> dict[str, Any]:
    """Return a report as a document."""
    return {
        "id": evaluation.public_id,
        "agent": evaluation.agent.name,
        "version": evaluation.version_digest,
        "baseline": evaluation.baseline_name,
        "state": evaluation.state,
        "phase": evaluation.phase,
        "held_up": evaluation.held_up,
        "cut_short": evaluation.cut_short,
        "stale": stale,
        "digest": evaluation.digest,
        "for": evaluation.subject,
        "criteria": evaluation.criteria,
        "criteria_digest": evaluation.criteria_digest,
        "sample": {
            "runs": evaluation.runs,
            "seed": evaluation.seed,
            "digest": evaluation.sample_digest,
            "strata": evaluation.strata,
            "excluded": evaluation.excluded,
            "altered": evaluation.altered,
        },
        "estimate_micros": evaluation.estimate_micros,
        "estimate_seconds": evaluation.estimate_seconds,
        "requested_by": evaluation.requested_by,
        "requested_at": evaluation.requested_at.isoformat(),
        "ended_at": evaluation.ended_at and evaluation.ended_at.isoformat(),
        "candidates": [
            {
                "target": arm.target,
                "verdict": arm.verdict,
                "sentence": sentence_of(evaluation, arm),
                "more_runs": more_runs_of(arm),
                "run": arm.run_id,
                "estimate_micros": arm.estimate_micros,
                "figures": arm.figures,
            }
            for arm in evaluation.arms.filter(kind=Arm.Kind.CANDIDATE).order_by("id")
        ],
    }


def pair_told(asking: Asking) -> dict[str, Any]:
    """Return one pair as a document: flags and figures."""
    return {
        "candidate": asking.arm.target,
        "arm": asking.arm.run_id,
        "case": asking.case.public_id,
        "kind": asking.case.kind,
        "golden": asking.case.golden.name if asking.case.golden else None,
        "run": asking.case.run_id or None,
        "step": asking.case.entry_id,
        "answer": asking.entry_id or None,
        "state": asking.state,
        "error": asking.error,
        "badness": asking.badness,
        "outcome": asking.outcome,
    }


def as_csv(pairs: Sequence[Asking]) -> str:
    """Write pairs as CSV."""
    told = ({**pair_told(asking), **_flat(asking.outcome or {})} for asking in pairs)
    return table(_COLUMNS, ([row.get(name) for name in _COLUMNS] for row in told))


_COLUMNS: Final = (
    "candidate", "case", "kind", "golden", "run", "step", "answer", "state", "error", "badness",
    "answered", "format.how", "format.ok", "format.fault", "tools.names", "tools.arguments",
    "text.exact", "text.normalised", "refusal", "golden.ok", "golden.fault", "cost_micros",
    "base_cost_micros", "duration_ms", "base_duration_ms",
)  # fmt: skip


def _flat(outcome: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in outcome.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{below}": one for below, one in value.items()}
        elif name != "golden":
            found[name] = value
    return found


def _held(one: Mapping[str, Any]) -> str:
    value = (one["candidate"] or {}).get("value")
    if one["axis"] in _RATIOS:
        return f"{_title(one).lower()} {one['difference']['value']:.2f} times"
    share = f"{100 * (value or 0):.0f} %"
    return f"{_title(one).lower()} {share}"


def _broken(one: Mapping[str, Any]) -> str:
    value = (one["candidate"] or {}).get("value") or 0
    if one["axis"] in _RATIOS:
        ratio = one["difference"]["value"]
        return f"{_title(one).lower()} {ratio:.2f} times, allowed {one['bound']:g} times"
    base = (one["baseline"] or {}).get("value")
    beside = "" if base is None else f" against {100 * base:.0f} %"
    return f"{_title(one).lower()} {100 * value:.0f} %{beside}"


def _open(named: Mapping[str, Mapping[str, Any]]) -> str:
    unsettled = [_title(one).lower() for one in named.values() if one["verdict"] == "inconclusive"]
    if not unsettled:
        return "too few runs, or not all of them, were compared"
    return f"too few cases for {_listed(unsettled)}"


def _title(one: Mapping[str, Any]) -> str:
    return TITLES.get(one["axis"], str(one["axis"]))


def _listed(words: Sequence[str]) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"
