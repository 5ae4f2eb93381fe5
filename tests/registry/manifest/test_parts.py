from __future__ import annotations

import itertools
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.manifest import manifest_of
from registry.manifest.problems import dotted, nearest, shown
from registry.manifest.schema import keywords_without_a_rule, schema
from registry.manifest.semver import SemVer
from registry.manifest.sensitivity import risk_tier, widest
from registry.manifest.writing import to_yaml

ORDER = (
    "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
    "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0",
)  # fmt: skip


def test_versions_are_ordered_as_the_specification_orders_them() -> None:
    parsed = [SemVer.parse(text) for text in ORDER]
    assert all(low < high for low, high in itertools.pairwise(parsed))  # type: ignore[operator]


def test_build_metadata_is_no_part_of_the_order() -> None:
    assert SemVer.parse("1.0.0+a") == SemVer.parse("1.0.0+b")


@pytest.mark.parametrize(
    "text", ["1", "1.0", "v1.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0\n", ""]
)
def test_what_is_no_semantic_version_is_not_read_as_one(text: str) -> None:
    assert SemVer.parse(text) is None


@pytest.mark.parametrize(
    ("spec", "tier"),
    [
        ({"dataClasses": ["internal"]}, "low"),
        ({"dataClasses": ["internal"], "riskTier": "high"}, "high"),
        ({"dataClasses": ["personal"], "riskTier": "low"}, "high"),
        ({"dataClasses": ["confidential"]}, "medium"),
        ({"dataClasses": ["public"], "tools": [{"name": "pay", "effect": "money"}]}, "high"),
        ({"dataClasses": ["public"], "tools": [{"mcp": "x", "access": "write"}]}, "medium"),
        ({"dataClasses": ["public"], "tools": [{"name": "*", "effect": "read"}]}, "high"),
        ({"dataClasses": ["public"], "tools": [{"name": "a_*"}]}, "medium"),
        ({"dataClasses": ["public"], "tools": [{"name": "a_*", "effect": "read"}]}, "low"),
        ({"dataClasses": ["homegrown"]}, "medium"),
    ],
)
def test_a_declared_tier_only_raises_what_is_derived(spec: dict[str, Any], tier: str) -> None:
    assert risk_tier(spec) == tier


def test_a_class_nobody_knows_counts_as_the_most_sensitive() -> None:
    assert widest(["public", "personal"]) < widest(["homegrown"])
    assert widest([]) < widest(["public"])


def test_the_published_schema_is_a_schema_and_every_keyword_is_enforced() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert keywords_without_a_rule() == set()


def test_another_validator_accepts_what_ours_accepts(full: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema()).validate(dict(manifest_of(full).document))


def test_yaml_is_written_in_the_order_of_the_schema(full: dict[str, Any]) -> None:
    shuffled = dict(reversed(full.items()))
    assert [line.split(":")[0] for line in to_yaml(shuffled).splitlines() if line[0] != " "] == [
        "apiVersion",
        "kind",
        "metadata",
        "spec",
    ]


def test_paths_are_written_as_people_write_them() -> None:
    assert dotted(("spec", "models", 0, "route")) == "spec.models[0].route"


@given(st.text(max_size=100), st.lists(st.text(max_size=20), max_size=5))
def test_guessing_what_was_meant_never_invents_a_word(word: str, known: list[str]) -> None:
    assert nearest(word, known) in {"", *known}


@given(st.text())
def test_a_shown_value_is_short_and_printable(text: str) -> None:
    assert len(shown(text)) <= 61
    assert shown(text).isprintable()
