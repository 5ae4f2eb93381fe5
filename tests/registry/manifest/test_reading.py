from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.canonical import BodyTooLarge, NotJSON
from kernel.errors import DomainError, Malformed
from registry.errors.agents import ManifestInvalid, ManifestUnreadable
from registry.manifest import Manifest, manifest_of, read_manifest
from registry.manifest.writing import to_yaml

JSON, YAML = "application/json", "application/yaml"
SMALLEST: dict[str, Any] = {
    "apiVersion": "unsprawl.dev/v1",
    "kind": "Agent",
    "metadata": {"name": "expense-triage", "title": "Expense triage", "description": "Sorts."},
    "spec": {
        "version": "1.0.0",
        "owner": "user:alice@acme.test",
        "backupOwner": "user:bob@acme.test",
        "dataClasses": ["internal"],
        "models": [{"alias": "default", "route": "sandbox"}],
    },
}
SMALLEST_YAML = """\
apiVersion: unsprawl.dev/v1
kind: Agent
metadata:
  name: expense-triage
  title: Expense triage
  description: Sorts.
spec:
  version: 1.0.0
  owner: user:alice@acme.test
  backupOwner: user:bob@acme.test
  dataClasses: [internal]
  models:
    - alias: default
      route: sandbox
"""


def from_yaml(text: str) -> Manifest:
    return read_manifest(text.encode(), YAML)


def from_json(document: object) -> Manifest:
    return read_manifest(json.dumps(document, indent=1).encode(), JSON)


