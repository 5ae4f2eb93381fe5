"""What a vendor's answer says of a model is a change of its life, once."""

from __future__ import annotations

import pytest

from kernel import clock
from registry.actors import Actor
from routing.actions.vendor_words import note_vendor_words
from routing.models import LifecycleChange, Model, VendorWord
from tests.factories import make_model

pytestmark = pytest.mark.django_db
SWEEP = Actor.system("vendor-words")


def say(model: Model, said: str, day: str = "2026-11-22") -> None:
    VendorWord.objects.create(
        model_id=model.public_id, said=said, day=day, http_status=404, intent_id=f"ent_{day}",
        said_at=clock.now(),
    )  # fmt: skip


def test_it_is_written_once_whoever_asks_and_however_often_it_is_said():
    model = make_model()
    say(model, "vendor_says_retired")
    say(model, "vendor_says_retired", "2026-11-23")
    assert note_vendor_words(actor=SWEEP) == 1
    assert note_vendor_words(actor=SWEEP) == 0
    change = LifecycleChange.objects.get()
    assert (change.kind, change.model) == ("retired", model)
    assert change.source == "vendor's answer: vendor_says_retired"
    assert change.after["entry"] == "ent_2026-11-22"


def test_a_name_that_nobody_knows_is_no_change():
    say(make_model(), "vendor_says_unknown")
    assert note_vendor_words(actor=SWEEP) == 0


@pytest.mark.parametrize("said", ["vendor_says_closed", "vendor_says_no_deployment"])
def test_a_model_that_is_closed_or_has_no_deployment_is_a_change_with_the_words(said):
    """Bedrock's legacy models for accounts that were idle, and Azure's deployments."""
    model = make_model()
    say(model, said)
    assert note_vendor_words(actor=SWEEP) == 1
    change = LifecycleChange.objects.get()
    assert (change.kind, change.source) == ("retired", f"vendor's answer: {said}")
