"""The published schema of a manifest, checked in words that a person can act on.

The JSON file beside this module is the one description of the format: served, printed,
and checked here. Each keyword it uses has its sentence below; a keyword that has none is
a programming error, so the published and the enforced format cannot drift apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path as FilePath
from typing import Any, Final

from jsonschema import Draft202012Validator, ValidationError, validators

from registry.manifest.problems import MAX_PROBLEMS, Lines, Problem, line_of, listed, nearest, shown

SCHEMA_PATH: Final = FilePath(__file__).with_name("agent-v1.schema.json")
_NO_VALUE: Final = frozenset({"$schema", "$id", "$defs", "title", "description"})
_TYPE_WORDS: Final = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "array": "a list",
    "object": "a mapping of keys to values",
    "boolean": "true or false",
}
Rule = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


@cache
def schema_text() -> str:
    """Return the schema as it is published."""
    return SCHEMA_PATH.read_text(encoding="utf-8")


@cache
def schema() -> dict[str, Any]:
    """Return the schema as a document."""
    loaded: dict[str, Any] = json.loads(schema_text())
    return loaded


def check_shape(document: object, lines: Lines) -> list[Problem]:
    """Return what the schema has against a document, in the order of its lines."""
    found = []
    for error in islice(_validator().iter_errors(document), MAX_PROBLEMS):
        path = tuple(error.absolute_path)
        suggestion = error.context[0].message if error.context else ""
        found.append(Problem(path, error.message, line_of(lines, path), suggestion))
    return sorted(found, key=lambda problem: problem.line or 0)


def _says(rule: dict[str, Any]) -> str:
    stated = rule.get("description")
    return f": {stated}" if stated else ""


def _type(validator: Any, expected: str, value: Any, rule: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, expected):
        return
    hint = ""
    if expected == "string" and isinstance(value, int | float):
        hint = f'; write it in quotes: "{json.dumps(value)[:40]}"'
    yield ValidationError(
        f"must be {_TYPE_WORDS[expected]}, not {_kind_of(value)}{hint}{_says(rule)}"
    )


def _unknown(validator: Any, allowed: Any, value: Any, rule: Any) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    known = rule.get("properties", {})
    for key, item in value.items():
        if key in known:
            continue
        if isinstance(allowed, dict):
            yield from validator.descend(item, allowed, path=key)
            continue
        meant = nearest(key, known)
        place = "" if meant else _elsewhere(key)
        yield ValidationError(
            "unknown key"
            + (f"; did you mean {meant}?" if meant else place or f"; known are {listed(known)}"),
            path=[key],
            context=[ValidationError(meant)] if meant else (),
        )


def _elsewhere(key: str) -> str:
    for section in ("metadata", "spec"):
        if key in schema()["properties"][section]["properties"]:
            return f"; it belongs under {section}"
    return ""


def _required(validator: Any, names: list[str], value: Any, rule: Any) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                stated = rule.get("properties", {}).get(name, {})
                yield ValidationError(f"missing{_says(stated)}", path=[name])


def _one_of(validator: Any, choices: Any, value: Any, rule: Any) -> Iterator[ValidationError]:
    if isinstance(value, dict):
        names = [choice["required"][0] for choice in choices]
        given = [name for name in names if name in value]
        if len(given) != 1:
            yield ValidationError(f"give exactly one of {' and '.join(names)}")


def _enum(validator: Any, allowed: list[str], value: Any, rule: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and value in allowed:
        return
    meant = nearest(value, allowed) if isinstance(value, str) else ""
    yield ValidationError(
        f"must be one of {listed(allowed)}, not {_quoted(value)}"
        + (f"; did you mean {meant}?" if meant else ""),
        context=[ValidationError(meant)] if meant else (),
    )


def _const(validator: Any, wanted: str, value: Any, rule: Any) -> Iterator[ValidationError]:
    if value != wanted:
        yield ValidationError(f"must be {wanted}, not {_quoted(value)}")


def _pattern(validator: Any, pattern: str, value: Any, rule: Any) -> Iterator[ValidationError]:
    if not isinstance(value, str) or (not value and "minLength" in rule):
        return  # of an empty text, the shortest length says enough
    # ``$`` of Python also matches before a last newline; the schema's means the end.
    if not re.fullmatch(pattern[1:-1], value[:5000]):
        yield ValidationError(f"{_quoted(value)} does not fit{_says(rule)}")


def _shortest(validator: Any, least: int, value: Any, rule: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and len(value) < least:
        yield ValidationError(f"must not be empty{_says(rule)}")


def _longest(validator: Any, most: int, value: Any, rule: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and len(value) > most:
        yield ValidationError(f"must have at most {most} characters, has {len(value)}")


def _fewest(validator: Any, least: int, value: Any, rule: Any) -> Iterator[ValidationError]:
    if isinstance(value, list) and len(value) < least:
        yield ValidationError(f"must name at least one{_says(rule)}")


def _most(validator: Any, most: int, value: Any, rule: Any) -> Iterator[ValidationError]:
    if isinstance(value, list | dict) and len(value) > most:
        yield ValidationError(f"must have at most {most} entries, has {len(value)}")


def _unique(validator: Any, wanted: bool, value: Any, rule: Any) -> Iterator[ValidationError]:  # noqa: FBT001
    if not isinstance(value, list):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        if isinstance(item, str) and item in seen:
            yield ValidationError(f"{_quoted(item)} is named twice", path=[index])
        if isinstance(item, str):
            seen.add(item)


def _least(validator: Any, least: float, value: Any, rule: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, "number") and value < least:
        yield ValidationError(f"must be at least {least}")


def _greatest(validator: Any, most: float, value: Any, rule: Any) -> Iterator[ValidationError]:
    if validator.is_type(value, "number") and value > most:
        yield ValidationError(f"must be at most {most}")


_RULES: Final[dict[str, Rule]] = {
    "type": _type, "additionalProperties": _unknown, "required": _required, "oneOf": _one_of,
    "enum": _enum, "const": _const, "pattern": _pattern, "minLength": _shortest,
    "maxLength": _longest, "minItems": _fewest, "maxItems": _most, "maxProperties": _most,
    "uniqueItems": _unique, "minimum": _least, "maximum": _greatest,
}  # fmt: skip
_STRUCTURE: Final = {
    name: Draft202012Validator.VALIDATORS[name]
    for name in ("$ref", "properties", "items", "propertyNames")
}


@cache
def _validator() -> Any:
    kind = validators.create(
        meta_schema=Draft202012Validator.META_SCHEMA,
        validators=_RULES | _STRUCTURE,
        type_checker=Draft202012Validator.TYPE_CHECKER,
        id_of=lambda rule: str(rule.get("$id", "")) if isinstance(rule, dict) else "",
    )
    return kind(schema())


def keywords_without_a_rule() -> set[str]:
    """Return keywords that the schema uses and nothing here enforces; tested to be empty."""
    return _keywords(schema()) - set(_RULES) - set(_STRUCTURE) - _NO_VALUE


def _keywords(rule: Any) -> set[str]:
    if not isinstance(rule, dict):
        return set()
    found = set(rule)
    for name in ("properties", "$defs"):
        for inner in rule.get(name, {}).values():
            found |= _keywords(inner)
    for name in ("items", "additionalProperties", "propertyNames"):
        found |= _keywords(rule.get(name))
    return found


def _quoted(value: object) -> str:
    return f"'{shown(value)}'" if isinstance(value, str) else _kind_of(value)


def _kind_of(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    names = {str: "text", int: "a number", float: "a number", list: "a list", dict: "a mapping"}
    return names.get(type(value), "nothing")
