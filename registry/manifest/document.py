"""A manifest that has been read: plain values with names, and the digest that is its identity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kernel.canonical import canonical, digest_bytes
from registry.manifest.problems import Lines, Path, Problem, line_of
from registry.manifest.semver import SemVer
from registry.manifest.sensitivity import risk_tier


@dataclass(frozen=True)
class Manifest:
    """One agent as its owner describes it. Valid in itself; whether its names exist is asked later.

    The document is what was handed in, without empty values; nothing is filled in, so the
    digest speaks of what the owner wrote.
    """

    document: Mapping[str, Any]
    lines: Lines = field(default_factory=dict, compare=False, repr=False)

    def canonical(self) -> bytes:
        """Return the one canonical form (RFC 8785) that the digest is of."""
        return canonical(self.document)

    @cached_property
    def digest(self) -> str:
        return digest_bytes(self.canonical())

    def problem(self, path: Path, message: str, suggestion: str = "") -> Problem:
        """Say what is wrong at a place of this text."""
        return Problem(path, message, line_of(self.lines, path), suggestion)

    @property
    def metadata(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["metadata"]
        return found

    @property
    def spec(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.document["spec"]
        return found

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def title(self) -> str:
        return str(self.metadata["title"]).strip()

    @property
    def description(self) -> str:
        return str(self.metadata["description"]).strip()

    @property
    def version(self) -> str:
        return str(self.spec["version"])

    @property
    def semver(self) -> SemVer:
        parsed = SemVer.parse(self.version)
        return parsed or SemVer((0, 0, 0))

    @property
    def owner_email(self) -> str:
        return str(self.spec["owner"]).removeprefix("user:")

    @property
    def backup_email(self) -> str:
        return str(self.spec["backupOwner"]).removeprefix("user:")

    @property
    def team(self) -> str:
        return str(self.spec.get("team", ""))

    @property
    def data_classes(self) -> list[str]:
        return list(self.spec["dataClasses"])

    @property
    def tags(self) -> list[str]:
        return list(self.metadata.get("tags", []))

    @property
    def routes(self) -> list[str]:
        """Every route the agent may call: of each model the route or pin, then its fallbacks."""
        return _once(name for _, name in self.route_places())

    def route_places(self) -> list[tuple[Path, str]]:
        """Return each route with the place that names it."""
        places: list[tuple[Path, str]] = []
        for index, model in enumerate(self.spec["models"]):
            key = "route" if "route" in model else "pin"
            at: Path = ("spec", "models", index)
            places.append(((*at, key), model[key]))
            for number, name in enumerate(model.get("fallback", [])):
                places.append(((*at, "fallback", number), name))
        return places

    @property
    def tools(self) -> list[str]:
        """Return tool names and, for MCP servers, theirs."""
        return _once(tool.get("name") or tool["mcp"] for tool in self.spec.get("tools", []))

    @property
    def risk_tier(self) -> str:
        return risk_tier(self.spec)

    @property
    def limits(self) -> dict[str, Any]:
        """What the agent should never exceed, as the manifest says it."""
        return dict(self.spec.get("limits") or {})

    def text(self, key: str) -> str:
        """Return an optional text of the spec, empty when it is left out."""
        return str(self.spec.get(key, "")).strip()

    def owned_by(self, email: str) -> Manifest:
        """Return the same manifest with another owner."""
        spec = dict(self.spec) | {"owner": f"user:{email}"}
        return Manifest(dict(self.document) | {"spec": spec}, self.lines)


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
