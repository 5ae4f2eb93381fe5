"""Which tools a request offers to the model, in each wire, and the request without some.

Owns the reading of `tools`, `functions`, `mcp_servers` and what forces one of them. A list
of tools is mostly the same in every call of an agent, so its reading is kept by its text.
What a tool is described as never leaves this module: only its name does, and the digest of
the whole list, which changes when a description does.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from kernel.errors import Malformed
from routing.gateway.body import CallBody, element_spans, splice, without_members
from routing.gateway.tools.naming import LONGEST, UNNAMED, Tool, built_in, label_of, mcp_tool

MEMBERS: Final = ("tools", "functions", "mcp_servers", "web_search_options")
_FORCING: Final[tuple[str, ...]] = ("tool_choice", "function_call", "parallel_tool_calls")
MOST: Final = 2_000
MOST_TEXT: Final = 64 * 1024
LONGEST_LIST: Final = 1024 * 1024  # characters, looked at before anything is read
_KEPT: Final = 256
_KEPT_TEXT: Final = 256 * 1024
_KEPT_TOGETHER: Final = 16 * 1024 * 1024
_FIXED_NAMES: Final = {"text_editor": ("str_replace_editor", "str_replace_based_edit_tool")}
_FREE: Final = frozenset({"", "auto", "none"})


class ToolsUnreadable(Malformed):
    """Raised when the tools of a request cannot be told apart: they cannot be governed then."""

    code = "routing.tools_unreadable"
    title = "The tools of this call cannot be read"


@dataclass(frozen=True, slots=True)
class Element:
    """One entry of a list in a request, and the tools it brings."""

    member: str
    index: int
    tools: tuple[Tool, ...]


@dataclass(frozen=True, slots=True)
class Offered:
    """What one request offers."""

    elements: tuple[Element, ...] = ()
    digest: str = ""

    @property
    def tools(self) -> list[Tool]:
        """Return each tool once, in the order of labels."""
        found = {tool.label: tool for element in self.elements for tool in element.tools}
        # One label twice, at two addresses: both are judged.
        twice = {
            (tool.label, tool.url): tool for element in self.elements for tool in element.tools
        }
        return [found[label] for label in sorted(found)] if len(twice) == len(found) else [
            twice[key] for key in sorted(twice)
        ]  # fmt: skip


NONE: Final = Offered()


class OfferedTools:
    """Reads what requests offer; remembers lists that come again."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], Offered] = OrderedDict()
        self._size = 0

    def read(self, operation: str, body: CallBody) -> Offered:
        """Return what a request offers. Raises: ToolsUnreadable."""
        spans, text = body.spans, body.text
        pieces = [
            piece
            for member in MEMBERS
            if member in spans
            for piece in (member, text[slice(*spans[member])])
        ]
        if not pieces:
            return NONE
        key = (operation, *pieces)
        if (known := self._known.get(key)) is not None:
            self._known.move_to_end(key)
            return known
        if sum(map(len, pieces)) > LONGEST_LIST:
            raise ToolsUnreadable(
                f"The tools of this call have more than {LONGEST_LIST // 1024} KiB of text, too"
                " much to be governed. Offer fewer, or describe them in fewer words.",
                param="tools",
            )
        offered = _read(operation, pieces)
        if (size := sum(map(len, key))) <= _KEPT_TEXT:
            self._known[key] = offered
            self._size += size
            while len(self._known) > _KEPT or self._size > _KEPT_TOGETHER:
                gone, _ = self._known.popitem(last=False)
                self._size -= sum(map(len, gone))
        return offered


def offers_any(body: CallBody) -> bool:
    """Tell whether a request has a member that could offer a tool."""
    spans = body.spans
    return (
        "tools" in spans
        or "functions" in spans
        or "mcp_servers" in spans
        or "web_search_options" in spans
    )


def forced_by(body: CallBody) -> list[str] | None:
    """Return the labels a request insists on; None when it insists on any tool at all."""
    labels: list[str] = []
    for member in ("tool_choice", "function_call"):
        if member not in body.spans:
            continue
        choice = _loads(body.text[slice(*body.spans[member])])
        if isinstance(choice, str):
            if choice not in _FREE:
                return None
        elif isinstance(choice, dict):
            found = list(_named_by(choice))
            if not found and choice.get("type") in ("any", "required"):
                return None
            labels += found
    return labels


def stripped(body: CallBody, offered: Offered, labels: Collection[str]) -> bytes:
    """Return a request's bytes without the tools of these labels; every other byte stays."""
    text, spans = body.text, body.spans
    gone = {
        (element.member, element.index)
        for element in offered.elements
        if any(tool.label in labels for tool in element.tools)
    }
    edits: list[tuple[int, int, str]] = []
    empty: list[str] = []
    for member in MEMBERS:
        if member not in spans or all(name != member for name, _ in gone):
            continue
        start, end = spans[member]
        pieces = element_spans(text, start) if text[start] == "[" else []
        kept = [text[a:b] for i, (a, b) in enumerate(pieces) if (member, i) not in gone]
        if kept:
            edits.append((start, end, "[" + ",".join(kept) + "]"))
        else:
            empty.append(member)
    if len(gone) == len(offered.elements):
        empty += [name for name in _FORCING if name in spans]  # vendors refuse them alone
    cut = splice(text, edits) if edits else text
    return (without_members(cut, empty) if empty else cut).encode()


