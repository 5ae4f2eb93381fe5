from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from kernel.api import (
    BODY_LIMIT,
    Input,
    Listing,
    ListQuery,
    ProblemRenderer,
    StrictJSONParser,
    Text,
    page_of,
    problem,
    problem_handler,
)
from kernel.canonical import BodyTooLarge, NotJSON
from kernel.errors import Conflict, Throttled, Unauthenticated
from registry.models import Team

REQUEST = APIRequestFactory().get("/api/v1/things")


def answer(raised: Exception) -> tuple[int, dict[str, Any], Any]:
    response = problem_handler(raised, {"request": REQUEST})
    assert response is not None
    assert isinstance(response.data, dict)
    assert response.content_type == "application/problem+json"
    return response.status_code, response.data, response


@pytest.mark.parametrize(
    ("raised", "status", "code"),
    [
        (Conflict(), 409, "kernel.conflict"),
        (exceptions.ValidationError({"name": ["Taken."]}), 422, "kernel.invalid"),
        (exceptions.ParseError(), 400, "kernel.malformed"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "kernel.unsupported_media_type"),
        (exceptions.NotAuthenticated(), 401, "kernel.unauthenticated"),
        (exceptions.AuthenticationFailed(), 401, "kernel.unauthenticated"),
        (exceptions.PermissionDenied(), 403, "kernel.denied"),
        (PermissionDenied(), 403, "kernel.denied"),
        (exceptions.NotFound(), 404, "kernel.not_found"),
        (Http404(), 404, "kernel.not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "kernel.method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "kernel.not_acceptable"),
        (exceptions.Throttled(wait=7), 429, "kernel.throttled"),
    ],
)
def test_every_refusal_is_a_problem_document(raised: Exception, status: int, code: str) -> None:
    got, document, response = answer(raised)
    assert (got, document["status"], document["code"]) == (status, status, code)
    assert document["type"] == f"https://unsprawl.dev/errors#{code}"
    assert document["instance"] == "/api/v1/things"
    assert {"title", "detail"} <= document.keys()
    assert response["x-unsprawl-error"] == code


def test_what_is_no_refusal_is_not_dressed_up_as_one() -> None:
    assert problem_handler(RuntimeError("secret"), {}) is None


def test_facts_are_shown_and_cannot_replace_the_frame() -> None:
    document = problem(Conflict("Taken.", name="x", status=200, code="y"))
    assert (document["name"], document["status"], document["code"]) == ("x", 409, "kernel.conflict")
    assert "instance" not in document


def test_nested_errors_become_plain_values() -> None:
    raised = exceptions.ValidationError({"targets": [{"vendor": ["Unknown."]}, {}]})
    _, document, _ = answer(raised)
    assert json.loads(json.dumps(document["errors"])) == {"targets": [{"vendor": ["Unknown."]}, {}]}


def test_a_client_is_told_how_to_come_back() -> None:
    assert answer(Unauthenticated())[2]["WWW-Authenticate"] == 'Bearer realm="unsprawl"'
    assert answer(Throttled(retry_after_seconds=3))[2]["Retry-After"] == "3"
    assert answer(exceptions.Throttled())[2]["Retry-After"] == "1"


def test_a_problem_has_its_own_media_type() -> None:
    assert ProblemRenderer.media_type == "application/problem+json"


def test_a_body_is_read_strictly_and_not_beyond_its_cap() -> None:
    parser = StrictJSONParser()
    assert parser.parse(BytesIO(b"")) == {}
    assert parser.parse(BytesIO(b'{"a": 1}')) == {"a": 1}
    with pytest.raises(NotJSON):
        parser.parse(BytesIO(b'{"a": 1, "a": 2}'))
    with pytest.raises(BodyTooLarge):
        parser.parse(BytesIO(b" " * (BODY_LIMIT + 1)))


class Named(Input):
    name = Text()


@pytest.mark.parametrize(
    ("body", "named"),
    [({"name": "x", "nme": 1, "b": 2}, {"b", "nme"}), ({"name": 5}, {"name"}), ({}, {"name"}),
     ({"name": True}, {"name"}), ([], {"non_field_errors"}), ("x", {"non_field_errors"})],
)  # fmt: skip
def test_a_wrong_body_names_its_fields(body: Any, named: set[str]) -> None:
    read = Named(data=body)
    assert not read.is_valid()
    assert read.errors.keys() == named


def test_an_unknown_field_is_told_what_is_known() -> None:
    read = Named(data={"nme": "x"})
    assert not read.is_valid()
    assert str(read.errors["nme"][0]) == "Unknown field. Known fields are: name."
    assert Named(data={"name": "x"}).is_valid()


TEAMS = Listing(ListQuery, search=("name",), ordering=("name", "created_at"))


def ask(query: str) -> Any:
    request = Request(APIRequestFactory().get(f"/api/v1/teams?{query}"))
    return TEAMS.answer(
        request, Team.objects.all(), lambda rows: [row.name for row in rows], TEAMS.read(request)
    ).data


@pytest.fixture
def teams(db: None) -> None:
    from tests.factories import make_team

    for name in ("alpha", "beta", "gamma", "delta"):
        make_team(name=name)


def test_a_list_is_searched_ordered_and_cut(teams: None) -> None:
    assert ask("")["results"] == ["gamma", "delta", "beta", "alpha"]
    assert ask("ordering=name&search=ta")["results"] == ["beta", "delta"]
    assert ask("search=ta+be")["results"] == ["beta"]
    first = ask("ordering=name&page_size=3")
    assert first["results"] == ["alpha", "beta", "delta"]
    assert first["previous"] is None
    rest = ask(first["next"].split("?", 1)[1])
    assert rest["results"] == ["gamma"]
    assert rest["next"] is None


@pytest.mark.parametrize(
    ("query", "named"),
    [("ordering=id", "ordering"), ("page_size=0", "page_size"), ("page_size=201", "page_size"),
     ("colour=red", "colour"), ("cursor=x", "cursor"), ("cursor=cD1ub3R0aW1l", "cursor"),
     ("search=" + "a" * 201, "search")],
)  # fmt: skip
def test_a_wrong_query_names_its_parameter(teams: None, query: str, named: str) -> None:
    with pytest.raises(serializers.ValidationError) as refused:
        ask(query + ("&ordering=created_at" if "cD1" in query else ""))
    assert isinstance(refused.value.detail, dict)
    assert refused.value.detail.keys() == {named}


def test_the_schema_of_a_page_is_made_once() -> None:
    assert page_of(Named) is page_of(Named)
    assert page_of(Named).fields.keys() == {"results", "next", "previous"}
