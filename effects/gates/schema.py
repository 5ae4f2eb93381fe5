"""A further JSON Schema on the arguments of an action, beside the one of its operation.

Patterns run in RE2, so no argument makes one slow; a reference that leads out of the
schema is a failure, never a request. A failure names the place and the keyword, not the
value that was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import re2
from jsonschema import Draft202012Validator, SchemaError, ValidationError, validators
from referencing import Registry
from referencing.exceptions import Unresolvable

from kernel.canonical import canonical

MOST_BYTES: Final = 64 * 1024
_EMPTY: Final[Registry[Any]] = Registry()


def fault_of(schema: object) -> str:
    """Say what keeps a schema from being judged by; empty when nothing does."""
    if not isinstance(schema, dict):
        return "is a JSON Schema object (draft 2020-12)"
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"is no JSON Schema: {error.message[:200]}"
    for pattern in _patterns(schema):
        try:
            re2.compile(pattern)
        except re2.error:
            return f"holds a pattern that RE2 does not take: {pattern[:80]}"
    return ""


def judge(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> str:
    """Return why the arguments do not fit; empty when they do."""
    try:
        error = next(iter(Bounded(schema, registry=_EMPTY).iter_errors(arguments)), None)
    except (Unresolvable, RecursionError):
        return "the schema refers to something that is not in it"
    if error is None:
        return ""
    place = "/".join(str(part) for part in error.absolute_path)
    return f"arguments{'/' + place if place else ''} breaks `{error.validator}`"[:300]


def _pattern(_: Any, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and re2.search(pattern, instance) is None:
        yield ValidationError(f"does not match the pattern {pattern[:80]}")


def _pattern_properties(
    validator: Any, by_pattern: Mapping[str, Any], instance: object, _: object
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, schema in by_pattern.items():
        for name, value in instance.items():
            if re2.search(pattern, name) is not None:
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _unique(_: Any, asked: object, instance: object, __: object) -> Iterator[ValidationError]:
    if asked is not True or not isinstance(instance, list):
        return
    # Equal values are written equally (RFC 8785), so a set tells in one pass what pairs would.
    if len({canonical([item]) for item in instance}) < len(instance):
        yield ValidationError("holds an item twice")


# No argument makes one slow: patterns in RE2, items told apart by what they are written as.
Bounded: Final = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"pattern": _pattern, "patternProperties": _pattern_properties, "uniqueItems": _unique},
)


def _patterns(schema: object) -> Iterator[str]:
    if isinstance(schema, list):
        for one in schema:
            yield from _patterns(one)
    elif isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema["pattern"]
        if isinstance(schema.get("patternProperties"), dict):
            yield from schema["patternProperties"]
        for one in schema.values():
            yield from _patterns(one)
