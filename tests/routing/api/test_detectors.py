"""Trying detectors over REST: what they would find, and nothing kept of it."""

from __future__ import annotations

import pytest

from ledger.models import Entry
from tests.factories import client_of, make_cast, make_model, make_vendor

pytestmark = pytest.mark.django_db
TEXT = "Zahlt é mit 4111 1111 1111 1111, a@b.io"


@pytest.fixture
def pat():
    return client_of(make_cast().pat)


def test_a_text_is_tried_and_nothing_is_recorded(pat):
    before = Entry.objects.count()
    got = pat.post("/api/v1/detectors/check", {"text": TEXT})
    assert got.status_code == 200
    assert got.json() == {
        "outcome": "redact",
        "counts": {"card": 1, "email": 1},
        "found": [
            {"kind": "card", "action": "redact", "start": 12, "end": 31},
            {"kind": "email", "action": "redact", "start": 33, "end": 39},
        ],
        "text": "Zahlt é mit [redacted: card], [redacted: email]",
    }
    assert Entry.objects.count() == before


def test_it_is_tried_as_a_route_would(pat):
    said = {"text": TEXT, "actions": {"card": "block", "email": "allow"}}
    got = pat.post("/api/v1/detectors/check", said).json()
    assert (got["outcome"], got["text"], got["counts"]) == ("block", "", {"card": 1, "email": 1})


@pytest.mark.parametrize(
    "said", [{}, {"text": 1.5, "actions": []}, {"text": "", "actions": {"gait": "redact"}},
             {"text": "", "actions": {"card": "hide"}}, {"text": "x" * 100_001}],
)  # fmt: skip
def test_what_cannot_be_tried_is_refused(pat, said):
    assert pat.post("/api/v1/detectors/check", said).status_code in {400, 422}


def test_only_who_is_known_may_try():
    from rest_framework.test import APIClient

    assert APIClient().post("/api/v1/detectors/check", {"text": ""}).status_code == 401


def test_a_route_says_over_rest_what_it_looks_for(pat):
    model = make_model(make_vendor())
    said = {"targets": [{"vendor": model.vendor.name, "model": model.name}]}
    wanted = {"request": {"card": "redact", "secret": "block"}, "response": {"card": "allow"}}
    body = said | {"options": {"detectors": wanted}}
    assert pat.put("/api/v1/routes/pay", body, format="json").status_code == 201
    assert pat.get("/api/v1/routes/pay").json()["options"] == {"detectors": wanted}
    wrongs: list[object] = [
        "card", {"requests": {}}, {"request": ["card"]}, {"request": {"card": "hide"}},
        {"request": {"Gait!": "redact"}},
    ]  # fmt: skip
    for wrong in wrongs:
        got = pat.put("/api/v1/routes/pay", said | {"options": {"detectors": wrong}})
        assert got.status_code in {400, 422}
        assert "detectors" in got.content.decode()
