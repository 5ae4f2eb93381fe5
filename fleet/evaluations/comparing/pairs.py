"""One step of the baseline beside one of a candidate: in flags and figures, axis by axis.

Owns which axes there are and how bad a difference is. What was said goes in and does not come
out: a row of figures may be shown to whoever may see the run's course.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fleet.evaluations.comparing.contracts import NONE, Contract, arguments_fit
from fleet.evaluations.comparing.documents import NOTHING, document_of, one_spelling
from fleet.evaluations.comparing.refusals import refusal_in
from fleet.evaluations.comparing.texts import same_exactly, same_normalised
from routing.comparing.spoken import Answer, ToolCall, answer_of

# How bad a difference is, for what stands first; a sum of what applies.
WEIGHTS: Final = {
    "answered": 100.0,
    "golden": 80.0,
    "format": 60.0,
    "refusal": 50.0,
    "names": 40.0,
    "arguments": 20.0,
    "text": 5.0,
}


@dataclass(frozen=True, slots=True)
class Side:
    """What one side answered; nothing where it did not."""

    is_answered: bool
    answer: Answer = field(default_factory=Answer, repr=False)
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked: the form that is owed, and the tools that were offered."""

    contract: Contract = field(default_factory=Contract)
    tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)


def side_of(raw: bytes | None, *, is_ok: bool) -> Side:
    """Read what came back from one side."""
    if raw is None or not is_ok:
        return Side(is_answered=False)
    answer = answer_of(raw)
    return Side(is_answered=True, answer=answer, refusal=refusal_in(raw, answer))


def compare_sides(asked: Asked, base: Side, other: Side) -> dict[str, Any]:
    """Return how an answer stands beside the baseline's."""
    return {
        "answered": other.is_answered,
        "base_answered": base.is_answered,
        "format": _format(asked, base, other),
        "tools": _tools(asked, base, other),
        "text": _text(base, other),
        "refusal": other.refusal,
        "base_refusal": base.refusal,
    }


def badness_of(outcome: Mapping[str, Any]) -> float:
    """Return how bad a difference is; 0 where there is none that matters."""
    if not outcome["answered"]:
        return WEIGHTS["answered"] if outcome["base_answered"] or outcome.get("golden") else 0.0
    bad = 0.0
    golden, form, tools = outcome.get("golden"), outcome["format"], outcome["tools"]
    text = outcome["text"]
    if golden is not None and golden["ok"] is False:
        bad += WEIGHTS["golden"]
    if form is not None and not form["ok"] and form["base"] is not False:
        bad += WEIGHTS["format"]
    if outcome["refusal"] and not outcome["base_refusal"]:
        bad += WEIGHTS["refusal"]
    if tools is not None and not tools["names"]:
        bad += WEIGHTS["names"]
    elif tools is not None and not tools["arguments"]:
        bad += WEIGHTS["arguments"]
    if text is not None and not text["normalised"]:
        bad += WEIGHTS["text"]
    return bad


def _format(asked: Asked, base: Side, other: Side) -> dict[str, Any] | None:
    """Say whether the form was kept; a call of a tool owes no form."""
    if asked.contract.how == NONE or not other.is_answered or _only_calls(other.answer):
        return None
    fault = asked.contract.fault_in(other.answer)
    is_comparable = base.is_answered and not _only_calls(base.answer)
    kept = not asked.contract.fault_in(base.answer) if is_comparable else None
    return {"how": asked.contract.how, "ok": not fault, "base": kept, "fault": fault}


def _only_calls(answer: Answer) -> bool:
    return bool(answer.calls) and not answer.text.strip()


def _tools(asked: Asked, base: Side, other: Side) -> dict[str, Any] | None:
    """Say whether the same tools were called in the same order, with the same arguments."""
    if not (base.is_answered and other.is_answered and (base.answer.calls or other.answer.calls)):
        return None
    mine, theirs = base.answer.calls, other.answer.calls
    same_names = [call.name for call in mine] == [call.name for call in theirs]
    same = same_names and all(
        _spelled(one) == _spelled(two) for one, two in zip(mine, theirs, strict=True)
    )
    return {
        "names": same_names,
        "arguments": same,
        "fit": arguments_fit(asked.tools, other.answer) if theirs else None,
        "base_fit": arguments_fit(asked.tools, base.answer) if mine else None,
    }


def _spelled(call: ToolCall) -> str:
    """Write arguments in one spelling; a number that is whole is the same with and without .0."""
    found = document_of(call.arguments or "{}")
    return call.arguments if found is NOTHING else one_spelling(_plain(found))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(below) for name, below in value.items()}
    return [_plain(below) for below in value] if isinstance(value, list) else value


def _text(base: Side, other: Side) -> dict[str, Any] | None:
    one, two = base.answer.text, other.answer.text
    if not (base.is_answered and other.is_answered) or not (one.strip() or two.strip()):
        return None
    return {"exact": same_exactly(one, two), "normalised": same_normalised(one, two)}