def problems(error: pytest.ExceptionInfo[Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = error.value.facts["errors"]
    return found


def test_the_smallest_manifest_reads_alike_from_json_and_yaml() -> None:
    assert from_json(SMALLEST).digest == from_yaml(SMALLEST_YAML).digest


def test_every_section_of_a_full_manifest_is_read(full: dict[str, Any]) -> None:
    manifest = from_json(full)
    assert manifest.routes == ["classify-invoice", "sandbox"]
    assert manifest.tools == ["wire_transfer", "com.acme/erp"]
    assert manifest.risk_tier == "high"
    assert from_yaml(yaml.safe_dump(full)).digest == manifest.digest


def test_an_unknown_key_is_named_with_its_path_its_line_and_what_was_meant() -> None:
    text = SMALLEST_YAML.replace("  backupOwner:", "  backup_owner:")
    with pytest.raises(ManifestInvalid) as error:
        from_yaml(text)
    unknown = next(each for each in problems(error) if each["key"] == "spec.backup_owner")
    assert (unknown["line"], unknown["suggestion"]) == (10, "backupOwner")


def test_an_unknown_key_in_json_is_named_with_its_line() -> None:
    document = SMALLEST | {"spec": SMALLEST["spec"] | {"ownr": "x"}}
    text = json.dumps(document, indent=1)
    with pytest.raises(ManifestInvalid) as error:
        read_manifest(text.encode(), JSON)
    line = text[: text.index('"ownr"')].count("\n") + 1
    assert (problems(error)[0]["key"], problems(error)[0]["line"]) == ("spec.ownr", line)
    assert problems(error)[0]["suggestion"] == "owner"


def test_every_problem_is_reported_at_once() -> None:
    text = (
        SMALLEST_YAML.replace("1.0.0", "1.0")
        .replace("[internal]", "[]")
        .replace("kind: Agent", "kind: Agnt")
        .replace("      route: sandbox", "      rout: sandbox")
        .replace("title: Expense triage", "titel: Expense triage")
    )
    with pytest.raises(ManifestInvalid) as error:
        from_yaml(text)
    assert {each["key"] for each in problems(error)} == {
        "kind",
        "metadata.title",
        "metadata.titel",
        "spec.version",
        "spec.dataClasses",
        "spec.models[0]",
        "spec.models[0].rout",
    }
    assert [each["line"] for each in problems(error)] == sorted(
        each["line"] for each in problems(error)
    )


def test_a_key_of_another_section_is_sent_there() -> None:
    with pytest.raises(ManifestInvalid, match="it belongs under spec"):
        from_yaml(SMALLEST_YAML + "owner: user:alice@acme.test\n")


def test_a_number_where_text_belongs_says_how_to_write_it() -> None:
    with pytest.raises(ManifestInvalid, match="write it in quotes"):
        from_yaml(SMALLEST_YAML + "  costCenter: 4711\n")


@pytest.mark.parametrize(
    "word", ["no", "0123", "2026-11-21", "12:30:45", "1_000", "0x1F", ".inf", "on", "y", "0o17"]
)
def test_words_that_other_yaml_readers_turn_into_something_else_stay_text(word: str) -> None:
    manifest = from_yaml(SMALLEST_YAML + f"  costCenter: {word}\n")
    assert manifest.spec["costCenter"] == word


def test_a_key_without_a_value_is_a_key_left_out() -> None:
    assert from_yaml(SMALLEST_YAML + "  tools:\n").digest == from_json(SMALLEST).digest


HOSTILE_YAML = {
    "an anchor": ("a: &x 1\n", "anchor"),
    "an alias": ("a: *x\n", "alias"),
    "a billion laughs": ("a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "anchor"),
    "a python tag": ("a: !!python/object/apply:os.system [id]\n", "tag"),
    "a string tag": ("a: !!str 1\n", "tag"),
    "a bare tag": ("a: ! 1\n", "tag"),
    "a binary tag": ("a: !!binary aGk=\n", "tag"),
    "a second document": ("a: 1\n---\nb: 2\n", "second document"),
    "a repeated key": ("a: 1\nb: 2\na: 3\n", "twice"),
    "a repeated key in quotes": ("a: 1\n'a': 3\n", "twice"),
    "a mapping as a key": ("? {a: 1}\n: 2\n", "key must be a word"),
    "a list as a key": ("[a]: 2\n", "key must be a word"),
    "an alias as a key": ("*a : 2\n", "alias"),
    "deep flow": ("[" * 5000, "nested deeper"),
    "deep blocks": ("".join(" " * i + "a:\n" for i in range(200)), "nested deeper"),
    "a tab": ("a:\n\t- b\n", "not YAML"),
    "an open quote": ("a: 'b\n", "not YAML"),
    "an unfinished list": ("a: [b\n", "not YAML"),
    "a control character": ("a: \x07\n", "not YAML"),
    "a number too long": (f"a: {'9' * 5000}\n", "cannot be represented"),
    "a number too large": ("a: 1e999\n", "out of range"),
    "directives": ("%YAML 9.9\n---\na: 1\n", "not YAML"),
}


@pytest.mark.parametrize("text, reason", HOSTILE_YAML.values(), ids=HOSTILE_YAML.keys())  # noqa: PT006
def test_hostile_yaml_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(ManifestUnreadable, match=reason):
        from_yaml(text)


@pytest.mark.parametrize(
    "text", ["", "---\n", "just text", "- a\n- b\n", "42", "~", "{}", "\ufeff{}"]
)
def test_what_is_no_manifest_at_all_is_refused(text: str) -> None:
    with pytest.raises(ManifestInvalid):
        from_yaml(text)


def test_the_line_of_a_repeated_key_and_of_the_first_one_are_named() -> None:
    with pytest.raises(ManifestUnreadable) as error:
        from_yaml(SMALLEST_YAML + "  version: 2.0.0\n")
    assert problems(error)[0]["line"] == 15
    assert "first on line 8" in problems(error)[0]["message"]


HOSTILE_JSON = {
    "a repeated key": (b'{"a": 1,\n "a": 2}', "twice"),
    "a repeated key deep down": (b'{"a": [{"b": {"c": 1, "c": 2}}]}', "twice"),
    "not a number": (b'{"a": NaN}', "NaN"),
    "infinity": (b'{"a": -Infinity}', "Infinity"),
    "half a surrogate": (b'{"a": "\\ud800"}', "surrogate"),
    "deep nesting": (b"[" * 100 + b"]" * 100, "nested deeper"),
    "very deep nesting": (b"[" * 100_000, "nested deeper|not JSON"),
    "a number too large": (b'{"a": 1e999}', "out of range"),
    "a number too long": (b'{"a": ' + b"9" * 5000 + b"}", "cannot be represented"),
    "trailing words": (b"{} {}", "not JSON"),
    "a comma too many": (b'{"a": 1,}', "not JSON"),
    "bytes that are no text": (b'{"a": "\xff"}', "UTF-8"),
    "a NUL": (b'{"a": "\\u0000"}', "NUL"),
    "nothing": (b"", "not JSON"),
}


@pytest.mark.parametrize("raw, reason", HOSTILE_JSON.values(), ids=HOSTILE_JSON.keys())  # noqa: PT006
def test_hostile_json_is_refused_with_a_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(NotJSON, match=reason):
        read_manifest(raw, JSON)


def test_the_line_of_a_repeated_json_key_is_named() -> None:
    with pytest.raises(NotJSON) as error:
        read_manifest(b'{"a": {"x": 1},\n"b": 2,\n"b": 3}', JSON)
    assert error.value.facts["line"] == 3


@pytest.mark.parametrize("media_type", [JSON, YAML])
def test_a_manifest_larger_than_the_cap_is_refused_unread(media_type: str) -> None:
    with pytest.raises(BodyTooLarge):
        read_manifest(b" " * (256 * 1024 + 1), media_type)


def test_text_that_is_not_utf8_is_refused_with_its_line() -> None:
    with pytest.raises(ManifestUnreadable) as error:
        read_manifest(b"a: 1\nb: \xff\n", YAML)
    assert problems(error)[0]["line"] == 2


def test_another_media_type_is_refused() -> None:
    with pytest.raises(Malformed, match="application/yaml"):
        read_manifest(b"a: 1", "text/html")


@pytest.mark.parametrize(
    "char",
    [
        *("\u202e", "\u2066", "\x1b", "\x7f", "\x85", "\u200b", "\ufeff"),
        *("\u00ad", "\u2060", "\u2800", "\u3164", "\U000e0041"),
    ],
)
def test_characters_that_a_reviewer_cannot_see_are_refused(char: str) -> None:
    document = json.loads(json.dumps(SMALLEST))
    document["metadata"]["title"] = f"Pay{char}roll"
    with pytest.raises(ManifestInvalid, match="cannot be seen"):
        from_json(document)


def test_a_nul_written_as_an_escape_in_yaml_is_refused() -> None:
    with pytest.raises(ManifestInvalid, match="cannot be seen"):
        from_yaml(SMALLEST_YAML + '  purpose: "a\\0b"\n')


def test_a_name_that_ends_in_a_newline_is_not_a_name() -> None:
    document = SMALLEST | {"metadata": SMALLEST["metadata"] | {"name": "expense-triage\n"}}
    with pytest.raises(ManifestInvalid, match="does not fit"):
        from_json(document)


@pytest.mark.parametrize("name", ["register", "new", "check"])
def test_a_name_that_would_hide_a_page_is_refused(name: str) -> None:
    document = SMALLEST | {"metadata": SMALLEST["metadata"] | {"name": name}}
    with pytest.raises(ManifestInvalid, match="reserved"):
        from_json(document)


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "the owner backs themselves up": ({"backupOwner": "user:ALICE@acme.test"}, "somebody else"),
    "an alias twice": (
        {"models": [{"alias": "a", "route": "x"}, {"alias": "a", "route": "y"}]},
        "named twice",
    ),
    "a tool twice": ({"tools": [{"name": "jira"}, {"name": "jira"}]}, "named twice"),
    "a route and a pin": ({"models": [{"alias": "a", "route": "x", "pin": "y"}]}, "exactly one"),
    "neither route nor pin": ({"models": [{"alias": "a"}]}, "exactly one"),
    "a tool without a name": ({"tools": [{"effect": "read"}]}, "exactly one"),
    "a step that uses nothing known": (
        {"steps": [{"name": "s", "kind": "model", "uses": ["defalt"]}]},
        "did you mean default",
    ),
    "a deterministic step with a model": (
        {"steps": [{"name": "s", "kind": "deterministic", "uses": ["default"]}]},
        "cannot use the model",
    ),
    "a step of no kind": ({"steps": [{"name": "s"}]}, "kind: missing"),
    "a version with a leading zero": ({"version": "1.0.0-01"}, "semantic version"),
    "a prompt without its digest": ({"prompts": [{"name": "p", "digest": "abc"}]}, "sha256"),
    "a data class twice": ({"dataClasses": ["internal", "internal"]}, "named twice"),
    "a url with a password": (
        {"health": {"kind": "http", "url": "https://u:p@x.test/"}},
        "without a user name",
    ),
    "a temperature too high": (
        {"models": [{"alias": "a", "route": "x", "settings": {"temperature": 3}}]},
        "at most 2",
    ),
    "a true where a number belongs": ({"limits": {"rpm": True}}, "must be a whole number"),
    "no models": ({"models": []}, "at least one"),
    "a hundred models": (
        {"models": [{"alias": f"a{n}", "route": "x"} for n in range(100)]},
        "at most 50",
    ),
    "an empty route": ({"models": [{"alias": "a", "route": ""}]}, "'' does not fit"),
    "an empty version": ({"version": ""}, "'' does not fit"),
    "an empty owner": ({"owner": ""}, "'' does not fit"),
    "an empty team": ({"team": ""}, "'' does not fit"),
    "an empty purpose": ({"purpose": ""}, "must not be empty"),
    "a star inside of a tool's name": ({"tools": [{"name": "a*b"}]}, "does not fit"),
    "two stars": ({"tools": [{"name": "a**"}]}, "does not fit"),
    "a server's address that is none": (
        {"tools": [{"mcp": "x", "url": "ftp://x"}]},
        "does not fit",
    ),
    "a number as an effect": ({"tools": [{"name": "x", "effect": 3}]}, "not a number"),
    "an effect nearly right": ({"tools": [{"name": "x", "effect": "monye"}]}, "mean money"),
    "a negative cap": ({"tools": [{"name": "x", "maxAmount": -1}]}, "at least 0"),
    "a list as the runtime": ({"runtime": []}, "must be a mapping"),
    "a text as the tools": ({"tools": "jira"}, "must be a list"),
    "texts as tools": ({"tools": ["jira"]}, "must be a mapping"),
    "a group as owner": ({"owner": "group:finance"}, "user:<e-mail>"),
}


@pytest.mark.parametrize("spec, reason", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())  # noqa: PT006
def test_a_manifest_that_contradicts_itself_is_refused(spec: dict[str, Any], reason: str) -> None:
    with pytest.raises(ManifestInvalid, match=reason):
        from_json(SMALLEST | {"spec": SMALLEST["spec"] | spec})


def test_errors_are_capped_however_many_there_are() -> None:
    document = SMALLEST | {f"k{n}": n for n in range(10_000)}
    with pytest.raises(ManifestInvalid) as error:
        from_json(document)
    assert len(problems(error)) == 50


def test_an_error_repeats_no_more_of_a_value_than_a_line_can_hold() -> None:
    document = SMALLEST | {"metadata": SMALLEST["metadata"] | {"name": "x" * 100_000}}
    with pytest.raises(ManifestInvalid) as error:
        from_json(document)
    assert all(len(each["message"]) < 400 for each in problems(error))


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf")), max_size=30)
slugs = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)


def _tool_name(tool: Any) -> str:
    return str(tool["name"])


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = dict(SMALLEST["spec"])
    spec |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "costCenter": words.filter(lambda text: len(text) > 0),
                "purpose": words.filter(lambda text: len(text) > 0),
                "limits": st.fixed_dictionaries(
                    {},
                    optional={
                        "monthlyUsd": st.floats(0, 1e8) | st.integers(0, 10**8),
                        "rpm": st.integers(1, 10**7),
                    },
                ),
                "tools": st.lists(
                    st.fixed_dictionaries({"name": slugs, "maxAmount": st.floats(0, 1e12)}),
                    max_size=4,
                    unique_by=_tool_name,
                ),
            },
        )
    )
    metadata = SMALLEST["metadata"] | {
        "annotations": draw(st.dictionaries(slugs, words, max_size=4)),
        "description": draw(words.filter(lambda text: text.strip() != "")),
    }
    return SMALLEST | {"metadata": metadata, "spec": spec}


