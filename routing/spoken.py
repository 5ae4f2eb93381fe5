"""The turns of a conversation in a document of any wire: who said what, called what, saw what.

Knows the shapes of chat completions, responses, messages and reported steps. Takes what
somebody outside wrote: a shape that it does not know says nothing here, and never raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST: Final = 200_000
MOST: Final = 2000  # turns; the document itself shows the others
_INLINE: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?[^,]{0,100},")
_TEXTS: Final = {"text", "input_text", "output_text", "refusal", "summary_text"}
_PICTURES: Final = {"image", "image_url", "input_image"}
_FILES: Final = {"document", "file", "input_file", "input_audio", "audio"}
_THOUGHTS: Final = {"thinking", "redacted_thinking", "reasoning"}
_CALLS: Final = {"tool_use", "function_call", "server_tool_use", "mcp_call", "custom_tool_call"}
_RESULTS: Final = {"tool_result", "function_call_output", "custom_tool_call_output"}


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a turn: text, a call of a tool, its result, a picture, a file, a thought."""

    kind: str
    text: str
    name: str = ""  # of a tool
    id: str = ""  # by which a result names its call


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    parts: list[Part] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The turn as plain text."""
        shown = [
            f"→ {part.name}({part.text})" if part.kind == "call" else part.text
            for part in self.parts
        ]
        return "\n".join(shown).strip()[:LONGEST]


def turns_of(document: Any) -> list[Message]:
    """Return the turns a document holds, in their order."""
    if not isinstance(document, dict):
        return []
    found: list[Message] = []
    for number, turn in enumerate(_turns(document)):
        if number >= MOST:
            break
        if turn.parts:
            found.append(turn)
    return found


def offered_in(document: Any) -> list[str]:
    """Return the names of the tools that a request offers."""
    if not isinstance(document, dict):
        return []
    names = []
    for tool in dicts(document.get("tools")):
        inner = tool.get("function")
        named = inner if isinstance(inner, dict) else tool
        names.append(str(named.get("name") or named.get("type") or "?")[:200])
    return names[:MOST]


def settings_in(document: Any) -> dict[str, str]:
    """Return what a request says beside its words: plain members, in its own names."""
    if not isinstance(document, dict):
        return {}
    plain = (str, int, float, bool)
    return {
        str(name)[:80]: str(value)[:200]
        for name, value in list(document.items())[:60]
        if isinstance(value, plain) and name not in {"input", "prompt", "system", "instructions"}
    }


def _turns(document: dict[str, Any]) -> Iterator[Message]:
    yield from _asked(document)
    yield from _chosen(document)
    output = document.get("output")
    if isinstance(output, list) and dicts(output):
        yield from _items(output, "assistant")
    elif output is not None:
        yield Message("output", list(_value(output)))
    if document.get("type") == "message" and "content" in document:
        yield _turn(document, "assistant")  # an answer to messages
    error = document.get("error")
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        yield Message("error", [Part("text", error["message"][:LONGEST])])


def _asked(document: dict[str, Any]) -> Iterator[Message]:
    for name in ("system", "instructions"):
        if name in document:
            yield Message("system", list(_parts(document[name])))
    for turn in dicts(document.get("messages")):
        yield _turn(turn)
    yield from _items(document.get("input"), "user")
    for name in ("prompt", "arguments"):
        if name in document:
            yield Message(name, list(_value(document[name])))


def _chosen(document: dict[str, Any]) -> Iterator[Message]:
    for choice in dicts(document.get("choices")):
        answer = choice.get("message")
        if isinstance(answer, dict):
            yield _turn(answer, "assistant")
        elif isinstance(choice.get("text"), str):
            yield Message("assistant", [Part("text", choice["text"])])


def _turn(turn: dict[str, Any], role: str = "?") -> Message:
    parts = list(_parts(turn.get("content")))
    for name in ("reasoning_content", "refusal"):
        if isinstance(turn.get(name), str):
            parts.append(Part("thought" if name == "reasoning_content" else "text", turn[name]))
    for each in dicts(turn.get("tool_calls")):
        inner = each.get("function")
        called = inner if isinstance(inner, dict) else each
        parts.append(_call(called, called.get("arguments"), each.get("id")))
    if isinstance(inner := turn.get("function_call"), dict):
        parts.append(_call(inner, inner.get("arguments"), None))
    if turn.get("role") == "tool" and isinstance(turn.get("tool_call_id"), str):
        text = "\n".join(part.text for part in parts)
        parts = [Part("result", _laid_out(text), id=turn["tool_call_id"][:200])]
    return Message(str(turn.get("role", role))[:40], parts)


def _items(items: Any, role: str) -> Iterator[Message]:
    """Yield the items of a response's input or output."""
    if isinstance(items, str):
        yield Message(role, [Part("text", items[:LONGEST])])
        return
    for item in dicts(items):
        kind = str(item.get("type", "message"))
        if kind == "message" or "role" in item:
            yield Message(str(item.get("role", role))[:40], list(_parts(item.get("content"))))
        elif kind == "reasoning":
            yield Message(role, list(_parts(item.get("summary"))))
        else:
            yield Message("tool" if kind in _RESULTS else role, [_part(item)])


