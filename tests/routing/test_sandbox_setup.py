from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from config.places import Places
from credentials.broker import COLUMNS, SealedRow, SecretOpener
from credentials.models import Secret
from ledger.models import Entry
from registry.actors import Actor
from routing.actions.models import change_model
from routing.actions.routes import disable_route
from routing.models import Model, Route, Vendor
from routing.sandbox.secret import digest_of, read_note
from routing.sandbox.setup import PRICE_SOURCE, ensure_sandbox

pytestmark = pytest.mark.django_db
PREPARE = Actor.system("prepare")
URL = "http://127.0.0.1:8200"


def ensure(note: Path, url: str = URL) -> list[str]:
    return ensure_sandbox(url=url, note=note, actor=PREPARE)


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.json"


def test_the_first_start_makes_vendor_model_route_and_secret(note: Path) -> None:
    assert ensure(note) == ["vendor", "model", "route", "secret"]
    vendor = Vendor.objects.get(name="sandbox")
    assert vendor.base_url == f"{URL}/v1"
    assert vendor.auth_scheme == "bearer"
    assert set(vendor.data_classes) >= {"public", "internal", "personal", "regulated"}
    model = Model.objects.get(vendor=vendor)
    assert (model.name, model.price_source) == ("sandbox-1", PRICE_SOURCE)
    assert [target.model_id for target in Route.objects.get(name="sandbox").targets.all()] == [
        model.pk
    ]
    recorded = set(Entry.objects.values_list("verb", flat=True))
    assert {"vendor.connected", "model.added", "route.set", "secret.sealed"} <= recorded
    assert set(Entry.objects.values_list("actor", flat=True)) == {"system:prepare"}


def test_every_further_start_changes_and_records_nothing(note: Path) -> None:
    ensure(note)
    before = Entry.objects.count()
    kept = note.read_bytes()
    assert ensure(note) == []
    assert Entry.objects.count() == before
    assert note.read_bytes() == kept


def test_the_note_knows_the_secret_by_digest_only_and_the_gateway_opens_it(note: Path) -> None:
    ensure(note)
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    row = SealedRow(*Secret.objects.values_list(*COLUMNS).get())
    opened = SecretOpener(Places.from_environ().keys, "vendor").open(row).reveal()
    assert read_note(note).sha256 == digest_of(opened)
    assert opened not in note.read_text()


def test_another_port_moves_the_address_and_makes_another_secret(note: Path) -> None:
    ensure(note)
    before = read_note(note)
    assert ensure(note, "http://127.0.0.1:8333") == ["address", "secret"]
    assert Vendor.objects.get().base_url == "http://127.0.0.1:8333/v1"
    assert read_note(note).sha256 != before.sha256
    assert Secret.objects.filter(retired_at__isnull=True).count() == 1


@pytest.mark.parametrize("lost", ["note", "row"])
def test_a_secret_without_its_other_half_is_made_anew(note: Path, lost: str) -> None:
    ensure(note)
    if lost == "note":
        note.unlink()
    else:
        note.write_text(json.dumps({"secret_id": "sec_of_another_database", "sha256": "00"}))
    assert ensure(note) == ["secret"]
    current = Secret.objects.get(retired_at__isnull=True)
    assert read_note(note).secret_id == current.public_id


def test_what_an_administrator_changed_stays(note: Path) -> None:
    ensure(note)
    model = Model.objects.get()
    change_model(model.public_id, {"input_micros_per_mtok": 5}, actor=PREPARE)
    disable_route("sandbox", actor=PREPARE, reason="no first calls here")
    assert ensure(note) == []
    assert Model.objects.get().input_micros_per_mtok == 5
    assert Route.objects.get().disabled_at is not None
    assert Secret.objects.count() == 1
