from __future__ import annotations

from typing import Any

import pytest

from credentials.models import Secret
from effects.actions.trying import try_connections
from effects.models import Connection, Operation
from ledger.models import Entry
from tests.effects.acts import EXECUTOR, LOOKUP, NATIVE, SCHEMA, TEMPLATE
from tests.effects.sinks import HttpSink
from tests.factories import Cast, client_of, make_cast

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/api/v1/connections"
HIDDEN = "s3cret-of-the-crm-0123456789"


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def crm(**over: Any) -> dict[str, Any]:
    return {
        "name": "crm",
        "adapter": "http",
        "settings": {"base_url": "https://crm.example.com/api"},
        "credential": "static",
        "credential_settings": {"header": "X-Api-Key"},
        "secret": HIDDEN,
    } | over


def note(**over: Any) -> dict[str, Any]:
    return {
        "name": "note",
        "effect": "write",
        "idempotency": "native",
        "arguments_schema": SCHEMA,
        "template": NATIVE,
    } | over


def test_a_connection_is_added_and_its_secret_is_never_read_back(cast: Cast) -> None:
    client = client_of(cast.pat)
    added = client.post(PATH, crm())
    assert added.status_code == 201, added.json()
    shown = added.json()
    assert shown["secret"]["version"] == 1
    assert shown["revision"] == 1
    for path in (PATH, f"{PATH}/crm", f"{PATH}/{shown['id']}"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert HIDDEN not in answer.content.decode()
    assert client.put(f"{PATH}/crm/secret", {"value": "another-" + HIDDEN}).status_code == 204
    assert Secret.objects.filter(ring="tool", holder=f"connection:{shown['id']}").count() == 2
    headers = [bytes(entry.header).decode() for entry in Entry.objects.all()]
    assert not any(HIDDEN in header for header in headers)


def test_who_may_see_and_who_may_change(cast: Cast) -> None:
    assert client_of(cast.pat).post(PATH, crm()).status_code == 201
    calls = [
        ("post", PATH, crm(name="other")),
        ("patch", f"{PATH}/crm", {"title": "x"}),
        ("put", f"{PATH}/crm/secret", {"value": "x"}),
        ("post", f"{PATH}/crm/enable", {}),
        ("post", f"{PATH}/crm/operations", note()),
    ]
    for person in (cast.sam, cast.ann, cast.alice):
        for method, path, body in calls:
            assert getattr(client_of(person), method)(path, body).status_code == 403, (path, person)
    assert client_of(cast.alice).get(PATH).status_code == 403
    assert client_of(cast.sam).get(PATH).status_code == 200
    assert client_of(cast.ann).get(f"{PATH}/crm").status_code == 200
    stopped = client_of(cast.sam).post(f"{PATH}/crm/disable", {"reason": "strange calls"})
    assert stopped.json()["disabled_at"] is not None
    assert stopped.json()["revision"] == 2


BAD: list[tuple[dict[str, Any], str]] = [
    ({"name": "Two Words"}, "name"),
    ({"adapter": "carrier-pigeon"}, "adapter"),
    ({"settings": {"base_url": "http://crm.example.com"}}, "settings/base_url"),
    ({"settings": {"base_url": "https://10.0.0.1"}}, "settings/base_url"),
    ({"settings": {"base_url": "https://crm.example.com", "token": "x"}}, "settings/token"),
    ({"credential_settings": {"place": "query"}}, "place"),
    ({"credential_settings": {"place": "password", "user": "x"}}, "credential"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "member"), BAD)
def test_what_cannot_be_a_connection_is_refused_by_member(
    cast: Cast, change: dict[str, Any], member: str
) -> None:
    answer = client_of(cast.pat).post(PATH, crm(**change))
    assert answer.status_code == 422, answer.json()
    assert member in answer.content.decode()
    assert not Connection.objects.exists()


def test_an_operation_gets_a_further_version_and_the_one_before_is_retired(cast: Cast) -> None:
    client = client_of(cast.pat)
    client.post(PATH, crm())
    first = client.post(f"{PATH}/crm/operations", note())
    assert first.status_code == 201, first.json()
    assert (first.json()["target"], first.json()["version"]) == ("crm.note", 1)
    changed = note(template=NATIVE | {"path": "/v2/notes"})
    second = client.post(f"{PATH}/crm/operations", changed).json()
    assert second["version"] == 2
    assert second["digest"] != first.json()["digest"]
    assert Operation.objects.get(version=1).retired_at is not None
    assert client.delete(f"{PATH}/crm/operations/note").status_code == 204
    assert client.get(f"{PATH}/crm/operations").json()["results"] == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"template": TEMPLATE}, "idempotency"),
    ({"idempotency": "lookup"}, "lookup"),
    ({"lookup": LOOKUP}, "lookup"),
    ({"template": NATIVE | {"path": "/{stranger}"}}, "stranger"),
    ({"template": NATIVE | {"json": {"a": {"$argument": "/stranger"}}}}, "stranger"),
    ({"arguments_schema": {"type": "array"}}, "arguments_schema"),
    ({"arguments_schema": {"type": 7}}, "arguments_schema"),
    ({"checks": [{"name": "x"}]}, "checks"),
    ({"effect": "sorcery"}, "effect"),
]


