"""Lists of HTML pages: the words that are looked for, and a cut of rows by cursor.

A cursor names the row at the edge of a page (its column and its public id), so a list
stays stable while rows arrive, however many rows share a value. Whatever stands in the
address is a wish: one that cannot be met is left out, and the page still shows.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Q, QuerySet
from django.http import HttpRequest

PAGE_SIZE: Final = 30
_LONGEST: Final = 200


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and the cursors of the pages around them."""

    rows: list[Any]
    next: str = ""
    previous: str = ""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


def asked(request: HttpRequest, name: str) -> str:
    """Return one value of the query, trimmed; what PostgreSQL cannot store is dropped."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:_LONGEST]


def chosen(request: HttpRequest, name: str, options: Collection[str]) -> str:
    """Return one value of the query if it is one of those offered."""
    value = asked(request, name)
    return value if value in options else ""


def wanted_order(request: HttpRequest, columns: Mapping[str, str], usual: str) -> str:
    """Return the column that a word of the query stands for; with ``-`` in front, downwards."""
    value = asked(request, "ordering")
    column = columns.get(value.removeprefix("-"))
    if column is None:
        return usual
    return f"-{column}" if value.startswith("-") else column


def found(rows: QuerySet[Any], words: str, *fields: str) -> QuerySet[Any]:
    """Return the rows in which every word occurs somewhere."""
    for word in words.split():
        place = Q()
        for field in fields:
            place |= Q(**{f"{field}__icontains": word})
        rows = rows.filter(place)
    return rows


def cut(
    request: HttpRequest,
    rows: QuerySet[Any],
    *,
    ordering: str,
    tie: str = "public_id",
    size: int = PAGE_SIZE,
) -> Page:
    """Order the rows and return the page that the query's cursor names, else the first.

    The column must not be null; the tie is unique, and follows the column's direction.
    """
    column = ordering.removeprefix("-")
    edge = _read(request.GET.get("cursor", ""))
    if edge is not None:
        try:
            return _page(rows, column, tie, downwards=ordering != column, edge=edge, size=size)
        except (ValueError, TypeError, ValidationError, DataError):
            pass  # a cursor of another list, or of none
    return _page(rows, column, tie, downwards=ordering != column, edge=None, size=size)


@dataclass(frozen=True, slots=True)
class _Edge:
    is_back: bool
    value: Any
    tie: Any


def _page(
    rows: QuerySet[Any], column: str, tie: str, *, downwards: bool, edge: _Edge | None, size: int
) -> Page:
    is_back = edge is not None and edge.is_back
    falls = downwards != is_back
    sign, side = ("-", "lt") if falls else ("", "gt")
    if edge is not None:
        beyond = Q(**{f"{column}__{side}": edge.value})
        level = Q(**{column: edge.value, f"{tie}__{side}": edge.tie})
        rows = rows.filter(Q(**{f"{column}__{side}e": edge.value}) & (beyond | level))
    rows = rows.order_by(f"{sign}{column}", f"{sign}{tie}")
    if rows.query.select_related:
        # Sorted by its keys alone: every row of the list is sorted, and joined ones are wide.
        rows = rows.filter(pk__in=rows.values("pk")[: size + 1])
    taken = list(rows[: size + 1])
    has_more, taken = len(taken) > size, taken[:size]
    if is_back:
        taken.reverse()
    if not taken:
        return Page([])
    has_next, has_previous = (True, has_more) if is_back else (has_more, edge is not None)
    return Page(
        taken,
        _write(taken[-1], column, tie, is_back=False) if has_next else "",
        _write(taken[0], column, tie, is_back=True) if has_previous else "",
    )


def _write(row: Any, column: str, tie: str, *, is_back: bool) -> str:
    value = getattr(row, column)
    stated = value.isoformat() if isinstance(value, date) else value
    text = json.dumps([int(is_back), stated, getattr(row, tie)], separators=(",", ":"))
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str) -> _Edge | None:
    padded = cursor[:2000] + "=" * (-len(cursor[:2000]) % 4)
    try:
        is_back, value, tie = json.loads(urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, TypeError, binascii.Error, UnicodeError, RecursionError):
        return None
    plain = (str, int, float)
    if not (isinstance(value, plain) and isinstance(tie, plain)) or "\x00" in f"{value}{tie}":
        return None
    return _Edge(bool(is_back), value, tie)
