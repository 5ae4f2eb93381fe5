"""Vendors' own lists: the shapes that they send, and whatever else may come instead."""

from __future__ import annotations

import contextlib
import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from routing.catalogue.readers.anthropic import read_anthropic
from routing.catalogue.readers.azure import read_azure
from routing.catalogue.readers.bedrock import read_bedrock
from routing.catalogue.readers.mistral import read_mistral
from routing.catalogue.readers.openai import read_openai
from routing.errors import CatalogueUnreadable

READERS = {
    "data": (read_openai, read_anthropic, read_mistral),
    "modelSummaries": (lambda raw: read_bedrock(raw, as_of="2026-11-22"),),
    "value": (lambda raw: read_azure(raw, as_of="2026-11-22"),),
}
_KEYS = st.sampled_from(
    ["id", "name", "model", "modelId", "shutdown_date", "lifecycle", "deprecated_at", "retires_at",
     "deprecation", "deprecation_replacement_model", "modelLifecycle", "status", "endOfLifeTime",
     "legacyTime", "publicExtendedAccessTime", "lifecycleStatus", "inference", "version",
     "has_more", "last_id", "data", "value", "modelSummaries"]
)  # fmt: skip
_PLAIN = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(
        [
            "2026-12-11",
            "2026-13-40",
            "2026-11-30T00:00:00Z",
            "9999-12-31",
            "0001-01-01T00:00:00+14:00",
            "active",
        ]
    )
)
ANYTHING = st.recursive(
    _PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=25,
)


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_openai_names_a_day_of_shutdown_or_nothing():
    page = read_openai(
        dumped(
            {
                "object": "list",
                "data": [
                    {"id": "gpt-5", "object": "model", "created": 1, "owned_by": "openai",
                     "shutdown_date": "2026-12-11"},
                    {"id": "gpt-6", "object": "model", "created": 1, "owned_by": "openai",
                     "shutdown_date": None},
                    {"object": "model"},
                ],
            }
        )
    )  # fmt: skip
    first, second = page.models
    assert (first.retires_on, first.date_precision) == (date(2026, 12, 11), "exact")
    assert (first.speaks, second.speaks) == (True, False)
    assert (page.after, page.unread) == ("", 1)


def test_anthropics_lifecycle_is_the_signal_and_its_list_has_pages():
    entries = [
        {"id": "claude-sonnet-4-5-20250929", "type": "model", "lifecycle": "deprecated",
         "deprecated_at": "2026-09-01T00:00:00Z", "retires_at": "2026-11-30T00:00:00Z"},
        {"id": "claude-opus-5", "type": "model", "lifecycle": "active", "deprecated_at": None,
         "retires_at": "2027-08-01T00:00:00Z"},
        {"id": "claude-3-opus", "type": "model", "lifecycle": "retired",
         "retires_at": "2026-01-05T00:00:00Z"},
    ]  # fmt: skip
    page = read_anthropic(
        dumped({"data": entries, "has_more": True, "first_id": "x", "last_id": "claude-3-opus"})
    )
    sonnet, opus, gone = page.models
    assert (sonnet.status, sonnet.retires_on) == ("deprecated", date(2026, 11, 30))
    assert sonnet.deprecated_on == date(2026, 9, 1)
    assert opus.date_precision == "not_sooner_than"
    assert (gone.status, page.after) == ("retired", "claude-3-opus")


def test_mistral_names_a_replacement():
    entry = {"id": "mistral-small-2409", "deprecation": "2026-11-30T12:00:00Z",
             "deprecation_replacement_model": "mistral-small-latest"}  # fmt: skip
    (model,) = read_mistral(dumped({"object": "list", "data": [entry]})).models
    assert (model.retires_on, model.date_precision) == (date(2026, 11, 30), "earliest")
    assert model.replacement == "mistral-small-latest"


def test_bedrocks_legacy_says_who_is_refused_already():
    life = {"status": "LEGACY", "startOfLifeTime": "2025-01-01T00:00:00Z",
            "legacyTime": "2026-07-08T00:00:00Z",
            "publicExtendedAccessTime": "2026-10-08T00:00:00Z",
            "endOfLifeTime": "2027-01-08T00:00:00Z"}  # fmt: skip
    entry = {"modelId": "anthropic.claude-opus-4-1-v1:0", "modelLifecycle": life}
    (fact,) = read_bedrock(
        dumped({"modelSummaries": [entry]}), as_of="2026-11-22", region="eu-west-1"
    )
    assert (fact.status, fact.retires_on) == ("legacy", date(2027, 1, 8))
    assert fact.deprecated_on == date(2026, 7, 8)
    assert "404" in fact.note
    assert "extended access from 2026-10-08" in fact.note
    assert fact.obtained_via == "ListFoundationModels, saved in eu-west-1"


def test_azures_versions_have_their_own_clocks_and_are_listed_once():
    def entry(version: str, inference: str, **over: Any) -> dict[str, Any]:
        dates = {"inference": inference, "fineTune": "2026-12-31T00:00:00Z"} | over
        model = {"format": "OpenAI", "name": "gpt-4o", "version": version, "deprecation": dates,
                 "lifecycleStatus": "GenerallyAvailable"}  # fmt: skip
        return {"kind": "OpenAI", "skuName": "S0", "model": model}

    old = entry("2024-08-06", "2027-04-14T00:00:00Z")
    new = entry("2024-11-20", "2027-06-01T00:00:00Z", deprecationStatus="Tentative")
    facts = read_azure(dumped({"value": [old, old, new]}), as_of="2026-11-22")
    assert [(fact.model_version, fact.retires_on) for fact in facts] == [
        ("2024-08-06", date(2027, 4, 14)),
        ("2024-11-20", date(2027, 6, 1)),
    ]
    assert [fact.date_precision for fact in facts] == ["exact", "earliest"]


@pytest.mark.parametrize(
    "raw", [b"", b"<html>", b"null", b"{}", b'{"data": {}}', b"\xff\xfe", b'"x"']
)
def test_what_is_no_list_is_refused(raw):
    for readers in READERS.values():
        for read in readers:
            with pytest.raises(CatalogueUnreadable):
                read(raw)


@settings(max_examples=150, deadline=None)
@given(entries=st.lists(ANYTHING, max_size=6), around=st.dictionaries(_KEYS, ANYTHING, max_size=4))
def test_nothing_in_a_list_breaks_its_reading(entries, around):
    for key, readers in READERS.items():
        raw = dumped(around | {key: entries})
        for read in readers:
            # A name twice in one object, a number that is none: refused, and said so.
            with contextlib.suppress(CatalogueUnreadable):
                read(raw)