texts = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cf"))
    | st.sampled_from("\n\t #:-'\"")
)


@settings(max_examples=200, deadline=None)
@given(texts.filter(lambda text: text.strip() != ""))
def test_a_text_of_many_lines_comes_back_from_yaml_as_it_went_in(text: str) -> None:
    document = SMALLEST | {"metadata": SMALLEST["metadata"] | {"description": text}}
    assert from_yaml(to_yaml(document)).digest == from_json(document).digest


@settings(max_examples=60, deadline=None)
@given(documents())
def test_yaml_and_json_of_the_same_document_have_the_same_digest(document: dict[str, Any]) -> None:
    manifest = from_json(document)
    assert from_yaml(to_yaml(document)).digest == manifest.digest
    assert manifest_of(document).digest == manifest.digest
    assert from_yaml(json.dumps(document, ensure_ascii=False)).digest == manifest.digest


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300) | st.text(max_size=300).map(str.encode), st.sampled_from([JSON, YAML])
)
def test_whatever_the_bytes_are_reading_ends_in_a_refusal_that_can_be_shown(
    raw: bytes, media_type: str
) -> None:
    with pytest.raises(DomainError) as error:
        read_manifest(raw, media_type)
    json.dumps(error.value.facts, ensure_ascii=False).encode()
    assert 400 <= error.value.status < 500


_TRICKY = st.sampled_from(list("{}[]:,-?*&!|>'\"%@`#~\n \tabc019.e+"))


@settings(max_examples=200, deadline=None)
@given(st.lists(_TRICKY, max_size=60).map("".join))
def test_yaml_of_odd_characters_never_breaks_the_reader(text: str) -> None:
    with pytest.raises(DomainError):
        from_yaml(text)
