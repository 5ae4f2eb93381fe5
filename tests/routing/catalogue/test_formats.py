"""Catalogue documents: three formats in, facts out, a wrong row named."""

from __future__ import annotations

import gzip
import json
from datetime import date

import pytest

from kernel.canonical import NotJSON
from routing.catalogue.formats import read_document
from routing.catalogue.platforms import DATA
from routing.errors import CatalogueUnreadable


def lifecycle(**row: object) -> bytes:
    smallest = {"platform": "openai", "model": "m-1", "as_of": "2026-11"}
    document = {"schema": "unsprawl-lifecycle/1", "generated": "2026-11-21"}
    return json.dumps(document | {"rows": [smallest | row]}).encode()


def test_the_shipped_documents_are_sound_and_sorted():
    for name in ("lifecycle", "prices"):
        raw = (DATA / f"{name}.json").read_bytes()
        assert read_document(raw).rows > 900
        rows = json.loads(raw)["rows" if name == "lifecycle" else "prices"]
        keys = [(row["platform"], row["model"]) for row in rows]
        assert keys == sorted(keys)


def test_every_shipped_fact_has_a_source_and_an_origin_with_its_licence():
    document = json.loads((DATA / "lifecycle.json").read_bytes())
    notice = (DATA / "NOTICE").read_text()
    assert all(row["source"].startswith("https://") for row in document["rows"])
    assert {row["origin"] for row in document["rows"]} == set(document["origins"])
    for origin in document["origins"].values():
        assert origin["licence"] == "facts only" or origin["url"] in notice
    assert document["generated"] == read_document((DATA / "lifecycle.json").read_bytes()).as_of


def test_no_model_was_announced_to_end_after_its_end():
    for fact in read_document((DATA / "lifecycle.json").read_bytes()).lifecycle:
        assert (fact.announced_on or date.min) <= (fact.retires_on or date.max)


def test_gzip_is_unpacked():
    raw = lifecycle(retires="2026-12-11", precision="exact")
    assert read_document(gzip.compress(raw)).digest == read_document(raw).digest


def test_a_model_eol_feed_gives_each_channel_its_own_clock():
    feed = {
        "spec": "model-eol/0.1",
        "publisher": "anthropic",
        "generated": "2026-11-01T00:00:00Z",
        "source": "https://vendor.example/deprecations",
        "models": [
            {
                "id": "claude-sonnet-4-5",
                "aliases": ["sonnet"],
                "announced": "2026-09-29",
                "shutdown": "2026-11-30",
                "date_precision": "exact",
                "replacement_options": ["claude-sonnet-5-5", "claude-haiku-5"],
                "distributions": [
                    {"via": "aws-bedrock", "shutdown": "2027-04-08", "status": "legacy"},
                    {"via": "anthropic", "shutdown": "2026-11-30"},
                ],
            }
        ],
    }
    document = read_document(json.dumps(feed).encode())
    direct, bedrock = document.lifecycle
    assert (direct.platform, direct.retires_on) == ("anthropic", date(2026, 11, 30))
    assert direct.replacement == "claude-sonnet-5-5, claude-haiku-5"
    assert (bedrock.platform, bedrock.retires_on) == ("bedrock", date(2027, 4, 8))
    assert bedrock.announced_on is None
    assert document.name == "model-eol:anthropic"


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"retires": "next week"}, "retires"),
        ({"retires": "2026-02-30"}, "retires"),
        ({"retires": 20261211}, "retires"),
        ({"precision": "surely"}, "precision"),
        ({"model": ""}, "model"),
        ({"aliases": "x"}, "aliases"),
        ({"note": "x" * 3000}, "note"),
    ],
)
def test_a_wrong_row_is_named(row, named):
    with pytest.raises(CatalogueUnreadable, match=rf"rows\[0\]: {named} must be"):
        read_document(lifecycle(**row))


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"{}",
        b'{"schema": "other/1"}',
        b'{"schema": "unsprawl-lifecycle/1"}',
        b'{"schema": "unsprawl-lifecycle/1", "generated": "x", "rows": [1]}',
        b'{"schema": "unsprawl-prices/1", "origin": "x", "as_of": "y", "prices":'
        b' [{"platform": "openai", "model": "m", "input": -1}]}',
    ],
)
def test_a_document_of_no_known_form_is_refused(raw):
    with pytest.raises(CatalogueUnreadable):
        read_document(raw)


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a":1,"a":2}', b"\x1f\x8b junk"])
def test_what_is_not_json_is_refused(raw):
    with pytest.raises(NotJSON):
        read_document(raw)
