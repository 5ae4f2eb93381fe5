"""JSON, read strictly, with the line of every key.

The kernel's reader decides what is acceptable; the scanner here only finds lines in a
text that was accepted, or the line of the key that was refused as a repetition.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Final

from kernel.canonical import NotJSON, strict_loads
from registry.manifest.problems import Path
from registry.manifest.text import MAX_BYTES, Source, check_size

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|\n')


def read_json(raw: bytes) -> Source:
    """Read a JSON manifest's bytes. Raises: NotJSON, BodyTooLarge."""
    check_size(raw)
    try:
        value = strict_loads(raw, limit=MAX_BYTES)
    except NotJSON as error:
        if (key := error.facts.get("key")) is None:
            raise
        line = _scan(raw).line_of_repeated(str(key))
        raise NotJSON(f"{error.detail} (line {line})", key=key, line=line) from None
    return Source(value, _scan(raw).lines)


@dataclass(slots=True)
class _Frame:
    path: Path
    index: int | None  # of the next item of a list; None in an object
    key: str | None = None


@dataclass(slots=True)
class _Scan:
    """Walks the tokens of a JSON text with a stack of its own."""

    line: int = 1
    lines: dict[Path, int] = field(default_factory=dict)
    repeated: list[tuple[str, int]] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)

    def take(self, piece: str) -> None:
        if piece == "\n":
            self.line += 1
        elif piece in "}]":
            self.frames.pop()
        elif piece in ",:":
            return
        elif self.frames and self.frames[-1].index is None and self.frames[-1].key is None:
            self._take_key(json.loads(piece))
        else:
            path = self._next_path()
            self.lines.setdefault(path, self.line)
            if piece in "{[":
                self.frames.append(_Frame(path, 0 if piece == "[" else None))

    def line_of_repeated(self, key: str) -> int | None:
        return next((line for name, line in self.repeated if name[: len(key)] == key), None)

    def _take_key(self, key: str) -> None:
        frame = self.frames[-1]
        path = (*frame.path, key)
        if path in self.lines:
            self.repeated.append((key, self.line))
        self.lines.setdefault(path, self.line)
        frame.key = key

    def _next_path(self) -> Path:
        if not self.frames:
            return ()
        frame = self.frames[-1]
        if frame.index is not None:
            frame.index += 1
            return (*frame.path, frame.index - 1)
        key, frame.key = frame.key or "", None
        return (*frame.path, key)


def _scan(raw: bytes) -> _Scan:
    scan = _Scan()
    for match in _TOKEN.finditer(raw.decode("utf-8")):
        scan.take(match[0])
    return scan
