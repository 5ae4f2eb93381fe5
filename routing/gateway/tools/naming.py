"""What a tool is called, alike in manifests, requests, answers and the record.

Owns the label: a function's own name, the family of a vendor's built-in without its date
(`web_search_preview_2025_03_11` is `web_search`), and `mcp__server__tool` for MCP, as
Claude Code spells it. A name that no vendor would take becomes a digest: policy and record
hold only names that every reader reads alike.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any, Final

from routing.gateway.detectors.words import without_credentials

LONGEST: Final = 128
UNNAMED: Final = "unnamed"
_is_sound = re.compile(r"[A-Za-z0-9_.:/@-]{1,128}").fullmatch
_DATE: Final = re.compile(r"_(?:\d{8}|\d{4}_\d{2}_\d{2})$")
_RUN_BY_CLIENTS: Final = (
    "bash", "text_editor", "computer", "memory", "local_shell", "shell", "apply_patch",
)  # fmt: skip
_NOT_OF_A_LABEL: Final = re.compile(r"[^A-Za-z0-9_-]")


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as it is offered or called.

    ``also`` are other names that it may be declared by. Of an MCP server, ``server`` is its
    name, ``part`` the one tool (empty: all of them) and ``url`` where the vendor finds it.
    ``is_hosted`` when the vendor carries it out itself.
    """

    label: str
    also: tuple[str, ...] = ()
    server: str = ""
    part: str = ""
    url: str = ""
    is_hosted: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (self.label, *self.also)


def label_of(name: Any) -> str:
    """Return a name as it is compared and recorded."""
    if not isinstance(name, str) or not name:
        return UNNAMED
    if _is_sound(name) and without_credentials(name) is name:
        return name
    return "unreadable-" + hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:16]


def built_in(kind: Any) -> Tool:
    """Return a vendor's built-in tool: its type without date and `_preview`, or as written."""
    written = label_of(kind)
    undated = _DATE.sub("", written)
    label = undated.removesuffix("_preview")
    also = tuple(name for name in dict.fromkeys((undated, written)) if name != label)
    return Tool(label, also, is_hosted=not label.startswith(_RUN_BY_CLIENTS))


def mcp_label(server: Any, part: Any = "") -> str:
    """Return the label of an MCP server or of one of its tools."""
    base = "mcp__" + _plain(server)
    return f"{base}__{_plain(part)}" if part else base


def mcp_tool(server: Any, part: Any = "", url: Any = "") -> Tool:
    """Return a tool of an MCP server that the vendor talks to."""
    return Tool(
        mcp_label(server, part),
        server=server if isinstance(server, str) else "",
        part=part if isinstance(part, str) else UNNAMED,
        url=url if isinstance(url, str) else "",
        is_hosted=True,
    )


def _plain(name: Any) -> str:
    """Spell a name as clients do inside of `mcp__server__tool`."""
    label = label_of(name)
    return _NOT_OF_A_LABEL.sub("_", label)[:LONGEST]
