"""Inferring the form that a baseline's answers have, carefully: every one of them fits it.

Owns what is taken for a rule: types that were seen, keys that were in all, and few values only
where they were seen often. What was seen once is no rule; further keys are always allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

LEAST_ANSWERS: Final = 5  # of fewer, nothing is inferred
MOST_VALUES: Final = 5
_OFTEN: Final = 4  # times as many answers as values, for the values to be all there are
_LEAST_OFTEN: Final = 20
_LONGEST_VALUE: Final = 60
_MOST_KEYS: Final = 60  # with more, its keys are data and no form


@dataclass(slots=True)
class Shape:
    """What was seen in one place of the answers so far."""

    seen: int = 0
    types: set[str] = field(default_factory=set)
    objects: int = 0
    properties: dict[str, Shape] | None = field(default_factory=dict)
    items: Shape | None = None
    values: dict[str, int] | None = field(default_factory=dict)

    def take(self, value: Any) -> None:
        """Take one more answer's value in this place."""
        self.seen += 1
        kind = type_of(value)
        self.types.add(kind)
        if kind == "object":
            self._take_object(value)
        elif kind == "array":
            if value and self.items is None:
                self.items = Shape()
            for one in value:
                assert self.items is not None  # noqa: S101  made above
                self.items.take(one)
        elif kind == "string":
            self._take_value(value)

    def schema(self) -> dict[str, Any]:
        """Return it as a JSON Schema that everything taken fits."""
        types = self.types - {"integer"} if "number" in self.types else self.types
        named = sorted(types)
        made: dict[str, Any] = {"type": named[0] if len(named) == 1 else named} if named else {}
        if "object" in types and self.properties is not None:
            made["properties"] = {
                name: below.schema() for name, below in sorted(self.properties.items())
            }
            required = [name for name, one in self.properties.items() if one.seen == self.objects]
            if required:
                made["required"] = sorted(required)
        if "array" in types and self.items is not None:
            made["items"] = self.items.schema()
        if named == ["string"] and self._is_choice():
            made["enum"] = sorted(self.values or {})
        return made

    def _take_object(self, value: dict[str, Any]) -> None:
        self.objects += 1
        if self.properties is None:
            return
        for name, below in value.items():
            self.properties.setdefault(name, Shape()).take(below)
        if len(self.properties) > _MOST_KEYS:
            self.properties = None

    def _take_value(self, value: str) -> None:
        if self.values is None:
            return
        self.values[value] = self.values.get(value, 0) + 1
        if len(value) > _LONGEST_VALUE or len(self.values) > MOST_VALUES:
            self.values = None

    def _is_choice(self) -> bool:
        if not self.values:
            return False
        return self.seen >= max(_LEAST_OFTEN, _OFTEN * len(self.values)) and all(
            count > 1 for count in self.values.values()
        )


def type_of(value: Any) -> str:
    """Return a value's type as JSON Schema names it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
