"""What must come of a golden case: six kinds, each read strictly and judged without a model.

A rubric alone needs a judge model, and is judged where one is configured. Patterns run in RE2,
so none can hang. Every refusal says what to write instead.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import re2

from effects.gates.schema import fault_of
from fleet.evaluations.comparing.contracts import fault_against
from fleet.evaluations.comparing.documents import (
    NOTHING,
    document_of,
    one_spelling,
    structure_of,
)
from fleet.evaluations.errors import GoldenInvalid
from fleet.evaluations.models import GoldenCase
from kernel.canonical import canonical
from routing.comparing.spoken import Answer

Expects = GoldenCase.Expects
MOST_BYTES: Final = 64 * 1024
_MOST_PATTERN: Final = 2_000


def check_expectation(kind: str, said: object) -> dict[str, Any]:
    """Return an expectation if it can be judged by. Raises: GoldenInvalid."""
    members = _MEMBERS.get(kind)
    if members is None:
        raise GoldenInvalid(f"An expectation is one of: {', '.join(_MEMBERS)}.")
    if not isinstance(said, dict) or set(said) != set(members):
        raise GoldenInvalid(f"An expectation of kind {kind} has: {', '.join(members)}.")
    if len(canonical(said)) > MOST_BYTES:
        raise GoldenInvalid(f"An expectation has at most {MOST_BYTES:,} bytes.")
    for name, fault_in in members.items():
        if fault := fault_in(said[name]):
            raise GoldenInvalid(fault)
    return said


def fault_of_answer(kind: str, expected: Mapping[str, Any], answer: Answer) -> str | None:
    """Return why an answer does not hold; empty when it does, None where only a judge can tell."""
    judge = _JUDGES.get(kind)
    return None if judge is None else judge(expected, answer)


def _other_text(expected: Mapping[str, Any], answer: Answer) -> str:
    return "" if answer.text.strip() == expected["text"].strip() else "another text"


def _other_form(expected: Mapping[str, Any], answer: Answer) -> str:
    found = structure_of(answer.text)
    if found is NOTHING:
        return "not JSON"
    fault = fault_against(expected["schema"], found)
    return fault and f"breaks {fault}"


def _other_call(expected: Mapping[str, Any], answer: Answer) -> str:
    if not answer.calls:
        return "no tool was called"
    wanted = one_spelling(expected["arguments"])
    named = [call for call in answer.calls if call.name == expected["name"]]
    if not named:
        return "another tool was called"
    found = [document_of(call.arguments or "{}") for call in named]
    is_there = any(one is not NOTHING and one_spelling(one) == wanted for one in found)
    return "" if is_there else "other arguments"


def _lacking(expected: Mapping[str, Any], answer: Answer) -> str:
    lowered = answer.text.casefold()
    missing = [one for one in expected["texts"] if one.casefold() not in lowered]
    return f"{len(missing)} of {len(expected['texts'])} texts are missing" if missing else ""


def _unlike(expected: Mapping[str, Any], answer: Answer) -> str:
    return "" if re2.search(expected["pattern"], answer.text) else "no match"


_JUDGES: Final[dict[str, Callable[[Mapping[str, Any], Answer], str]]] = {
    Expects.EXACT: _other_text,
    Expects.JSON: _other_form,
    Expects.TOOL: _other_call,
    Expects.CONTAINS: _lacking,
    Expects.MATCHES: _unlike,
}


def _fault_of_text(text: object) -> str:
    return "" if isinstance(text, str) and text.strip() else "Say the text."


def _fault_of_schema(schema: object) -> str:
    fault = fault_of(schema)
    return f"The schema {fault}." if fault else ""


def _fault_of_name(name: object) -> str:
    is_name = isinstance(name, str) and 0 < len(name) <= 128
    return "" if is_name else "Name the tool, in 1 to 128 characters."


def _fault_of_arguments(arguments: object) -> str:
    return "" if isinstance(arguments, dict) else "The arguments are a JSON object."


def _fault_of_texts(texts: object) -> str:
    if not isinstance(texts, list) or not 0 < len(texts) <= 20:
        return "Name 1 to 20 texts."
    are_texts = all(isinstance(one, str) and one for one in texts)
    return "" if are_texts else "Each text is a text, and not empty."


def _fault_of_pattern(pattern: object) -> str:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= _MOST_PATTERN:
        return f"A pattern has 1 to {_MOST_PATTERN:,} characters."
    try:
        re2.compile(pattern)
    except re2.error:
        return "RE2 does not take this pattern: it has no look-around and no back-references."
    return ""


_MEMBERS: Final[dict[str, dict[str, Callable[[object], str]]]] = {
    Expects.EXACT: {"text": _fault_of_text},
    Expects.JSON: {"schema": _fault_of_schema},
    Expects.TOOL: {"name": _fault_of_name, "arguments": _fault_of_arguments},
    Expects.CONTAINS: {"texts": _fault_of_texts},
    Expects.MATCHES: {"pattern": _fault_of_pattern},
    Expects.RUBRIC: {"rubric": _fault_of_text},
}