@pytest.mark.parametrize(("change", "word"), WRONG)
def test_what_cannot_be_an_operation_is_refused_by_member(
    cast: Cast, change: dict[str, Any], word: str
) -> None:
    client = client_of(cast.pat)
    client.post(PATH, crm())
    answer = client.post(f"{PATH}/crm/operations", note(**change))
    assert answer.status_code in {400, 422}, answer.json()
    assert word in answer.content.decode()


def test_a_dry_run_shows_the_bytes_with_the_secret_as_a_gap_and_sends_nothing(
    cast: Cast, sink: HttpSink
) -> None:
    client = client_of(cast.pat)
    client.post(PATH, crm(settings={"base_url": sink.url}, allow_private=True))
    asked = {"operation": note(), "arguments": {"memo": "<b>hi</b>", "amount": 3}}
    shown = client.post(f"{PATH}/crm/dry-run", asked)
    assert shown.status_code == 200, shown.json()
    parts = {part["name"]: part["text"] for part in shown.json()["parts"]}
    assert parts["request"] == f"POST {sink.url}/notes"
    assert parts["body"] == '{"amount":3,"memo":"<b>hi</b>"}'
    assert parts["header X-Api-Key"] == "•••"
    assert HIDDEN not in shown.content.decode()
    assert sink.asked == []
    assert not Operation.objects.exists()
    bad = client.post(f"{PATH}/crm/dry-run", asked | {"arguments": {"memo": 7}})
    assert bad.status_code == 422
    assert client_of(cast.alice).post(f"{PATH}/crm/dry-run", asked).status_code == 403


@pytest.mark.parametrize(
    "moved",
    [
        {"settings": {"base_url": "https://evil.example.com/api"}},
        {"settings": {"base_url": "https://crm.example.com:8443/api"}},
        {
            "credential": "oauth_client",
            "credential_settings": {"token_url": "https://evil.example.com/t", "client_id": "us"},
        },
    ],
)
def test_a_secret_is_for_the_address_it_was_given_for(cast: Cast, moved: dict[str, Any]) -> None:
    client = client_of(cast.pat)
    connection = client.post(PATH, crm()).json()
    slower = {"settings": connection["settings"] | {"timeout_seconds": 9}}
    assert client.patch(f"{PATH}/crm", slower).json()["secret"]["version"] == 1
    changed = client.patch(f"{PATH}/crm", moved)
    assert changed.status_code == 200, changed.json()
    assert changed.json()["secret"] is None
    assert not Secret.objects.filter(retired_at__isnull=True).exists()
    assert Entry.objects.filter(verb="secret.retired").count() == 1


def test_the_worker_tries_a_connection_with_its_secret(cast: Cast, sink: HttpSink) -> None:
    client = client_of(cast.pat)
    client.post(PATH, crm(settings={"base_url": sink.url}, allow_private=True))
    assert client.post(f"{PATH}/crm/test").status_code == 202
    assert try_connections(actor=EXECUTOR) == 1
    assert client.get(f"{PATH}/crm").json()["test_result"] == "ok"
    assert sink.asked[0].headers["x-api-key"] == HIDDEN
    assert try_connections(actor=EXECUTOR) == 0
    sink.answer = lambda asked: (401, {})
    client.post(f"{PATH}/crm/test")
    try_connections(actor=EXECUTOR)
    assert client.get(f"{PATH}/crm").json()["test_result"] == "http:401"
