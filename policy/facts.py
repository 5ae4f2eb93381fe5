"""Facts as they are asked about: one canonical line, or nothing that could be judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kernel.canonical import canonical, digest_bytes

MAX_QUESTION_BYTES: Final = 128 * 1024
MAX_CONTAINERS: Final = 4096
# What canonical JSON writes with a backslash, one sign for each, so that lengths stay true.
_LEGIBLE: Final = dict.fromkeys((*range(32), 34, 92), "�") | {ord(blank): " " for blank in "\t\n\r"}


def legible(value: object) -> object:
    """Return what people and agents typed as rules may see it.

    A line's end is a blank, and a sign that engines do not read alike is U+FFFD.
    """
    match value:
        case str():
            return value.translate(_LEGIBLE)
        case Mapping():
            return {str(name).translate(_LEGIBLE): legible(each) for name, each in value.items()}
        case list() | tuple():
            return [legible(each) for each in value]
        case _:
            return value


def read_facts(facts: Mapping[str, object]) -> tuple[bytes | None, str]:
    """Return the question and its digest; no question when engines could read it differently."""
    try:
        question = canonical(facts)
    except (ValueError, RecursionError):
        return None, ""
    if (
        len(question) > MAX_QUESTION_BYTES
        or question.count(b"{") + question.count(b"[") > MAX_CONTAINERS
        # A backslash stands for a character that no name of ours holds and that engines do
        # not count alike: such facts are not judged at all.
        or b"\\" in question
    ):
        return None, digest_bytes(question)
    return question, digest_bytes(question)
