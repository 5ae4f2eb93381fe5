"""What a check of an operation is: read once, refused with its name and member when unusable.

The kinds ``json_schema`` and ``rego`` are pure and fast: they judge in the request that
proposes. ``reference`` and ``second_opinion`` ask somebody else: the worker judges by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from effects.gates import rego, schema
from effects.gates.errors import CheckInvalid, CheckUnknown
from effects.models import Operation

MOST_CHECKS: Final = 10
MOST_CRITERIA: Final = 10
LONGEST_TEXT: Final = 500
FAST: Final = frozenset({"json_schema", "rego"})
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,62}")
_TARGET: Final = re.compile(r"[a-z0-9-]{1,63}\.[a-zA-Z0-9_-]{1,63}")
_POINTER: Final = re.compile(r"(?:/(?:[^~/]|~[01])*)+")
_COMMON: Final = {"name", "kind", "title", "reason", "only_when_named"}
_MEMBERS: Final = {
    "json_schema": {"schema"},
    "rego": {"module"},
    "reference": {"operation", "arguments", "expect"},
    "second_opinion": {"agent", "route", "criteria"},
}


@dataclass(frozen=True, slots=True)
class Check:
    """One check as its operation describes it."""

    name: str
    kind: str
    settings: Mapping[str, Any]
    title: str = ""
    reason: str = ""  # what the agent is told when it does not pass
    only_when_named: bool = False  # runs where the policy's answer names it, and not else

    @property
    def is_fast(self) -> bool:
        return self.kind in FAST


def read_checks(described: object) -> tuple[Check, ...]:
    """Read the checks of an operation. Raises: CheckInvalid."""
    if not isinstance(described, list) or len(described) > MOST_CHECKS:
        raise CheckInvalid(f"`checks` is a list of at most {MOST_CHECKS} objects.", member="checks")
    checks = tuple(_read(one, place) for place, one in enumerate(described))
    names = [check.name for check in checks]
    if len(set(names)) != len(names):
        raise CheckInvalid("Two checks have one name.", member="name")
    return checks


def gates_for(operation: Operation, constraints: Mapping[str, Any]) -> tuple[Check, ...]:
    """Return the checks an action has to pass: the operation's, and those the policy names.

    Raises: CheckInvalid, CheckUnknown. Either means that the action is denied.
    """
    checks = read_checks(operation.checks)
    named = set(constraints.get("checks") or ())
    if unknown := sorted(named - {check.name for check in checks}):
        raise CheckUnknown(
            f"The policy demands the check {unknown[0]}, which {operation.target} does not have."
            " Who looks after the connection adds it.",
            check=unknown[0],
        )
    return tuple(one for one in checks if not one.only_when_named or one.name in named)


def _read(one: object, place: int) -> Check:
    if not isinstance(one, dict):
        raise CheckInvalid(f"checks[{place}] is not an object.", member=f"checks[{place}]")
    kind, name = one.get("kind"), one.get("name")
    if kind not in _MEMBERS:
        raise _wrong(place, "kind", "is one of " + ", ".join(sorted(_MEMBERS)))
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong(place, "name", "is lower-case words joined by hyphens")
    if unknown := sorted(set(one) - _COMMON - _MEMBERS[kind]):
        raise _wrong(place, str(unknown[0])[:60], f"is no member of a check of kind {kind}")
    _check_common(one, place)
    settings = {member: one[member] for member in _MEMBERS[kind] if member in one}
    if fault := _FAULTS[kind](settings):
        raise _wrong(place, *fault)
    return Check(
        name=name,
        kind=kind,
        settings=settings,
        title=one.get("title", ""),
        reason=one.get("reason", ""),
        only_when_named=one.get("only_when_named", False),
    )


def _check_common(one: Mapping[str, Any], place: int) -> None:
    for member in ("title", "reason"):
        text = one.get(member, "")
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            raise _wrong(place, member, f"is a text of at most {LONGEST_TEXT} characters")
    if not isinstance(one.get("only_when_named", False), bool):
        raise _wrong(place, "only_when_named", "is true or false")


def _wrong(place: int, member: str, what: str) -> CheckInvalid:
    where = f"checks[{place}].{member}"
    return CheckInvalid(f"{where} {what}.", member=where)


def _schema_fault(settings: Mapping[str, Any]) -> tuple[str, str] | None:
    fault = schema.fault_of(settings.get("schema"))
    return ("schema", fault) if fault else None


def _rego_fault(settings: Mapping[str, Any]) -> tuple[str, str] | None:
    fault = rego.fault_of(settings.get("module"))
    return ("module", fault) if fault else None


def _reference_fault(settings: Mapping[str, Any]) -> tuple[str, str] | None:
    operation, arguments = settings.get("operation"), settings.get("arguments")
    if not isinstance(operation, str) or not _TARGET.fullmatch(operation):
        return "operation", "names an operation that reads, as connection.operation"
    if settings.get("expect", "found") not in {"found", "absent"}:
        return "expect", "is found or absent"
    if not isinstance(arguments, dict) or not all(
        isinstance(pointer, str) and _POINTER.fullmatch(pointer) for pointer in arguments.values()
    ):
        return "arguments", "gives for each argument a JSON pointer into the action's arguments"
    return None


def _opinion_fault(settings: Mapping[str, Any]) -> tuple[str, str] | None:
    for member in ("agent", "route"):
        if not isinstance(settings.get(member), str) or not settings[member]:
            return member, "is a name"
    criteria = settings.get("criteria")
    if not _are_texts(criteria):
        return "criteria", f"is a list of 1 to {MOST_CRITERIA} texts, each a reason to say no"
    return None


def _are_texts(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and 0 < len(value) <= MOST_CRITERIA
        and all(isinstance(one, str) and 0 < len(one) <= LONGEST_TEXT for one in value)
    )


_FAULTS: Final = {
    "json_schema": _schema_fault,
    "rego": _rego_fault,
    "reference": _reference_fault,
    "second_opinion": _opinion_fault,
}
