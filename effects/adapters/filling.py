"""Templates: JSON in which some values are taken from the arguments, each with its type.

A place is an object of one kind: ``{"$argument": "/pointer"}`` (RFC 6901), with
``"absent": "omit"`` where the member may be missing, or ``{"$key": true}`` for the idempotency
key. It is replaced as a whole by the value; no text is ever put together from pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from effects.adapters.errors import ArgumentsRefused, wrong

ARGUMENT: Final = "$argument"
KEY: Final = "$key"
_POINTER: Final = re.compile(r"(/([^/~]|~[01])*)+")
_LONGEST: Final = 256


class _Absent:
    """What stands where an argument is not given and may be missing."""


ABSENT: Final = _Absent()


def is_place(value: object) -> bool:
    """Say whether a value of a template is to be replaced."""
    return isinstance(value, Mapping) and any(str(name).startswith("$") for name in value)


def check_template(value: object, member: str) -> None:
    """Raises: SettingsInvalid, naming the place that cannot be read."""
    if is_place(value):
        _check_place(dict(value), member)  # type: ignore[call-overload]
    elif isinstance(value, Mapping):
        for name, below in value.items():
            check_template(below, f"{member}/{_escaped(str(name))}")
    elif isinstance(value, list):
        for index, below in enumerate(value):
            check_template(below, f"{member}/{index}")


def _check_place(place: dict[str, Any], member: str) -> None:
    match place:
        case {"$key": True, **rest} if not rest:
            return
        case {"$argument": str(pointer), **rest} if rest in ({}, {"absent": "omit"}):
            if len(pointer) > _LONGEST or not _POINTER.fullmatch(pointer):
                raise wrong(member, "a pointer begins with / and names a member, as /amount does.")
        case _:
            raise wrong(
                member,
                'a place is {"$argument": "/name"}, with "absent": "omit" where it may be'
                ' missing, or {"$key": true}.',
            )


def pointers(value: object) -> Iterator[str]:
    """Return every pointer of a template."""
    if isinstance(value, Mapping):
        if isinstance(found := value.get(ARGUMENT), str):
            yield found
            return
        value = list(value.values())
    if isinstance(value, list):
        for below in value:
            yield from pointers(below)


def fill(value: Any, arguments: Mapping[str, Any], key: str) -> Any:
    """Return a template with its places replaced. Raises: ArgumentsRefused."""
    if is_place(value):
        return _value_of(value, arguments, key)
    if isinstance(value, Mapping):
        filled = {name: fill(below, arguments, key) for name, below in value.items()}
        return {name: below for name, below in filled.items() if below is not ABSENT}
    if isinstance(value, list):
        items = [fill(below, arguments, key) for below in value]
        return [below for below in items if below is not ABSENT]
    return value


def _value_of(place: Mapping[str, Any], arguments: Mapping[str, Any], key: str) -> Any:
    if place.get(KEY) is True:
        return key
    found = resolved(arguments, place[ARGUMENT])
    if found is ABSENT and place.get("absent") != "omit":
        raise ArgumentsRefused(f"The argument {place[ARGUMENT]} is missing.", field=place[ARGUMENT])
    return found


def resolved(document: object, pointer: str) -> Any:
    """Return what a pointer leads to in a document, or ABSENT (RFC 6901)."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, Mapping) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isascii() and name.isdigit():
            if (name != "0" and name.startswith("0")) or int(name) >= len(document):
                return ABSENT
            document = document[int(name)]
        else:
            return ABSENT
    return document


def is_pointer(text: object) -> bool:
    """Say whether a text is a pointer to a member."""
    return isinstance(text, str) and len(text) <= _LONGEST and bool(_POINTER.fullmatch(text))


def scalar(value: object, name: str) -> str:
    """Return the text of a value that stands in an address, a header or a form.

    Raises: ArgumentsRefused.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value
    raise ArgumentsRefused(f"{name} must be a text, a whole number or a boolean here.", field=name)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
