"""The REST wire: strict JSON in, RFC 9457 problems out, cursors for lists.

One renderer for every refusal, so that a client can rely on ``code`` and a person on
``detail``. Unknown fields are refused by name: a field that is silently dropped is a
setting somebody believes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.exceptions import ValidationError as BadValue
from django.db.models import Q, QuerySet
from django.http import Http404
from drf_spectacular.utils import inline_serializer
from rest_framework import exceptions, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import BaseParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.canonical import strict_loads
from kernel.errors import (
    Denied,
    DomainError,
    Invalid,
    Malformed,
    NotFound,
    Throttled,
    Unauthenticated,
)

BODY_LIMIT = 1024 * 1024


class ProblemRenderer(JSONRenderer):
    """Writes a problem document under its own media type (RFC 9457 §3)."""

    media_type = "application/problem+json"


class StrictJSONParser(BaseParser):
    """Reads JSON as `kernel.canonical.strict_loads` does, capped at one mebibyte."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw = stream.read(BODY_LIMIT + 1)
        return strict_loads(raw, limit=BODY_LIMIT) if raw else {}


class Input(serializers.Serializer[Any]):
    """Base of every request body: a field that is not declared is an error that names it."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(key) for key in data if key not in self.fields)
            if unknown:
                known = ", ".join(sorted(self.fields))
                raise serializers.ValidationError(
                    {key: [f"Unknown field. Known fields are: {known}."] for key in unknown}
                )
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A text that is a JSON string: a number or a boolean in its place is an error."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class ListQuery(Input):
    """The query of every list; a list with filters of its own declares them in a subclass."""

    search = Text(required=False, max_length=200, help_text="Words that must all occur.")
    ordering = Text(required=False, max_length=60, help_text="A field; with - in front, downwards.")
    cursor = Text(required=False, max_length=500)
    page_size = serializers.IntegerField(required=False, min_value=1, max_value=200)


class Cursor(CursorPagination):
    """Lists as ``{results, next, previous}``; stable while rows arrive."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = "-id"

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"results": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        )


@dataclass(frozen=True, slots=True)
class Listing:
    """What one list offers: its query, the fields words are looked for in, its orderings."""

    query: type[ListQuery]
    search: tuple[str, ...]
    ordering: tuple[str, ...]  # the first one, downwards, unless asked otherwise

    def read(self, request: Request) -> dict[str, Any]:
        """Return the query's values. Raises ValidationError that names a wrong parameter."""
        read = self.query(data=request.query_params.dict())
        read.is_valid(raise_exception=True)
        asked = read.validated_data.get("ordering", f"-{self.ordering[0]}")
        if asked.removeprefix("-") not in self.ordering:
            offer = ", ".join(self.ordering)
            raise serializers.ValidationError(
                {"ordering": [f"This list can be ordered by: {offer}."]}
            )
        values: dict[str, Any] = read.validated_data | {"ordering": asked}
        return values

    def answer(
        self,
        request: Request,
        rows: QuerySet[Any],
        shape: Callable[[list[Any]], Any],
        asked: dict[str, Any],
    ) -> Response:
        """Search, order and cut a page; ``shape`` turns its rows into what is shown."""
        for word in asked.get("search", "").split():
            found = Q()
            for field in self.search:
                found |= Q(**{f"{field}__icontains": word})
            rows = rows.filter(found)
        pages = Cursor()
        # The public id ends every ordering: it is unique, and no integer key leaves in a cursor.
        pages.ordering = (asked["ordering"], "-public_id")  # type: ignore[assignment]
        try:
            page: list[Any] | None = pages.paginate_queryset(rows, request)
        except (exceptions.NotFound, BadValue, ValueError):
            # A position is a value of the ordered column, and a cursor is anybody's to write.
            raise serializers.ValidationError(
                {"cursor": ["This cursor is not one that this list gave."]}
            ) from None
        return pages.get_paginated_response(shape(page or []))


@cache
def page_of(output: type[serializers.BaseSerializer[Any]]) -> Any:
    """Return the schema of a page of these."""
    return inline_serializer(
        name=f"{output.__name__}Page",
        fields={
            "results": output(many=True),
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
        },
    )


def problem(error: DomainError, instance: str = "") -> dict[str, object]:
    """Return the problem document of a refusal."""
    document: dict[str, object] = {
        "type": f"https://unsprawl.dev/errors#{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if instance:
        document["instance"] = instance
    return document | {key: value for key, value in error.facts.items() if key not in document}


def problem_handler(raised: Exception, context: Mapping[str, Any]) -> Response | None:
    """Answer any expected exception of a view as a problem document (DRF's EXCEPTION_HANDLER)."""
    error = _as_domain_error(raised)
    if error is None:
        return None
    request = context.get("request")
    response = Response(
        problem(error, instance=request.path if request is not None else ""),
        status=error.status,
        content_type="application/problem+json",
    )
    response["x-unsprawl-error"] = error.code
    if error.status == 401:
        response["WWW-Authenticate"] = 'Bearer realm="unsprawl"'
    if (wait := error.facts.get("retry_after_seconds")) is not None:
        response["Retry-After"] = str(wait)
    return response


class _MethodNotAllowed(DomainError):
    status = 405
    code = "kernel.method_not_allowed"
    title = "This address does not take that method"


class _UnsupportedMediaType(DomainError):
    status = 415
    code = "kernel.unsupported_media_type"
    title = "The body's media type is not one this address reads"


class _NotAcceptable(DomainError):
    status = 406
    code = "kernel.not_acceptable"
    title = "The answer cannot be given in the form asked for"


_Translation = Callable[[Any], DomainError]
_TRANSLATIONS: tuple[tuple[type[Exception], _Translation], ...] = (
    (DomainError, lambda raised: raised),
    (
        exceptions.ValidationError,
        lambda raised: Invalid(
            "Some fields are not valid; see errors.", errors=_plain(raised.detail)
        ),
    ),
    (exceptions.ParseError, lambda raised: Malformed(str(raised.detail))),
    (exceptions.UnsupportedMediaType, lambda raised: _UnsupportedMediaType(str(raised.detail))),
    (exceptions.NotAuthenticated, lambda _: Unauthenticated()),
    (exceptions.AuthenticationFailed, lambda _: Unauthenticated()),
    (exceptions.PermissionDenied, lambda _: Denied()),
    (PermissionDenied, lambda _: Denied()),
    (exceptions.NotFound, lambda _: NotFound()),
    (Http404, lambda _: NotFound()),
    (exceptions.MethodNotAllowed, lambda raised: _MethodNotAllowed(str(raised.detail))),
    (exceptions.NotAcceptable, lambda raised: _NotAcceptable(str(raised.detail))),
    (exceptions.Throttled, lambda raised: Throttled(retry_after_seconds=int(raised.wait or 1))),
)


def _as_domain_error(raised: Exception) -> DomainError | None:
    for expected, translate in _TRANSLATIONS:
        if isinstance(raised, expected):
            return translate(raised)
    return None


def _plain(detail: Any) -> Any:
    if isinstance(detail, Mapping):
        return {str(key): _plain(value) for key, value in detail.items()}
    if isinstance(detail, Sequence) and not isinstance(detail, str):
        return [_plain(value) for value in detail]
    return str(detail)
