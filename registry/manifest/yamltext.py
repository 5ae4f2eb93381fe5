"""YAML, narrowed to what JSON can say, with the line of every key.

No anchors, aliases, tags, merge keys or second documents; plain words resolve as JSON's:
``no``, ``0123``, ``12:30`` and ``2026-11-21`` are text, only ``true``, ``false``, ``null``
and JSON's own numbers are not. Values are built from the event stream with a stack of our
own, so that neither depth nor width costs more than the bytes that were sent.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from kernel.canonical import MAX_DEPTH
from registry.manifest.problems import MAX_PROBLEMS, Path, Problem, shown
from registry.manifest.text import Source, check_size, unreadable

# libyaml where the wheel has it: the same events, ten times as fast.
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MAX_DIGITS: Final = 400
_WORDS: Final[dict[str, object]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip


def plain_value(text: str) -> object:
    """Resolve a plain word: JSON's literals and numbers, otherwise text. Raises ValueError."""
    if text in _WORDS:
        return _WORDS[text]
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text
    if len(text) > _MAX_DIGITS:
        raise ValueError("a number of that length cannot be represented")
    if match[1] is None and match[2] is None:
        return int(text)
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("the number is out of range")
    return number


def read_yaml(raw: bytes) -> Source:
    """Read a YAML manifest's bytes. Raises: ManifestUnreadable, BodyTooLarge."""
    check_size(raw)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise unreadable([Problem((), "The text is not UTF-8.", line)]) from None
    building = _Building()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            building.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = mark.line + 1 if mark else None
        building.problems.append(Problem((), f"This is not YAML: {error.problem}.", at))
    except yaml.YAMLError:
        building.problems.append(Problem((), "This is not YAML: a character is not allowed."))
    except _Enough:
        pass
    if building.problems:
        raise unreadable(building.problems)
    return Source(building.root, building.lines)


class _Enough(Exception):
    """Stops reading: what follows could only be more of the same, or too much."""


@dataclass(slots=True)
class _Frame:
    container: Any
    path: Path
    key: str | None = None  # of a mapping: the key whose value comes next


@dataclass(slots=True)
class _Building:
    """Builds values from YAML events, with a stack of its own, so depth costs no recursion."""

    root: object = None
    documents: int = 0
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    stack: list[_Frame] = field(default_factory=list)

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        match event:
            case yaml.DocumentStartEvent():
                self._open_document(line)
            case yaml.AliasEvent():
                self._refuse(line, f"The alias *{shown(event.anchor)} is not accepted.")
                self._place(None, line)
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self.stack.pop()
            case _:
                pass  # where the stream or a document begins and ends

    def _open_document(self, line: int) -> None:
        self.documents += 1
        if self.documents > 1:
            self._refuse(line, "A file holds one manifest; a second document begins here.")
            raise _Enough

    def _open(self, event: Any, line: int) -> None:
        self._check_marks(event, line)
        if self.stack and self._wants_key():
            self._refuse(line, "A key must be a word, not a list or a mapping.")
            raise _Enough
        if len(self.stack) >= MAX_DEPTH:
            self._refuse(line, f"The document is nested deeper than {MAX_DEPTH}.")
            raise _Enough
        container: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
        path = self._place(container, line)
        self.stack.append(_Frame(container, path))

    def _scalar(self, event: Any, line: int) -> None:
        self._check_marks(event, line)
        text: str = event.value
        if self.stack and self._wants_key():
            self._take_key(text, line)
            return
        value: object = text
        if event.implicit[0]:
            try:
                value = plain_value(text)
            except ValueError as error:
                self._refuse(line, f"{shown(text)}: {error}.")
        self._place(value, line)

    def _take_key(self, text: str, line: int) -> None:
        frame = self.stack[-1]
        if text in frame.container:
            first = self.lines.get((*frame.path, text))
            self._refuse(
                line,
                f"The key appears twice in one mapping, first on line {first}.",
                (*frame.path, text),
            )
        frame.key = text
        self.lines.setdefault((*frame.path, text), line)

    def _place(self, value: object, line: int) -> Path:
        """Put a value where it belongs and return its path."""
        if not self.stack:
            self.root = value
            self.lines.setdefault((), line)
            return ()
        frame = self.stack[-1]
        if isinstance(frame.container, list):
            path: Path = (*frame.path, len(frame.container))
            frame.container.append(value)
        elif frame.key is None:  # an alias in the place of a key
            frame.key = ""
            return frame.path
        else:
            path = (*frame.path, frame.key)
            frame.container[frame.key] = value
            frame.key = None
        self.lines.setdefault(path, line)
        return path

    def _wants_key(self) -> bool:
        frame = self.stack[-1]
        return isinstance(frame.container, dict) and frame.key is None

    def _check_marks(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            self._refuse(line, f"The anchor &{shown(event.anchor)} is not accepted.")
        if event.tag is not None:
            self._refuse(line, f"The tag {shown(event.tag)} is not accepted.")

    def _refuse(self, line: int, message: str, path: Path | None = None) -> None:
        self.problems.append(Problem(self._here() if path is None else path, message, line))
        if len(self.problems) >= MAX_PROBLEMS:
            raise _Enough

    def _here(self) -> Path:
        if not self.stack:
            return ()
        frame = self.stack[-1]
        if isinstance(frame.container, list):
            return (*frame.path, len(frame.container))
        return frame.path if frame.key is None else (*frame.path, frame.key)
