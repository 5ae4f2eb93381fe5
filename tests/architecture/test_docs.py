"""The documents are complete and true where a program can tell."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from config.places import BASE_DIR
from ledger.models import Entry
from registry.models import Agent, Role
from routing.actions.vendors import DATA_CLASSES
from tests.architecture.test_errors import PACKAGES

DECISIONS = sorted((BASE_DIR / "docs/decisions").glob("0*.md"))
DOCUMENTS = [
    path
    for path in [*BASE_DIR.glob("*.md"), *(BASE_DIR / "docs").rglob("*.md")]
    if path.name != "design-system.md"
]
# Made by tests and benchmarks, so a fresh checkout may lack them.
MADE_LATER = {"docs/images/agent.png"}


def read(name: str) -> str:
    return (BASE_DIR / name).read_text(encoding="utf-8")


def anchors_of(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def test_the_map_is_of_this_territory() -> None:
    rows = re.findall(r"^\| `([a-z]+)` \| [a-z]+ \|", read("ARCHITECTURE.md"), re.MULTILINE)
    on_disk = {
        path.parent.name for path in BASE_DIR.glob("*/__init__.py") if path.parent.name != "bench"
    }
    assert tuple(rows) == PACKAGES
    assert on_disk - {"tests"} == set(rows)


def test_every_invariant_names_a_test_and_a_constraint_that_exist() -> None:
    rows = re.findall(r"^\| (I\d+) \|(.*)\|$", read("ARCHITECTURE.md"), re.MULTILINE)
    assert len(rows) >= 15
    source = "".join(
        path.read_text(encoding="utf-8")
        for package in PACKAGES
        for path in (BASE_DIR / package).rglob("*.py")
    )
    for number, row in rows:
        named = re.findall(r"`(tests/[^`]+)`", row)
        assert named, number
        assert all((BASE_DIR / name).exists() for name in named), number
        constraints = re.findall(
            r"`((?:registry|approvals|ledger|routing|effects|rules)_[a-z_]+)`", row
        )
        assert all(f'"{name}"' in source for name in constraints), number


@pytest.mark.parametrize(
    ("name", "most"), [("ARCHITECTURE.md", 150), ("CONTRIBUTING.md", 80), ("AGENTS.md", 3)]
)
def test_short_documents_stay_short(name: str, most: int) -> None:
    assert len(read(name).splitlines()) <= most


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_parts_and_its_row(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]}. ")
    assert re.search(r"^\*\*Status:\*\* (accepted|superseded by \[\d{4}\])", text, re.MULTILINE)
    assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == [
        "Context", "Decision", "Consequences", "Rejected",
    ]  # fmt: skip
    assert len(text.splitlines()) <= 60
    assert f"]({path.name})" in read("docs/decisions/README.md")


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_the_changelog_begins_with_this_version() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    found = re.search(r"^## \[([^\]]+)\] - ", read("CHANGELOG.md"), re.MULTILINE)
    assert found is not None
    assert found[1] == version


def test_the_glossary_has_every_kind_stage_role_and_data_class() -> None:
    text = read("docs/glossary.md")
    words = [*Entry.Kind.values, *Agent.Stage.values, *Role.values, *DATA_CLASSES]
    assert [word for word in words if not re.search(rf"\b{word}\b", text)] == []


def test_every_command_is_in_the_runbook() -> None:
    commands = {
        path.stem
        for package in PACKAGES
        for path in (BASE_DIR / package).glob("management/commands/*.py")
        if path.stem != "__init__"
    }
    text = read("docs/runbook.md").replace("-", "_")
    assert sorted(name for name in commands if f"manage.py {name}" not in text) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(BASE_DIR)))
def test_links_lead_somewhere(path: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        if str(linked.relative_to(BASE_DIR)) in MADE_LATER:
            continue
        if not linked.exists() or (anchor and anchor not in anchors_of(linked)):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(BASE_DIR)))
def test_documents_name_no_machine_of_ours(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"/(?:work|root|home)/|TODO|FIXME", text) == []
