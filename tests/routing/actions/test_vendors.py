"""Connecting vendors: who may, what is stored, and that a secret stays with its address."""

from __future__ import annotations

from typing import Any

import pytest

from credentials.models import Secret
from kernel.errors import DomainError
from ledger.models import Entry
from registry.actors import RoleMissing
from routing.actions.vendors import (
    VendorDraft,
    change_vendor,
    connect_vendor,
    disable_vendor,
    enable_vendor,
    set_vendor_secret,
)
from routing.errors import (
    AddressUnusable,
    AlreadyDisabled,
    NotDisabled,
    NothingToChange,
    ReasonMissing,
    VendorExists,
    VendorInvalid,
    VendorNotFound,
)
from routing.models import Vendor
from routing.queries.vendors import vendor_for
from tests.factories import Cast, actor, make_cast, make_model, make_vendor

pytestmark = pytest.mark.django_db
SECRET = "sk-test-0123456789-not-a-real-one"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def draft(**over: Any) -> VendorDraft:
    given: dict[str, Any] = {
        "name": "acme-ai",
        "dialect": "openai",
        "base_url": "https://llm.acme.example",
    }
    return VendorDraft(**given | over)


def verbs() -> list[str]:
    return list(Entry.objects.order_by("id").values_list("verb", flat=True))


def test_a_platform_admin_connects_a_vendor_and_learns_what_was_added(cast):
    result = connect_vendor(draft(), actor=actor(cast.pat))
    assert result.vendor.base_url == "https://llm.acme.example/v1"
    assert result.notes == ["/v1 was added: that is where this interface usually is."]
    assert result.vendor.data_classes == ["public", "internal"]
    assert verbs() == ["vendor.connected"]


def test_the_platform_and_the_scheme_are_guessed_and_can_be_said(cast):
    guessed = connect_vendor(
        draft(base_url="https://api.anthropic.com", dialect="anthropic"), actor=actor(cast.pat)
    ).vendor
    assert (guessed.platform, guessed.auth_scheme) == ("anthropic", "x-api-key")
    said = connect_vendor(
        draft(name="proxy", platform="azure-foundry", auth_scheme="none"), actor=actor(cast.pat)
    ).vendor
    assert (said.platform, said.auth_scheme) == ("azure", "none")


def test_a_loopback_address_is_taken_from_the_platform_and_pointed_out(cast):
    result = connect_vendor(draft(base_url="http://127.0.0.1:11434/v1"), actor=actor(cast.pat))
    assert "The address is on this machine or in a private network." in result.notes


@pytest.mark.parametrize("who", ["alice", "mallory", "sam", "ann"])
def test_nobody_else_connects_changes_or_keys_a_vendor(cast, who):
    other = actor(getattr(cast, who))
    make_vendor("there")
    with pytest.raises(RoleMissing):
        connect_vendor(draft(), actor=other)
    with pytest.raises(RoleMissing):
        change_vendor("there", {"title": "x"}, actor=other)
    with pytest.raises(RoleMissing):
        set_vendor_secret("there", SECRET, actor=other)
    with pytest.raises(RoleMissing):
        enable_vendor("there", actor=other)
    assert verbs() == []


def test_a_name_is_taken_once(cast):
    connect_vendor(draft(), actor=actor(cast.pat))
    with pytest.raises(VendorExists):
        connect_vendor(draft(), actor=actor(cast.pat))
    assert verbs() == ["vendor.connected"]


@pytest.mark.parametrize(
    ("over", "refusal"),
    [
        ({"name": "Acme AI"}, VendorInvalid),
        ({"name": ""}, VendorInvalid),
        ({"dialect": "grpc"}, VendorInvalid),
        ({"base_url": "https://u:p@llm.example"}, AddressUnusable),
        ({"regions": ["eu west"]}, VendorInvalid),
        ({"data_classes": ["secret"]}, VendorInvalid),
        ({"auth_scheme": "digest"}, VendorInvalid),
        ({"title": "x" * 201}, VendorInvalid),
    ],
)
def test_a_description_that_does_not_hold_is_refused(cast, over, refusal):
    with pytest.raises(refusal):
        connect_vendor(draft(**over), actor=actor(cast.pat))
    assert Vendor.objects.count() == 0


def test_a_secret_is_sealed_and_appears_nowhere(cast):
    connect_vendor(draft(), actor=actor(cast.pat))
    set_vendor_secret("acme-ai", f"  {SECRET}\n", actor=actor(cast.pat))
    vendor: Any = vendor_for(actor(cast.pat), "acme-ai")
    assert vendor.secret_version == 1
    assert vendor.secret_hint == SECRET[-4:]
    secret = Secret.objects.get()
    assert SECRET.encode() not in bytes(secret.ciphertext) + bytes(secret.wrapped_key)
    assert all(SECRET.encode() not in bytes(entry.header) for entry in Entry.objects.all())


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "clé-secrète", "x" * 20000])
def test_a_secret_that_no_header_carries_is_refused_without_repeating_it(cast, value):
    make_vendor()
    with pytest.raises(DomainError) as refused:
        set_vendor_secret("acme-ai", value, actor=actor(cast.pat))
    assert refused.value.status == 422
    assert not value.strip() or value not in str(refused.value)
    assert Secret.objects.count() == 0


