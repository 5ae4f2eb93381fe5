"""The verifier over REST: the file itself, for anybody who may sign in."""

from __future__ import annotations

import pytest

from config.places import BASE_DIR
from tests.factories import client_of, make_cast

pytestmark = pytest.mark.django_db
FILE = BASE_DIR / "ledger/standalone/unsprawl_verify.py"


def test_the_verifier_is_the_file_of_the_repository():
    answer = client_of(make_cast().ann).get("/api/v1/ledger/verifier")
    assert (answer.status_code, answer.content) == (200, FILE.read_bytes())
    assert 'filename="unsprawl_verify.py"' in answer["Content-Disposition"]


def test_a_stranger_does_not_get_it(client):
    assert client.get("/api/v1/ledger/verifier").status_code in {401, 403}
