from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from config.places import BASE_DIR
from ledger.models import Entry
from registry.manifest import read_manifest
from registry.models import Agent
from tests.factories import Cast, make_agent, make_manifest

EXAMPLES = sorted((BASE_DIR / "examples").glob("*.*"))


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("register", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text(yaml.safe_dump(make_manifest()))
    return path


def test_an_agent_is_registered_for_its_owner_by_the_operator(cast: Cast, file: Path) -> None:
    make_agent("invoice-sorting", owner=cast.bob)
    said = run("-f", str(file))
    agent = Agent.objects.get(name="invoice-sorter")
    assert agent.public_id in said
    assert "like invoice-sorting" in said
    assert agent.owner == cast.alice
    assert agent.versions.get().source == "command"
    assert Entry.objects.get(verb="agent.registered").actor == "system:operator"
    assert "registered already" in run("-f", str(file))


def test_another_owner_can_be_named(cast: Cast, file: Path) -> None:
    run("-f", str(file), "--owner", "mallory@acme.test")
    assert Agent.objects.get().owner == cast.mallory


@pytest.mark.usefixtures("cast")
def test_errors_are_printed_where_an_editor_finds_them(file: Path) -> None:
    text = file.read_text().replace("backupOwner", "backup_owner")
    file.write_text(text)
    line = next(n for n, row in enumerate(text.splitlines(), 1) if "backup_owner" in row)
    with pytest.raises(CommandError) as error:
        run("-f", str(file))
    expected = f"{file}:{line}: spec.backup_owner: unknown key; did you mean backupOwner?"
    assert expected in str(error.value).splitlines()


@pytest.mark.usefixtures("cast")
@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("a.json", b'{"a": 1,\n"a": 2}', "a.json:2: "),
        ("a.json", b"{", "a.json:1: "),
        ("a.yaml", b"a: 1\nb: *x\n", "a.yaml:2: b"),
        ("a.yaml", b" " * 300_000, "a.yaml:1: A manifest has at most"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, name: str, raw: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(CommandError, match=expected.replace(".", r"\.")):
        run("-f", str(tmp_path / name))


@pytest.mark.usefixtures("cast")
def test_a_taken_name_is_said(file: Path) -> None:
    run("-f", str(file))
    file.write_text(yaml.safe_dump(make_manifest(costCenter="1")))
    with pytest.raises(CommandError, match="is an agent of"):
        run("-f", str(file))
    assert "version 1.0.0 proposed" in run("-f", str(file), "--update")
    assert "waits already" in run("-f", str(file), "--update")


@pytest.mark.usefixtures("cast")
def test_checking_stores_nothing(file: Path) -> None:
    assert "valid. Most like it: none." in run("-f", str(file), "--check")
    assert not Agent.objects.exists()


def test_a_missing_file_and_a_missing_option_are_said(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        run("-f", str(tmp_path / "none.yaml"))
    with pytest.raises(CommandError, match=r"-f agent\.yaml"):
        run()


def test_the_schema_is_printed_as_it_is_served() -> None:
    assert json.loads(run("--schema"))["title"] == "Agent manifest"


@pytest.mark.usefixtures("cast")
def test_a_manifest_comes_from_standard_input(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(file.read_bytes())

    monkeypatch.setattr("sys.stdin", Stdin())
    assert "is registered" in run("-f", "-")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: str(path.name))
def test_every_example_is_a_valid_manifest(path: Any) -> None:
    kind = "application/json" if path.suffix == ".json" else "application/yaml"
    assert read_manifest(path.read_bytes(), kind).name


def test_the_document_names_every_key_of_the_spec() -> None:
    from registry.manifest.schema import schema

    text = (BASE_DIR / "docs" / "agent-manifest.md").read_text()
    for section in ("metadata", "spec"):
        for key in schema()["properties"][section]["properties"]:
            assert f"{section}.{key}" in text or f"`{section}.{key}[]`" in text, key
