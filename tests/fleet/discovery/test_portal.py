"""The pages and the REST addresses of discovery, as each role sees them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from fleet.discovery.actions.noting import note_sightings
from fleet.discovery.actions.readings import carry_out_readings
from fleet.discovery.models import Evidence, Finding, Reading
from fleet.discovery.queries.naming import repositories_naming
from fleet.discovery.scanning.repositories import read_report
from registry.actors import Actor
from registry.models import Agent
from tests.factories import Cast, browser_of, client_of, make_route
from tests.fleet.discovery.rows import make_assigned, make_finding, make_reading, make_source
from tests.fleet.discovery.test_logs import SQUID
from tests.fleet.discovery.test_noting import report

pytestmark = pytest.mark.django_db
API = "/api/v1/discovery"


@pytest.fixture(autouse=True)
def exports(db: None, settings: Any, tmp_path: Path) -> None:
    settings.EXPORT_DIR = tmp_path
    make_route()


def test_the_list_is_filtered_and_an_employee_sees_their_own(cast: Cast) -> None:
    make_assigned(cast.alice, "hers", risk=60)
    make_finding("nobodys", vendor="OpenAI", sources=["squid"])
    make_finding("done", state="blocked", reason="r", settled_at="2026-11-20T00:00:00Z")

    page = browser_of(cast.sam).get("/unregistered/").content.decode()
    assert "hers" in page
    assert "nobodys" in page
    assert ">done<" not in page
    page = browser_of(cast.sam).get("/unregistered/?source=squid&risk=low").content.decode()
    assert "nobodys" in page
    assert "hers" not in page
    page = browser_of(cast.alice).get("/unregistered/").content.decode()
    assert "hers" in page
    assert "nobodys" not in page
    assert (
        "Nothing waits for you" in browser_of(cast.mallory).get("/unregistered/").content.decode()
    )
    assert browser_of(cast.alice).get("/unregistered/sources/").status_code == 403


def test_a_finding_is_assigned_and_claimed_in_the_portal(cast: Cast) -> None:
    finding = make_finding("expense-bot", likely=cast.alice)
    here = f"/unregistered/{finding.public_id}/"
    assert browser_of(cast.alice).get(here).status_code == 404
    browser_of(cast.sam).post(f"{here}assign/", {"owner": "alice@acme.test"})
    page = browser_of(cast.alice).get(here).content.decode()
    assert "Register as a draft" in page
    assert "Not mine" in page
    form = {
        "name": "expense-bot", "title": "Expense bot", "description": "Sorts.",
        "owner": "alice@acme.test", "backup_owner": "nobody@acme.test", "data_class": "internal",
        "route": "sandbox",
    }  # fmt: skip
    assert browser_of(cast.alice).post(here, form).status_code == 422
    answer = browser_of(cast.alice).post(here, form | {"backup_owner": "bob@acme.test"})

    assert answer["Location"] == "/agents/expense-bot/"
    assert Agent.objects.get().owner == cast.alice
    assert Finding.objects.get().state == "claimed"


def test_settling_and_opening_again_in_the_portal(cast: Cast) -> None:
    finding = make_finding()
    here, browser = f"/unregistered/{finding.public_id}/", browser_of(cast.sam)
    browser.post(f"{here}block/", {"reason": ""})
    assert Finding.objects.get().state == "new"
    browser.post(f"{here}block/", {"reason": "Key revoked."})
    assert "Key revoked." in browser.get(here).content.decode()
    browser.post(f"{here}reopen/", {"reason": "Back."})
    browser.post(f"{here}dismiss/", {"reason": "Nothing."})
    assert Finding.objects.get().state == "dismissed"


def test_a_file_is_handed_in_and_its_reading_shown(cast: Cast) -> None:
    browser = browser_of(cast.sam)
    file = SimpleUploadedFile("access.log", SQUID)
    answer = browser.post("/unregistered/sources/", {"format": "squid", "file": file})
    reading = Reading.objects.get()
    assert answer["Location"] == f"/unregistered/readings/{reading.public_id}/"
    assert "every 2s" in browser.get(answer["Location"]).content.decode()
    carry_out_readings(actor=Actor.system("discovery"))
    page = browser.get(answer["Location"]).content.decode()
    assert "Line 5: 5 fields where 10 are expected" in page
    make_reading(source=make_source(failure="The key is not accepted."))
    page = browser.get("/unregistered/sources/").content.decode()
    assert "The key is not accepted." in page
    assert browser_of(cast.ann).post("/unregistered/sources/", {}).status_code == 403


def test_the_same_over_rest(cast: Cast) -> None:
    security, alice = client_of(cast.sam), client_of(cast.alice)
    taken = security.post(f"{API}/repositories", report(), format="json")
    assert taken.status_code == 200, taken.json()
    listed = security.get(f"{API}/findings?state=open&ordering=-risk").json()["results"]
    by_kind = {row["kind"]: row["id"] for row in listed}
    assert sorted(by_kind) == ["hard_coded_key", "repository"]
    one = by_kind["repository"]
    assert alice.get(f"{API}/findings/{one}").status_code == 404
    told = security.get(f"{API}/findings/{one}").json()
    assert told["places"][0]["model"] == "gpt-5"
    assert told["likely_owner"] == "alice@acme.test"
    assert security.post(f"{API}/findings/{one}/assign", {}, format="json").status_code == 200
    assert alice.get(f"{API}/findings/{one}").json()["state"] == "assigned"
    claimed = alice.post(
        f"{API}/findings/{one}/claim", {"backup_owner": "bob@acme.test"}, format="json"
    )
    assert claimed.json()["agent"] == "expense"
    assert security.get(f"{API}/figures").json()["answered"] == 1
    assert security.post(f"{API}/repositories", {"x": 1}, format="json").status_code == 422
    assert alice.post(f"{API}/repositories", report(), format="json").status_code == 403


def test_a_file_is_streamed_in_over_rest(cast: Cast) -> None:
    security, raw = client_of(cast.sam), SQUID * 6000  # beyond what a body may hold in memory
    answer = security.post(
        f"{API}/readings?kind=squid&name=a.log", raw, content_type="application/octet-stream"
    )
    assert answer.status_code == 202, answer.content
    assert (answer.json()["size"], answer.json()["state"]) == (len(raw), "waiting")
    here = answer["Location"]
    assert security.delete(here).json()["state"] == "cancelled"
    assert security.delete(here).status_code == 409
    assert client_of(cast.ann).get(here).status_code == 200
    assert client_of(cast.alice).get(here).status_code == 403


def test_the_scanner_is_served_with_the_digest_that_pins_it(cast: Cast) -> None:
    security = client_of(cast.sam)
    told = security.get(f"{API}/scanner").json()
    file = security.get(f"{API}/scanner/file")

    assert hashlib.sha256(file.content).hexdigest() == told["sha256"] == file["x-unsprawl-sha256"]
    assert len(told["fingerprint_key"]) == 64
    assert client_of(cast.alice).get(f"{API}/scanner").status_code == 200
    assert client_of(cast.alice, ["auditor"]).get(f"{API}/scanner").status_code == 403


def test_a_pipeline_reports_its_own_repository_with_an_employees_token(cast: Cast) -> None:
    alice, mallory = client_of(cast.alice), client_of(cast.mallory)
    mine = report(keys=[])
    assert alice.post(f"{API}/repositories", mine, format="json").status_code == 200
    clean = mine | {"models": []}
    assert mallory.post(f"{API}/repositories", clean, format="json").status_code == 403
    shouted = clean | {"repository": mine["repository"].upper()}
    assert mallory.post(f"{API}/repositories", shouted, format="json").status_code == 403
    assert len(repositories_naming(["gpt-5"])) == 1
    assert client_of(cast.sam).post(f"{API}/repositories", clean, format="json").status_code == 200
    assert repositories_naming(["gpt-5"]) == []


def test_what_an_archive_told_is_not_replaced_by_anybodys_report(cast: Cast) -> None:
    told = report(keys=[])
    note_sightings(read_report(told), source="archive", batch="ab" * 32)
    clean = told | {"models": []}
    assert (
        client_of(cast.mallory).post(f"{API}/repositories", clean, format="json").status_code == 403
    )
    assert client_of(cast.sam).post(f"{API}/repositories", clean, format="json").status_code == 200


def test_a_key_in_the_name_of_a_repository_comes_to_rest_nowhere(cast: Cast) -> None:
    key = "sk-" + "proj-" + "aB3dE5fG7hJ9kL1mN2pQ4rS6"
    given = report(repository=f"acme/{key}")
    told = client_of(cast.alice).post(f"{API}/repositories", given, format="json")
    assert told.status_code == 200
    kept = [
        *Reading.objects.values_list("title", flat=True),
        *Evidence.objects.values_list("batch"),
    ]
    assert key.lower() not in f"{told.content!r} {kept}".lower()


def test_a_source_is_connected_and_its_key_never_read_back(cast: Cast) -> None:
    platform, secret = client_of(cast.pat), "sk-" + "admin-" + "Zt4Wm9Xc2Vb6Nn1Lk8"
    given = {"name": "acme", "kind": "openai", "secret": secret}
    added = platform.post(f"{API}/sources", given, format="json")
    assert added.status_code == 201, added.content
    here = f"{API}/sources/{added.json()['id']}"
    assert secret not in added.content.decode() + platform.get(here).content.decode()
    assert platform.post(f"{here}/read").status_code == 409
    assert client_of(cast.sam).delete(here).status_code == 403
    assert platform.delete(here).status_code == 204
