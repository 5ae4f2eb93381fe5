"""The import order, as contracts for import-linter and two rules it cannot express."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.places import BASE_DIR

PACKAGES = (
    "config", "fleet", "outlets", "effects", "routing", "rules", "approvals", "registry",
    "credentials", "ledger", "policy", "kernel",
)  # fmt: skip
EDGES = frozenset({"urls", "api_urls", "api", "views", "admin", "tasks", "management"})
# Who may hold the private half of a ring, and why.
MAY_OPEN = {
    "kernel/sealing.py": "defines it",
    "kernel/opening.py": "the opening half, apart from the rest",
    "credentials/broker.py": "custody of vendor and tool secrets",
    "ledger/custody.py": "custody of payload keys",
}


def _sources() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for file in sorted((BASE_DIR / package).rglob("*.py")):
            if "migrations" not in file.parts:
                yield str(file.relative_to(BASE_DIR)), ast.parse(file.read_text(encoding="utf-8"))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_the_contracts_are_kept() -> None:
    linted = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=BASE_DIR, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert linted.returncode == 0, linted.stdout


def test_nobody_imports_the_edges_of_another_package() -> None:
    crossed = [
        f"{file}: {name}"
        for file, tree in _sources()
        for name in _imported(tree)
        if (parts := name.split("."))[0] in PACKAGES
        and parts[0] not in {"kernel", file.split("/", maxsplit=1)[0]}
        and len(parts) > 1
        and parts[1] in EDGES
        and not file.startswith("config/")
    ]

    assert crossed == []


def test_only_the_broker_opens_what_is_sealed() -> None:
    openers = {
        file
        for file, tree in _sources()
        if any(name.endswith((".PrivateRing", "kernel.opening")) for name in _imported(tree))
    }

    assert openers - MAY_OPEN.keys() == set()


@pytest.mark.parametrize("entry", ["config.gateway_asgi", "routing.gateway", "policy"])
def test_the_hot_path_starts_without_django(entry: str) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", f"import sys, {entry}; print('django' in sys.modules)"],
        cwd=BASE_DIR, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert asked.stdout.strip() == "False", asked.stderr
