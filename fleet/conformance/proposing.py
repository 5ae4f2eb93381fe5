"""The steps that a next version would declare, so that it says what is seen.

Declared steps that were seen stay as they are, in the order in which they come; what leaves a
trace and was never seen goes; what leaves none stays where it stood. Further steps come in when
at least one run in twenty shows them. Nothing is changed here: it is a document to look at.
"""

from __future__ import annotations

import copy
import re
from typing import Any, Final

from fleet.conformance.queries.conformity import Conformance
from registry.manifest.semver import SemVer

LEAST_PERCENT: Final = 5
MOST: Final = 200
_UNSAYABLE: Final = re.compile(r"[^A-Za-z0-9._-]+")


def proposed_document(found: Conformance, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest with the steps that are seen, under the next version number."""
    document: dict[str, Any] = copy.deepcopy(manifest)
    document["spec"]["steps"] = proposed_steps(found, document["spec"])
    document["spec"]["version"] = _next(document["spec"]["version"])
    return document


def proposed_steps(found: Conformance, spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps in the order in which they are seen."""
    placed: list[tuple[float, int, dict[str, Any]]] = []
    seen, last = found.seen, 0.0
    for step, stated in zip(found.process.steps, found.process.stated, strict=True):
        label = f"={step.name}"
        if label in seen:
            last = found.place(label)
        elif step.is_required and found.runs:
            continue
        placed.append((last, len(placed), dict(stated)))
    names = {each["name"] for _, _, each in placed}
    for label in _further(found, seen):
        further = _step(label, spec, names)
        names.add(further["name"])
        placed.append((found.place(label), len(placed), further))
    return [each for _, _, each in sorted(placed, key=lambda one: one[:2])][:MOST]


def _further(found: Conformance, seen: dict[str, int]) -> list[str]:
    runs = dict.fromkeys(seen, 0)
    for edge in found.edges:
        if edge.target in runs:
            runs[edge.target] += edge.runs
    return sorted(
        label
        for label, times in runs.items()
        if not label.startswith("=") and 100 * times >= LEAST_PERCENT * found.runs
    )


def _step(label: str, spec: dict[str, Any], taken: set[str]) -> dict[str, Any]:
    kind, _, name = label.partition(":")
    is_model = kind == "model"
    aliases = {model["alias"] for model in spec["models"]}
    tools = {tool.get("name") or tool.get("mcp") for tool in spec.get("tools", ())}
    uses = [name] if name in (aliases if is_model else tools) else []
    step: dict[str, Any] = {
        "name": _free(_UNSAYABLE.sub("-", name).strip("-._")[:60] or kind, taken),
        "kind": "model" if is_model else "deterministic",
    }
    return step | ({"uses": uses} if uses else {})


def _free(name: str, taken: set[str]) -> str:
    number, wanted = 2, name
    while wanted in taken:
        wanted, number = f"{name}-{number}", number + 1
    return wanted


def _next(version: str) -> str:
    parsed = SemVer.parse(version)
    numbers = parsed.numbers if parsed is not None else (0, 0, 0)
    return f"{numbers[0]}.{numbers[1]}.{numbers[2] + 1}"