def _read(operation: str, pieces: list[str]) -> Offered:
    elements: list[Element] = []
    for member, text in zip(pieces[::2], pieces[1::2], strict=True):
        listed = _loads(text)
        if listed is None or listed == []:
            continue
        if member == "web_search_options":
            elements.append(Element(member, 0, (Tool("web_search", is_hosted=True),)))
            continue
        if not isinstance(listed, list):
            raise ToolsUnreadable(f"{member} must be a list.", param=member)
        if len(listed) > MOST:
            raise ToolsUnreadable(
                f"{member} has {len(listed)} entries; at most {MOST} can be governed.",
                param=member,
            )
        for index, entry in enumerate(listed):
            elements.append(Element(member, index, tuple(_tools_of(operation, member, entry))))
    labels = {tool.label for element in elements for tool in element.tools}
    if len(labels) > MOST or sum(map(len, labels)) > MOST_TEXT:
        raise ToolsUnreadable(
            f"The call offers {len(labels)} tools; at most {MOST} can be governed, and their"
            f" names may have {MOST_TEXT // 1024} KiB together.",
            param="tools",
        )
    elements = _with_addresses(elements)
    digest = hashlib.sha256("\0".join(pieces).encode("utf-8", "surrogatepass")).hexdigest()
    return Offered(tuple(elements), f"sha256:{digest}") if elements else NONE


def _with_addresses(elements: list[Element]) -> list[Element]:
    """Give each mention of a server the address that another mention has."""
    urls = {tool.server: tool.url for one in elements for tool in one.tools if tool.url}
    if not urls:
        return elements
    return [
        replace(one, tools=tuple(replace(tool, url=tool.url or urls.get(tool.server, ""))
                                 for tool in one.tools))
        for one in elements
    ]  # fmt: skip


def _tools_of(operation: str, member: str, entry: Any) -> Iterable[Tool]:
    if not isinstance(entry, dict):
        return [Tool(UNNAMED)]
    if member == "functions":
        return [Tool(label_of(entry.get("name")))]
    if member == "mcp_servers":
        config = entry.get("tool_configuration")
        only = config.get("allowed_tools") if isinstance(config, dict) else None
        return _of_server(entry.get("name"), entry.get("url"), only)
    return _READ.get(operation, _of_chat)(entry.get("type"), entry)


def _of_chat(kind: Any, entry: dict[str, Any]) -> Iterable[Tool]:
    inner = entry.get(kind) if isinstance(kind, str) else entry.get("function")
    if isinstance(inner, dict) and "name" in inner:
        return [Tool(label_of(inner["name"]))]
    return [Tool(UNNAMED) if kind in (None, "function", "custom") else built_in(kind)]


def _of_response(kind: Any, entry: dict[str, Any]) -> Iterable[Tool]:
    if kind in ("function", "custom"):
        return [Tool(label_of(entry.get("name")))]
    if kind == "mcp":
        only = entry.get("allowed_tools")
        if isinstance(only, dict):
            only = only.get("tool_names")
        return _of_server(
            entry.get("server_label"), entry.get("server_url") or entry.get("connector_id"), only
        )
    if kind == "namespace" and isinstance(inner := entry.get("tools"), list):
        return [
            tool
            for one in inner
            if isinstance(one, dict) and one.get("type") != "namespace"
            for tool in _of_response(one.get("type"), one)
        ] or [Tool(label_of(entry.get("name")))]
    return [built_in(kind)]


def _of_message(kind: Any, entry: dict[str, Any]) -> Iterable[Tool]:
    if kind == "mcp_toolset":
        return _of_server(entry.get("mcp_server_name"), "", None)
    if kind is None or kind == "custom":
        return [Tool(label_of(entry.get("name")))]
    found = built_in(kind)
    name = label_of(entry.get("name", found.label))
    if name == found.label:
        return [found]
    if name in _FIXED_NAMES.get(found.label, ()):
        return [Tool(name, found.names, is_hosted=found.is_hosted)]
    # The vendor's name for a built-in is fixed by its type; another one would be a disguise.
    return [Tool(f"{found.label}:{name}"[:LONGEST], is_hosted=found.is_hosted)]


def _of_server(name: Any, url: Any, only: Any) -> Iterable[Tool]:
    if isinstance(only, list) and only:
        return [mcp_tool(name, part or UNNAMED, url) for part in only]
    return [mcp_tool(name, "", url)]


_READ: Final = {"messages": _of_message, "count_tokens": _of_message, "responses": _of_response}


def _named_by(choice: dict[str, Any]) -> Iterable[str]:
    kind = choice.get("type")
    for inner in (choice, choice.get("function"), choice.get("custom")):
        if isinstance(inner, dict) and "name" in inner and kind != "mcp":
            yield label_of(inner["name"])
    if kind == "mcp":
        yield mcp_tool(choice.get("server_label"), choice.get("name") or "").label
    elif kind == "allowed_tools":
        return  # narrows what may be called, insists on nothing
    elif isinstance(kind, str) and kind not in (
        "function", "custom", "tool", "auto", "any", "none", "required",
    ):  # fmt: skip
        yield built_in(kind).label


def _loads(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ToolsUnreadable("The tools of this call cannot be read.", param="tools") from None