def _parts(content: Any) -> Iterator[Part]:
    if isinstance(content, str):
        yield Part("text", content[:LONGEST])
        return
    for part in content if isinstance(content, list) else []:
        if isinstance(part, str):
            yield Part("text", part[:LONGEST])
        elif isinstance(part, dict):
            yield _part(part)


def _part(part: dict[str, Any]) -> Part:
    kind = str(part.get("type", ""))
    for kinds, read in _READERS:
        if kind in kinds:
            return read(part)
    return Part("other", f"[{kind[:60] or '?'}]")


def _text_part(part: dict[str, Any]) -> Part:
    text = part.get("text") or part.get("refusal")
    return Part("text", text[:LONGEST] if isinstance(text, str) else "")


def _call_part(part: dict[str, Any]) -> Part:
    given = part.get("input", part.get("arguments"))
    return _call(part, given, part.get("id") or part.get("call_id"))


def _result_part(part: dict[str, Any]) -> Part:
    said = part.get("content", part.get("output"))
    inner = list(_parts(said)) if isinstance(said, (list, str)) else list(_value(said))
    text = "\n".join(one.text for one in inner)
    named = part.get("tool_use_id") or part.get("call_id") or ""
    return Part("result", _laid_out(text), id=str(named)[:200])


def _thought_part(part: dict[str, Any]) -> Part:
    text = part.get("thinking") or part.get("text") or "[not readable here]"
    return Part("thought", str(text)[:LONGEST])


_READERS: Final[tuple[tuple[set[str], Callable[[dict[str, Any]], Part]], ...]] = (
    (_TEXTS, _text_part),
    (_CALLS, _call_part),
    (_RESULTS, _result_part),
    (_THOUGHTS, _thought_part),
    (_PICTURES, lambda part: Part("picture", _where("picture", part))),
    (_FILES, lambda part: Part("file", _where(str(part["type"]).replace("_", " "), part))),
)


def _call(called: dict[str, Any], given: Any, named: Any) -> Part:
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return Part(
        "call", _laid_out(text), name=str(called.get("name", "?"))[:200], id=str(named or "")[:200]
    )


def _where(what: str, part: dict[str, Any]) -> str:
    """Describe a picture or a file: what it is, how large, or where; never its bytes."""
    source = part.get("source")
    inner = source if isinstance(source, dict) else part
    for name in ("image_url", "input_image", "file", "input_audio"):
        if isinstance(inner.get(name), dict):
            inner = inner[name]
    said = inner.get("url") or inner.get("image_url") or inner.get("file_data") or ""
    data = inner.get("data")
    media = str(inner.get("media_type") or inner.get("format") or "")[:60]
    if isinstance(said, str) and (found := _INLINE.match(said)):
        return f"[{what}: {found[1] or 'inline'}, {_size(len(said) - found.end())}]"
    if isinstance(data, str) and data:
        return f"[{what}: {media or 'inline'}, {_size(len(data))}]"
    if isinstance(said, str) and said:
        return f"[{what} at {said[:300]}]"
    named = inner.get("file_id") or inner.get("filename") or ""
    return f"[{what}: {str(named)[:200]}]" if named else f"[{what}]"


def _size(characters: int) -> str:
    count = characters * 3 // 4  # of base64
    return f"{count} bytes" if count < 1024 else f"{count / 1024:.0f} KB"


def _value(value: Any) -> Iterator[Part]:
    if isinstance(value, str):
        yield Part("text", value[:LONGEST])
    elif value is not None:
        yield Part("text", json.dumps(value, indent=2, ensure_ascii=False)[:LONGEST])


def _laid_out(text: str) -> str:
    """Lay JSON in a text out for reading; any other text stays as it is."""
    if len(text) > LONGEST or not text.lstrip().startswith(("{", "[")):
        return text[:LONGEST]
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return json.dumps(found, indent=2, ensure_ascii=False)[:LONGEST] if found else text


def dicts(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; of anything else, none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
