from __future__ import annotations

import json
from typing import Any

import pytest

from credentials.models import Secret
from effects.models import Connection, Operation
from tests.effects.acts import NATIVE, SCHEMA
from tests.factories import Cast, browser_of, make_cast

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def given(**over: Any) -> dict[str, Any]:
    return {
        "name": "crm",
        "title": "The CRM",
        "adapter": "http",
        "settings": '{"base_url": "https://crm.example.com"}',
        "credential": "static",
        "credential_settings": '{"header": "X-Api-Key"}',
    } | over


def drawn(**over: Any) -> dict[str, Any]:
    return {
        "name": "note",
        "effect": "write",
        "idempotency": "native",
        "arguments_schema": json.dumps(SCHEMA),
        "template": json.dumps(NATIVE),
        "lookup": "",
        "checks": "",
        "arguments": '{"memo": "<b>hi</b>"}',
    } | over


def test_a_system_is_connected_by_hand_from_end_to_end(cast: Cast) -> None:
    browser = browser_of(cast.pat)
    assert "No connections yet" in browser.get("/connections/").content.decode()
    assert browser.get("/connections/new/").status_code == 200
    assert browser.post("/connections/new/", given()).status_code == 302
    assert browser.post("/connections/crm/secret/", {"value": "s3cret-of-crm"}).status_code == 302
    assert Secret.objects.filter(ring="tool").count() == 1
    assert browser.get("/connections/crm/operations/new/").status_code == 200
    checked = browser.post("/connections/crm/operations/check/", drawn()).content.decode()
    assert "POST https://crm.example.com/notes" in checked
    assert "&lt;b&gt;hi&lt;/b&gt;" in checked
    assert "•••" in checked
    assert not Operation.objects.exists()
    assert browser.post("/connections/crm/operations/new/", drawn()).status_code == 302
    page = browser.get("/connections/crm/").content.decode()
    assert "crm.note" in page
    assert "s3cret" not in page
    assert "The CRM" in browser.get("/connections/").content.decode()
    assert browser.get("/connections/crm/operations/note/").status_code == 200
    assert browser.get("/connections/crm/operations/new/?from=note").status_code == 200
    for step in ("test/", "disable/", "enable/", "operations/note/retire/"):
        assert browser.post(f"/connections/crm/{step}", {"reason": "so"}).status_code == 302
    assert Operation.objects.get().retired_at is not None
    changed = given(settings='{"base_url": "https://crm2.example.com"}')
    assert browser.post("/connections/crm/", changed).status_code == 302
    assert Connection.objects.get().revision == 4


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"settings": "{"}, "not JSON"),
        ({"settings": "[]"}, "an object"),
        ({"settings": '{"base_url": "https://10.0.0.1"}'}, "network"),
        ({"name": "Two Words"}, "small letters"),
        ({"credential_settings": '{"place": "query"}'}, "logs"),
    ],
)
def test_a_form_says_what_to_change(cast: Cast, change: dict[str, Any], word: str) -> None:
    answer = browser_of(cast.pat).post("/connections/new/", given(**change))
    assert answer.status_code == 422
    assert word in answer.content.decode()
    assert not Connection.objects.exists()


def test_the_dry_run_says_what_is_wrong_while_it_is_written(cast: Cast) -> None:
    browser = browser_of(cast.pat)
    browser.post("/connections/new/", given())
    for change, word in (
        ({"template": "{"}, "not JSON"),
        ({"template": json.dumps(NATIVE | {"path": "x"})}, "template/path"),
        ({"arguments": '{"memo": 7}'}, "memo"),
        ({"arguments": "{}"}, "memo"),
    ):
        answer = browser.post("/connections/crm/operations/check/", drawn(**change))
        assert answer.status_code == 200
        assert word in answer.content.decode(), change


def test_who_sees_the_pages_and_who_changes(cast: Cast) -> None:
    browser_of(cast.pat).post("/connections/new/", given())
    for person in (cast.sam, cast.ann):
        assert browser_of(person).get("/connections/").status_code == 200
        assert browser_of(person).get("/connections/crm/").status_code == 200
        assert browser_of(person).get("/connections/new/").status_code == 403
        assert browser_of(person).post("/connections/crm/", given()).status_code == 403
        assert (
            browser_of(person).post("/connections/crm/secret/", {"value": "x"}).status_code == 403
        )
    assert browser_of(cast.alice).get("/connections/").status_code == 403
    assert browser_of(cast.ann).post("/connections/crm/disable/", {}).status_code == 403
    assert (
        browser_of(cast.sam).post("/connections/crm/disable/", {"reason": "x"}).status_code == 302
    )
