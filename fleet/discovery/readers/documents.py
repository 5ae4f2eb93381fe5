"""JSON documents of inventories: one answer, several in a list, one a line, or a bundle of them.

An administrator saves answers of an API as they come; whichever way they were put together,
a reader gets the same rows. What is no row is counted, and its place is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from fleet.discovery.readers.tally import Bytes, NotReadable, Tally, whole

MAX_BYTES: Final = 64 * 1024 * 1024
_LISTS: Final = ("data", "results", "value", "items", "response", "agents", "inventory")
_BUCKET: Final = ("start_time", "end_time", "starting_at", "ending_at", "_project")
_MAX_DEPTH: Final = 8


def rows(file: Bytes, tally: Tally) -> Iterator[dict[str, Any]]:
    """Yield the objects of a document. Raises: NotReadable."""
    for document in _documents(whole(file, tally, MAX_BYTES), tally):
        yield from _rows(document, tally, 0)


def rows_of(documents: Iterable[Any], tally: Tally) -> Iterator[dict[str, Any]]:
    """Yield the objects of answers that were fetched."""
    for document in documents:
        yield from _rows(document, tally, 0)


def _documents(raw: bytes, tally: Tally) -> list[Any]:
    try:
        return [orjson.loads(raw)]
    except orjson.JSONDecodeError:
        pass
    found = []
    for number, line in enumerate(raw.split(b"\n"), 1):
        if not line.strip():
            continue
        tally.lines = number
        try:
            found.append(orjson.loads(line))
        except orjson.JSONDecodeError:
            tally.miss("not JSON")
    if not found:
        raise NotReadable("The file is neither one JSON document nor one a line.")
    return found


def _rows(value: Any, tally: Tally, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _MAX_DEPTH:
        tally.miss("nested too deeply")
    elif isinstance(value, list):
        for each in value:
            yield from _rows(each, tally, depth + 1)
    elif isinstance(value, dict):
        inner = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), None)
        if inner is None:
            tally.lines += 1
            yield value
        else:
            yield from _dated(_rows(inner, tally, depth + 1), value)
    else:
        tally.lines += 1
        tally.miss("not an object")


def _dated(rows: Iterator[dict[str, Any]], bucket: dict[str, Any]) -> Iterator[dict[str, Any]]:
    # A bucket of usage says when; its results do not. A page's keys may say whose project.
    told = {name: bucket[name] for name in _BUCKET if name in bucket}
    if not told:
        yield from rows
        return
    for row in rows:
        yield told | row