def test_a_new_address_retires_the_secret_that_was_given_for_the_old(cast):
    connect_vendor(draft(), actor=actor(cast.pat))
    set_vendor_secret("acme-ai", SECRET, actor=actor(cast.pat))
    result = change_vendor(
        "acme-ai", {"base_url": "https://elsewhere.example/v1"}, actor=actor(cast.pat)
    )
    assert result.notes == ["The address changed, so its secret was retired: enter it again."]
    assert Secret.objects.filter(retired_at__isnull=True).count() == 0
    assert verbs()[-2:] == ["secret.retired", "vendor.changed"]


def test_what_was_found_at_the_old_address_is_forgotten_with_it(cast):
    make_vendor(last_test={"ok": True, "models": ["m"]}, last_tested_at=cast.pat.created_at)
    moved = change_vendor("acme-ai", {"base_url": "https://new.example/v1"}, actor=actor(cast.pat))
    assert (moved.vendor.last_test, moved.vendor.last_tested_at) == (None, None)


def test_a_change_elsewhere_keeps_the_secret(cast):
    connect_vendor(draft(), actor=actor(cast.pat))
    set_vendor_secret("acme-ai", SECRET, actor=actor(cast.pat))
    changes = {"title": "Acme", "base_url": "https://LLM.acme.example/v1/", "regions": ["eu"]}
    change_vendor("acme-ai", changes, actor=actor(cast.pat))
    assert Secret.objects.filter(retired_at__isnull=True).count() == 1


def test_a_guessed_platform_follows_the_address_and_a_chosen_one_stays(cast):
    connect_vendor(draft(base_url="https://api.openai.com"), actor=actor(cast.pat))
    moved = change_vendor(
        "acme-ai", {"base_url": "https://api.mistral.ai/v1"}, actor=actor(cast.pat)
    )
    assert moved.vendor.platform == "mistral"
    change_vendor("acme-ai", {"platform": "vertex"}, actor=actor(cast.pat))
    moved = change_vendor("acme-ai", {"base_url": "https://api.x.ai/v1"}, actor=actor(cast.pat))
    assert moved.vendor.platform == "vertex"


def test_what_a_vendor_takes_is_guessed_follows_the_address_and_can_be_said(cast):
    pat = actor(cast.pat)
    vendor = connect_vendor(draft(base_url="https://api.mistral.ai/v1"), actor=pat).vendor
    assert vendor.profile == "mistral"
    moved = change_vendor("acme-ai", {"base_url": "https://api.groq.com"}, actor=pat).vendor
    assert moved.profile == "groq"
    assert change_vendor("acme-ai", {"profile": ""}, actor=pat).vendor.profile == ""
    assert change_vendor("acme-ai", {"profile": "vllm"}, actor=pat).vendor.profile == "vllm"
    kept = change_vendor("acme-ai", {"base_url": "https://api.mistral.ai/v1"}, actor=pat).vendor
    assert kept.profile == "vllm"
    for unknown in ("anthropic", "nobody", 7):
        with pytest.raises(VendorInvalid) as refused:
            change_vendor("acme-ai", {"profile": unknown}, actor=pat)
        assert refused.value.facts["field"] == "profile"


def test_a_change_that_changes_nothing_or_too_much_is_refused(cast):
    make_vendor(title="Acme")
    with pytest.raises(NothingToChange):
        change_vendor("acme-ai", {"title": "Acme"}, actor=actor(cast.pat))
    with pytest.raises(VendorInvalid):
        change_vendor("acme-ai", {"dialect": "anthropic"}, actor=actor(cast.pat))
    assert verbs() == []


def test_widening_the_data_classes_is_pointed_out(cast):
    make_vendor()
    result = change_vendor(
        "acme-ai", {"data_classes": ["personal", "public"]}, actor=actor(cast.pat)
    )
    assert result.vendor.data_classes == ["public", "personal"]
    assert result.notes == ["Data of class personal may go to this vendor."]


def test_security_may_stop_a_vendor_and_only_the_platform_starts_it_again(cast):
    make_vendor()
    stopped = disable_vendor("acme-ai", actor=actor(cast.sam), reason="leak at the vendor")
    assert stopped.disabled_reason == "leak at the vendor"
    with pytest.raises(AlreadyDisabled):
        disable_vendor("acme-ai", actor=actor(cast.pat), reason="again")
    with pytest.raises(RoleMissing):
        enable_vendor("acme-ai", actor=actor(cast.sam))
    assert enable_vendor("acme-ai", actor=actor(cast.pat)).disabled_at is None
    with pytest.raises(NotDisabled):
        enable_vendor("acme-ai", actor=actor(cast.pat))
    assert verbs() == ["vendor.disabled", "vendor.enabled"]


def test_stopping_a_vendor_needs_a_reason(cast):
    make_vendor()
    with pytest.raises(ReasonMissing):
        disable_vendor("acme-ai", actor=actor(cast.sam), reason="  ")


def test_an_unknown_vendor_is_answered_with_those_there_are(cast):
    make_vendor("one")
    make_vendor("two")
    with pytest.raises(VendorNotFound, match="There are: one, two"):
        vendor_for(actor(cast.alice), "three\x00")


def test_a_new_platform_brings_the_dates_of_its_models(cast):
    from routing.actions.catalogue import load_shipped_catalogue
    from tests.factories import operator

    load_shipped_catalogue(actor=operator())
    model = make_model(make_vendor(platform=""), "gpt-5")
    change_vendor("acme-ai", {"platform": "openai"}, actor=actor(cast.pat))
    model.refresh_from_db()
    assert model.retires_on is not None
    assert "model.changed" in verbs()
