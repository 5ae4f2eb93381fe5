"""Parts of a message in OpenAI's chat and blocks in Anthropic's messages, either way.

Owns texts, pictures and documents. What is in a block is carried whole or not at all.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from typing import Any, Final

from routing.gateway.mapping.losses import Losses, kind_of, list_of, refusal, text_of

Part = dict[str, Any]

_find_base64 = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w-]+=[^;,]*)*);base64,", re.I).match
_PICTURES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_TEXT_FILE: Final = "text/plain"
_PDF: Final = "application/pdf"
_UNNAMED: Final = {_PDF: "document.pdf", _TEXT_FILE: "document.txt"}


# --- parts to blocks


def blocks_of(content: Any, where: str, losses: Losses) -> list[Part]:
    """Return what a message says as blocks; no block for an empty text."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = list_of(content, where)
    return [_block(part, f"{where}.{kind_of(part, where)}", losses) for part in parts]


def _block(part: Part, where: str, losses: Losses) -> Part:
    hints = ("prompt_cache_breakpoint",)
    match part["type"]:
        case "text":
            said = losses.read(part, where, ("type", "text"), hints=hints)
            return {"type": "text", "text": text_of(said.get("text"), where)}
        case "refusal":
            said = losses.read(part, where, ("type", "refusal"))
            return {"type": "text", "text": text_of(said.get("refusal"), where)}
        case "image_url":
            said = losses.read(part, where, ("type", "image_url"), hints=hints)
            return _picture(said.get("image_url"), where, losses)
        case "file":
            said = losses.read(part, where, ("type", "file"), hints=hints)
            return _document(said.get("file"), where, losses)
        case _:
            raise refusal(where, "has no counterpart in the target's dialect")


def _picture(said: Any, where: str, losses: Losses) -> Part:
    picture = losses.read(said, where, ("url",), hints=("detail",), neutral={"detail": ("auto",)})
    url = text_of(picture.get("url"), where)
    if not url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = _inline(url, where)
    if media_type not in _PICTURES:
        raise refusal(where, f"must be one of {', '.join(_PICTURES)}")
    return {
        "type": "image",
        "source": {"type": "base64", "media_type": media_type, "data": data},
    }


def _document(said: Any, where: str, losses: Losses) -> Part:
    file = losses.read(said, where, ("file_data", "filename"))
    media_type, data = _inline(text_of(file.get("file_data"), where), where)
    source = {"type": "base64", "media_type": media_type, "data": data}
    if media_type == _TEXT_FILE:
        try:
            text = base64.b64decode(data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise refusal(where, "must be base64 of a text in UTF-8") from None
        source = {"type": "text", "media_type": media_type, "data": text}
    elif media_type != _PDF:
        raise refusal(where, f"must be {_PDF} or {_TEXT_FILE}")
    block: Part = {"type": "document", "source": source}
    if (name := file.get("filename")) and name not in _UNNAMED.values():
        block["title"] = name
    return block


def _inline(url: str, where: str) -> tuple[str, str]:
    found = _find_base64(url)
    if found is None:
        raise refusal(where, "must be a data: address in base64")
    return (found[1] or "").lower(), url[found.end() :]


# --- blocks to parts


def parts_of(blocks: Iterable[Any], where: str, losses: Losses) -> list[Part]:
    """Return blocks of a user's message as parts."""
    return [_part(block, f"{where}.{kind_of(block, where)}", losses) for block in blocks]


def said_of(parts: list[Part]) -> str | list[Part]:
    """Return parts as a message's content: a text alone as a text, which all servers take."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts


def plain_text(block: Part, where: str, losses: Losses) -> str:
    """Return a text block's text."""
    said = losses.read(
        block, where, ("type", "text"), hints=("cache_control", "citations"),
        neutral={"citations": ([],)},
    )  # fmt: skip
    return text_of(said.get("text"), where)


def _part(block: Part, where: str, losses: Losses) -> Part:
    match block["type"]:
        case "text":
            return {"type": "text", "text": plain_text(block, where, losses)}
        case "image":
            said = losses.read(block, where, ("type", "source"), hints=("cache_control",))
            return {"type": "image_url", "image_url": {"url": _address(said.get("source"), where)}}
        case "document":
            return _file(block, where, losses)
        case _:
            raise refusal(where, "has no counterpart in the target's dialect")


def _address(source: Any, where: str) -> str:
    match kind_of(source, where):
        case "url":
            return text_of(source.get("url"), where)
        case "base64":
            data = text_of(source.get("data"), where)
            return f"data:{text_of(source.get('media_type'), where)};base64,{data}"
        case other:
            raise refusal(f"{where}.source", f"of the type {other!r} has no counterpart")


def _file(block: Part, where: str, losses: Losses) -> Part:
    said = losses.read(
        block, where, ("type", "source", "title"), hints=("cache_control",),
        neutral={"citations": ({"enabled": False}, {})},
    )  # fmt: skip
    source: Any = said.get("source")
    match kind_of(source, where):
        case "base64":
            media_type, url = source.get("media_type"), _address(source, where)
        case "text":
            media_type = _TEXT_FILE
            data = base64.b64encode(text_of(source.get("data"), where).encode()).decode()
            url = f"data:{media_type};base64,{data}"
        case other:
            raise refusal(f"{where}.source", f"of the type {other!r} has no counterpart")
    name = said.get("title") or _UNNAMED.get(str(media_type), "document")
    return {"type": "file", "file": {"filename": name, "file_data": url}}
