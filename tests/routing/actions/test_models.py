"""Models of a vendor: added all or none, linked to the catalogue, changed with a source."""

from __future__ import annotations

from datetime import date

import pytest

from ledger.models import Entry
from registry.actors import RoleMissing
from routing.actions.catalogue import load_shipped_catalogue
from routing.actions.models import (
    ModelDraft,
    add_found_models,
    add_models,
    change_model,
    disable_model,
    enable_model,
)
from routing.errors import (
    AlreadyDisabled,
    ModelExists,
    ModelInvalid,
    ModelNotFound,
    NotDisabled,
    NothingToChange,
    ReasonMissing,
)
from routing.models import Model
from tests.factories import Cast, actor, make_cast, make_model, make_vendor, operator

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def test_a_known_model_comes_with_its_price_and_its_end(cast):
    load_shipped_catalogue(actor=operator())
    make_vendor("openai", platform="openai")
    (model,) = add_models("openai", [ModelDraft("gpt-5-mini")], actor=actor(cast.pat))
    assert model.retires_on == date(2026, 12, 11)
    assert model.input_micros_per_mtok == 250_000
    assert model.price_source.startswith("catalogue: genai-prices")
    assert model.context_tokens == 400_000
    entry = Entry.objects.get(verb="model.added")
    assert b"gpt-5-mini" in bytes(entry.header)


def test_a_price_that_somebody_set_survives_the_catalogue(cast):
    load_shipped_catalogue(actor=operator())
    make_vendor("openai", platform="openai")
    given = ModelDraft("gpt-5-mini", input_micros_per_mtok=0, output_micros_per_mtok=0)
    (model,) = add_models("openai", [given], actor=actor(cast.pat))
    assert model.input_micros_per_mtok == 0
    assert model.price_source == f"set by {cast.pat.ref}"
    back = change_model(
        model.public_id,
        {"input_micros_per_mtok": None, "output_micros_per_mtok": None},
        actor=actor(cast.pat),
    )
    assert back.input_micros_per_mtok == 250_000
    assert back.price_source.startswith("catalogue: ")


def test_an_unknown_price_stays_unknown(cast):
    make_vendor()
    (model,) = add_models("acme-ai", [ModelDraft("acme-1")], actor=actor(cast.pat))
    assert model.input_micros_per_mtok is None


def test_several_are_added_all_or_none(cast):
    make_model(make_vendor(), "b")
    with pytest.raises(ModelExists, match="serves b already"):
        add_models("acme-ai", [ModelDraft("a"), ModelDraft("b")], actor=actor(cast.pat))
    assert Model.objects.count() == 1


@pytest.mark.parametrize(
    "drafts",
    [
        [],
        [ModelDraft("")],
        [ModelDraft("a b")],
        [ModelDraft("a\x00")],
        [ModelDraft("x" * 201)],
        [ModelDraft("a"), ModelDraft("a")],
        [ModelDraft("a", input_micros_per_mtok=-1)],
        [ModelDraft("a", context_tokens=0)],
        [ModelDraft("a", context_tokens=2**31)],
    ],
)
def test_what_no_vendor_serves_is_refused(cast, drafts):
    make_vendor()
    with pytest.raises(ModelInvalid):
        add_models("acme-ai", drafts, actor=actor(cast.pat))


@pytest.mark.parametrize("who", ["alice", "mallory", "sam", "ann"])
def test_only_the_platform_adds_and_changes_models(cast, who):
    model = make_model()
    with pytest.raises(RoleMissing):
        add_models("acme-ai", [ModelDraft("a")], actor=actor(getattr(cast, who)))
    with pytest.raises(RoleMissing):
        change_model(model.public_id, {"context_tokens": 5}, actor=actor(getattr(cast, who)))
    with pytest.raises(RoleMissing):
        enable_model(model.public_id, actor=actor(getattr(cast, who)))


def test_what_a_test_found_is_added_at_once(cast):
    vendor = make_vendor(last_test={"ok": True, "models": ["a", "b", "c"]})
    make_model(vendor, "b")
    added = add_found_models("acme-ai", actor=actor(cast.pat))
    assert [model.name for model in added] == ["a", "c"]
    with pytest.raises(NothingToChange):
        add_found_models("acme-ai", actor=actor(cast.pat))


def test_a_date_that_somebody_set_names_them_and_can_be_given_back(cast):
    model = make_model()
    changed = change_model(
        model.public_id,
        {"retires_on": date(2027, 3, 1), "replacement": "acme-2"},
        actor=actor(cast.pat),
    )
    assert changed.lifecycle_source == f"set by {cast.pat.ref}"
    back = change_model(
        model.public_id, {"retires_on": None, "replacement": None}, actor=actor(cast.pat)
    )
    assert (back.retires_on, back.replacement, back.lifecycle_source) == (None, "", "")


def test_a_change_that_cannot_be_or_changes_nothing_is_refused(cast):
    model = make_model(context_tokens=100)
    with pytest.raises(NothingToChange):
        change_model(model.public_id, {"context_tokens": 100}, actor=actor(cast.pat))
    with pytest.raises(ModelInvalid):
        change_model(
            model.public_id,
            {"retires_on": date(2027, 1, 1), "deprecated_on": date(2027, 1, 2)},
            actor=actor(cast.pat),
        )
    with pytest.raises(ModelNotFound):
        change_model("mod_none", {"context_tokens": 1}, actor=actor(cast.pat))


def test_security_stops_a_model_with_a_reason_and_the_platform_starts_it(cast):
    model = make_model()
    with pytest.raises(ReasonMissing):
        disable_model(model.public_id, actor=actor(cast.sam), reason="")
    assert disable_model(model.public_id, actor=actor(cast.sam), reason="leaks").disabled_at
    with pytest.raises(AlreadyDisabled):
        disable_model(model.public_id, actor=actor(cast.sam), reason="leaks")
    assert enable_model(model.public_id, actor=actor(cast.pat)).disabled_at is None
    with pytest.raises(NotDisabled):
        enable_model(model.public_id, actor=actor(cast.pat))
