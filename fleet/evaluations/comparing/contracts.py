"""The form an answer has to have: declared in the call, or inferred from the baseline's answers.

A declared contract is what the agent's program asked the vendor to keep to. Where it asked for
none and every answer of a task was JSON, its form is inferred. Nothing is fetched, and
patterns run in RE2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from effects.gates.schema import Bounded, fault_of
from fleet.evaluations.comparing.documents import NOTHING, document_of, structure_of
from fleet.evaluations.comparing.inference import LEAST_ANSWERS, Shape
from routing.comparing.spoken import Answer, question_of
from routing.gateway.wires.wire import read_json

DECLARED: Final = "declared"
INFERRED: Final = "inferred"
NONE: Final = "none"
_EMPTY: Final[Registry[Any]] = Registry()
_ANY_OBJECT: Final = {"type": "object"}


@dataclass(frozen=True, slots=True)
class Contract:
    """A form, and how it is known."""

    how: str = NONE
    schema: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def fault_in(self, answer: Answer) -> str:
        """Return what of the contract an answer breaks: a keyword, never a value; or nothing."""
        found = structure_of(answer.text)
        if found is NOTHING:
            return "fenced" if "```" in answer.text[:2000] else "not JSON"
        return fault_against(self.schema, found)


def declared_in(request: bytes) -> Contract:
    """Return what a call declares of its answer; none where it does not."""
    document = read_json(request)
    if not isinstance(document, dict):
        return Contract()
    for place in (
        document.get("response_format"),
        _inside(document, "text", "format"),
        document.get("output_format"),
        _inside(document, "output_config", "format"),
    ):
        if isinstance(place, dict) and (schema := _schema(place)) is not None:
            return Contract(DECLARED, schema)
    return Contract()


def task_of(route: str, request: bytes) -> str:
    """Return by what calls of one task are known: the route, and what the system says."""
    turns = question_of(request).turns
    said = "\n".join(turn.text for turn in turns if turn.role in {"system", "developer"})
    name = hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:12]
    return f"{route}/{name}"


class Inferring:
    """Contracts of tasks, from the answers of the baseline that were all JSON."""

    def __init__(self) -> None:
        self._shapes: dict[str, Shape] = {}
        self._broken: set[str] = set()

    def take(self, task: str, answer: Answer) -> None:
        """Take one answer of the baseline; one that calls tools says nothing of the form."""
        if answer.calls and not answer.text.strip():
            return
        found = structure_of(answer.text)
        if found is NOTHING:
            self._broken.add(task)
        else:
            self._shapes.setdefault(task, Shape()).take(found)

    def contract(self, task: str) -> Contract:
        """Return a task's contract; none where the answers do not say one."""
        shape = self._shapes.get(task)
        if shape is None or task in self._broken or shape.seen < LEAST_ANSWERS:
            return Contract()
        return Contract(INFERRED, shape.schema())

    def told(self) -> dict[str, Any]:
        """Return every contract with how many answers it is inferred from."""
        return {
            task: {"answers": shape.seen, "schema": shape.schema()}
            for task, shape in sorted(self._shapes.items())
            if self.contract(task).how == INFERRED
        }


def fault_against(schema: Mapping[str, Any], document: Any) -> str:
    """Return the keyword of a schema that a document breaks; empty when it fits."""
    try:
        error = next(iter(Bounded(schema, registry=_EMPTY).iter_errors(document)), None)
    except (Unresolvable, RecursionError, TypeError, AttributeError, ValidationError):
        return "unusable schema"
    return "" if error is None else str(error.validator)[:40]


def tools_in(request: bytes) -> dict[str, Mapping[str, Any]]:
    """Return the schema of the arguments of each tool that a call offers."""
    document = read_json(request)
    offered = document.get("tools") if isinstance(document, dict) else None
    found: dict[str, Mapping[str, Any]] = {}
    for one in offered if isinstance(offered, list) else []:
        if not isinstance(one, dict):
            continue
        function = one.get("function")
        named = function if isinstance(function, dict) else one
        schema = named.get("parameters") or named.get("input_schema")
        if isinstance(named.get("name"), str) and isinstance(schema, dict) and not fault_of(schema):
            found[named["name"]] = schema
    return found


def arguments_fit(schemas: Mapping[str, Mapping[str, Any]], answer: Answer) -> bool:
    """Tell whether every call in an answer is of an offered tool, with arguments it takes."""
    for call in answer.calls:
        schema = schemas.get(call.name)
        if schema is None:
            return False
        if fault_against(schema, document_of(call.arguments or "{}")):
            return False
    return True


def _schema(place: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kind = place.get("type")
    if kind == "json_object":
        return _ANY_OBJECT
    if kind != "json_schema":
        return None
    wrapped = place.get("json_schema")
    schema = wrapped.get("schema") if isinstance(wrapped, dict) else place.get("schema")
    return schema if isinstance(schema, dict) and not fault_of(schema) else None


def _inside(document: Mapping[str, Any], outer: str, inner: str) -> Any:
    place = document.get(outer)
    return place.get(inner) if isinstance(place, dict) else None
