"""Which tools an agent's manifest declares, as calls are compared with it.

Owns the matching. A plain name matches itself. A name that ends in `*` matches what begins
like it; `*` alone matches everything. An `mcp` entry matches that server's tools, by the
server's name as it was declared or as clients spell it (`mcp__server__tool`), and only the
tools it lists if it lists any; with a `url`, only the server at that address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from urllib.parse import urlsplit

from routing.gateway.tools.naming import Tool, mcp_label

UNSTATED: Final = "unstated"


@dataclass(frozen=True, slots=True)
class _Server:
    label: str
    tools: frozenset[str] | None  # labels of its tools; None: all
    url: str
    effect: str

    def matches(self, tool: Tool) -> bool:
        if tool.server:
            return self._matches_hosted(tool)
        part = tool.label.removeprefix(self.label + "__")
        if part == tool.label or not part:
            return False
        # Without a list, a second `__` could be the end of another server's name.
        return tool.label in self.tools if self.tools is not None else "__" not in part

    def _matches_hosted(self, tool: Tool) -> bool:
        if mcp_label(tool.server) != self.label or (self.url and not _is_at(self.url, tool.url)):
            return False
        return self.tools is None or (bool(tool.part) and tool.label in self.tools)


class DeclaredTools:
    """The tools of one manifest. Immutable; compiled when it is first asked."""

    def __init__(self, entries: Iterable[Mapping[str, Any]] = ()) -> None:
        self._entries = tuple(entries)

    @property
    def entries(self) -> tuple[Mapping[str, Any], ...]:
        """What the manifest says, as it says it."""
        return self._entries

    def __bool__(self) -> bool:
        return bool(self._entries)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DeclaredTools):
            return NotImplemented
        return self is other or self._entries == other._entries

    def __hash__(self) -> int:
        return self._hash

    def effect_of(self, tool: Tool) -> str | None:
        """Return the effect that is declared for a tool, None when it is not declared."""
        for name in tool.names:
            if (found := self._exact.get(name)) is not None and not tool.server:
                return found
        for server in self._servers:
            if server.matches(tool):
                return server.effect
        for prefix, effect in self._prefixes:
            if any(name.startswith(prefix) for name in tool.names):
                return effect
        return None

    @cached_property
    def _hash(self) -> int:
        return hash(str(self._entries))

    @cached_property
    def _exact(self) -> dict[str, str]:
        return {
            name: _effect(entry)
            for entry in self._entries
            if (name := str(entry.get("name", ""))) and not name.endswith("*")
        }

    @cached_property
    def _prefixes(self) -> list[tuple[str, str]]:
        return [
            (name[:-1], _effect(entry))
            for entry in self._entries
            if (name := str(entry.get("name", ""))).endswith("*")
        ]

    @cached_property
    def _servers(self) -> list[_Server]:
        found = []
        for entry in self._entries:
            if name := entry.get("mcp"):
                listed = entry.get("tools")
                tools = None if listed is None else frozenset(mcp_label(name, t) for t in listed)
                url = str(entry.get("url", ""))
                found.append(_Server(mcp_label(name), tools, url, _effect(entry)))
        return found


@dataclass(frozen=True, slots=True)
class SharedTools:
    """What each of several allows: only what all of them do."""

    of: tuple[DeclaredTools, ...]

    def effect_of(self, tool: Tool) -> str | None:
        """Return the effect that the first states, None unless all declare the tool."""
        found = [one.effect_of(tool) for one in self.of]
        return None if None in found else (found[0] if found else UNSTATED)


NOTHING: Final = DeclaredTools()


def _effect(entry: Mapping[str, Any]) -> str:
    return str(entry.get("effect") or UNSTATED)


def _is_at(declared: str, given: str) -> bool:
    """Tell whether an address is the declared one or below it."""
    try:
        said, asked = urlsplit(declared), urlsplit(given)
        same = (said.scheme, said.hostname, said.port) == (asked.scheme, asked.hostname, asked.port)
    except ValueError:
        return False
    if not same or asked.username or asked.password or ".." in asked.path or "%" in asked.path:
        return False
    base = said.path.rstrip("/")
    return asked.path == base or asked.path.startswith(base + "/")
