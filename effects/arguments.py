"""What an agent hands in to be done: checked against the operation, before anybody is asked.

Arguments are the agent's word. They are held to the operation's schema, to a size that
people can read and policy can judge, and every problem is named with its path. A schema
refers to nothing outside itself, and its patterns take time in proportion, whatever they meet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable

from effects.gates.schema import Bounded
from effects.models import Operation
from effects.refusals import ArgumentsInvalid, ArgumentsTooLarge
from kernel.canonical import canonical

# Within what the policy reads of facts, with room for the rest of them.
MOST_BYTES: Final = 96 * 1024
MOST_CONTAINERS: Final = 4000
MOST_PROBLEMS: Final = 20
_LONGEST: Final = 200


def check_arguments(operation: Operation, arguments: Mapping[str, Any]) -> None:
    """Hold arguments to the operation's schema. Raises: ArgumentsInvalid, ArgumentsTooLarge."""
    written = canonical(arguments)
    if len(written) > MOST_BYTES:
        raise ArgumentsTooLarge(
            f"The arguments have {len(written)} bytes; at most {MOST_BYTES} are taken.",
            limit_bytes=MOST_BYTES,
        )
    if written.count(b"{") + written.count(b"[") > MOST_CONTAINERS:
        raise ArgumentsTooLarge(
            f"The arguments hold more than {MOST_CONTAINERS} lists and objects.",
            limit_containers=MOST_CONTAINERS,
        )
    problems = _problems(operation, arguments)
    if problems:
        first = problems[0]
        raise ArgumentsInvalid(
            f"{operation.name} does not take these arguments: {first['path']}: {first['problem']}",
            errors=problems,
        )


def pointer(path: tuple[str | int, ...]) -> str:
    """Write a path as a JSON pointer (RFC 6901) below ``arguments``."""
    steps = [str(step).replace("~", "~0").replace("/", "~1") for step in path]
    return "/".join(["arguments", *steps])


def _problems(operation: Operation, arguments: Mapping[str, Any]) -> list[dict[str, str]]:
    validator = _validator(json.dumps(operation.arguments_schema, sort_keys=True))
    try:
        found = list(islice(validator.iter_errors(dict(arguments)), MOST_PROBLEMS))
    except (Unresolvable, RecursionError):
        return [{"path": "arguments", "problem": "the operation's schema cannot be applied"}]
    found.sort(key=lambda error: [str(step) for step in error.absolute_path])
    return [{"path": pointer(tuple(each.absolute_path)), "problem": _said(each)} for each in found]


def _said(error: ValidationError) -> str:
    # The value itself is left out where it is long: an error is read, not mined.
    return error.message if len(error.message) <= _LONGEST else f"{error.message[:_LONGEST]}…"


@lru_cache(256)
def _validator(schema: str) -> Any:
    return Bounded(
        json.loads(schema),
        registry=Registry(),  # fetches nothing
        format_checker=Draft202012Validator.FORMAT_CHECKER,
    )


def leaves_of(value: object, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], Any]:
    """Return every value that holds no other, by its path; an empty list or object is one."""
    found: dict[tuple[str | int, ...], Any] = {}
    stack: list[tuple[tuple[str | int, ...], object]] = [(path, value)]
    while stack:
        at, each = stack.pop()
        if isinstance(each, Mapping) and each:
            stack.extend((((*at, str(name)), item) for name, item in reversed([*each.items()])))
        elif isinstance(each, list) and each:
            stack.extend(((*at, place), item) for place, item in reversed([*enumerate(each)]))
        else:
            found[at] = each
    return found


def changed_paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the paths at which two sets of arguments differ: changed, added or left out."""
    old, new = leaves_of(before), leaves_of(after)
    differing = {
        path
        for path in {*old, *new}
        if path not in old or path not in new or canonical([old[path]]) != canonical([new[path]])
    }
    return sorted(pointer(path) for path in differing)
