"""The tool calls of a streamed chat completion.

A call comes in pieces that clients join: its name may come late or in parts. From its first
piece until its name is complete (arguments begin, the next call begins, the choice ends)
everything is held, in order. A name that goes on later would be another name to a client
that joins, so it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from routing.gateway.sse import Event
from routing.gateway.tools.called import chat_name
from routing.gateway.tools.naming import Tool, label_of
from routing.gateway.tools.ruling import STRIP, blocked, note
from routing.gateway.tools.streams import HELD_BYTES, CallStream, rewritten

_LEGACY: Final = "function_call"
Key = tuple[Any, Any]


@dataclass(slots=True)
class _Open:
    name: str = ""
    stays: bool | None = None  # None: its name is not complete
    place: int = 0


class ChatCalls(CallStream):
    """Watches `delta.tool_calls` and `delta.function_call`."""

    operation = "chat"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._calls: dict[Key, _Open] = {}
        self._held: list[tuple[Event, dict[str, Any] | None]] = []
        self._size = 0
        self._removed: list[str] = []
        self._has_text: set[Any] = set()

    def finish(self) -> list[Event]:
        for call in self._calls.values():
            self._complete(call)
        return self._let_go()

    def _pass(self, event: Event) -> list[Event]:
        return self._hold(event, None) if self._held else [event]

    def _is_of_interest(self, data: bytes) -> bool:
        # Where calls are removed, it counts what else was said, and how the choice ends.
        return self._ruling.mode == STRIP or super()._is_of_interest(data)

    def _read(self, event: Event, document: dict[str, Any]) -> list[Event]:
        for choice in _choices(document):
            self._read_choice(choice)
        if not self._ruling.governs:
            self._complete_all()
            return [event]
        events = self._hold(event, document)
        if any(call.stays is None for call in self._calls.values()):
            return []
        return events + self._let_go()

    def _read_choice(self, choice: dict[str, Any]) -> None:
        number, delta = choice.get("index"), choice.get("delta")
        message = choice.get("message")  # some servers end a stream with the whole
        for said in (delta, message):
            if isinstance(said, dict):
                self._read_delta(str(number), said)
        if choice.get("finish_reason") is not None:
            for key, call in self._calls.items():
                if key[0] == str(number):
                    self._complete(call)

    def _read_delta(self, number: str, delta: dict[str, Any]) -> None:
        if delta.get("content"):
            self._has_text.add(number)
        listed = delta.get("tool_calls")
        for piece in listed if isinstance(listed, list) else ():
            if isinstance(piece, dict):
                self._take_piece((number, self._key_of(number, piece)), piece, chat_name(piece))
        legacy = delta.get(_LEGACY)
        if isinstance(legacy, dict):
            piece = {"function": legacy}
            self._take_piece((number, _LEGACY), piece, legacy.get("name"))

    def _key_of(self, number: str, piece: dict[str, Any]) -> Any:
        index = piece.get("index")
        if isinstance(index, int):
            return index
        # Without an index, a piece with a name begins a call, and others go on with the last.
        before = [key[1] for key in self._calls if key[0] == number and isinstance(key[1], int)]
        last = max(before, default=-1)
        piece["index"] = max(last, 0) if before and not chat_name(piece) else last + 1
        return piece["index"]

    def _take_piece(self, key: Key, piece: dict[str, Any], name: Any) -> None:
        call = self._calls.get(key)
        if call is None:
            for other_key, other in self._calls.items():
                if other_key[0] == key[0]:
                    self._complete(other)
            call = self._calls[key] = _Open()
        if isinstance(name, str) and name:
            if call.stays is not None and self._ruling.governs:
                raise blocked([label_of(call.name + name)])
            call.name += name
        elif name not in (None, ""):
            call.name += "\0"  # no name that a vendor may give
        if _has_arguments(piece):
            self._complete(call)

    def _complete_all(self) -> None:
        for call in self._calls.values():
            if call.name:
                self._complete(call)

    def _complete(self, call: _Open) -> None:
        if call.stays is not None:
            return
        tool = Tool(label_of(call.name))
        call.stays = self._stays(tool)
        if not call.stays:
            self._removed.append(tool.label)
        call.place = sum(other.stays is True for other in self._calls.values()) - call.stays

    def _hold(self, event: Event, document: dict[str, Any] | None) -> list[Event]:
        self._held.append((event, document))
        self._size += len(event.raw)
        if self._size > HELD_BYTES:
            raise blocked(["a tool whose name does not come"])
        return []

    def _let_go(self) -> list[Event]:
        held, self._held, self._size = self._held, [], 0
        if not self._removed:
            return [event for event, _ in held]
        return [passed for event, document in held for passed in self._without(event, document)]

    def _without(self, event: Event, document: dict[str, Any] | None) -> list[Event]:
        if document is None:
            return [event]
        choices = _choices(document)
        for choice in choices:
            self._thin(choice)
        if choices and all(_is_void(choice) for choice in choices):
            return []
        return [rewritten(document, named=False)]

    def _thin(self, choice: dict[str, Any]) -> None:
        number, delta = str(choice.get("index")), choice.get("delta")
        if isinstance(delta, dict):
            listed = delta.pop("tool_calls", None)
            kept = []
            for piece in listed if isinstance(listed, list) else ():
                call = self._calls.get((number, piece.get("index")))
                if call is not None and call.stays:
                    kept.append(piece | {"index": call.place})
            if kept:
                delta["tool_calls"] = kept
            legacy = self._calls.get((number, _LEGACY))
            if legacy is not None and not legacy.stays:
                delta.pop(_LEGACY, None)
        choice.pop("message", None)
        mine = [call for key, call in self._calls.items() if key[0] == number]
        if choice.get("finish_reason") is None or not mine or any(call.stays for call in mine):
            return
        choice["finish_reason"] = "stop"
        if number not in self._has_text:
            choice["delta"] = (delta or {}) | {"content": note(self._removed)}


def _choices(document: dict[str, Any]) -> list[dict[str, Any]]:
    listed = document.get("choices")
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _has_arguments(piece: dict[str, Any]) -> bool:
    for kind, member in (("function", "arguments"), ("custom", "input")):
        inner = piece.get(kind)
        if isinstance(inner, dict) and inner.get(member):
            return True
    return False


def _is_void(choice: dict[str, Any]) -> bool:
    """Tell whether nothing is left of a piece but what frames it."""
    delta = choice.get("delta")
    said = delta.items() if isinstance(delta, dict) else ()
    left = [name for name, value in said if name != "role" and value not in (None, "")]
    return not left and choice.get("finish_reason") is None and "role" not in (delta or {})
