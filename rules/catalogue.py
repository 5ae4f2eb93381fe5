"""The rules of a bundle as people read them: each by its name, with what it says.

Read from the text: a rule is where an answer names one. A comment ``# name: sentence`` speaks for
it; without one its own reason does, with … for what only a question can fill in.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_RULE: Final = re.compile(r'"rule":\s*"([a-z_]{1,40}\.[a-z_]{1,60})"')
_SAID: Final = re.compile(r"^#\s*([a-z_]{1,40}\.[a-z_]{1,60}):\s*(.+)$", re.MULTILINE)
_REASON: Final = re.compile(r'"reason":\s*')
_PART: Final = re.compile(
    r'"(?:\\.|[^"\\])*"|[A-Za-z_][\w.\[\]]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?'
)


@dataclass(frozen=True, slots=True)
class NamedRule:
    """One rule of a bundle."""

    name: str
    sentence: str
    file: str
    line: int


def rules_in(modules: Mapping[str, str]) -> list[NamedRule]:
    """Return every rule that the modules name, in the order of their files and lines."""
    said = {name: text for source in modules.values() for name, text in _SAID.findall(source)}
    found: dict[str, NamedRule] = {}
    for file, source in sorted(modules.items()):
        for match in _RULE.finditer(source):
            name, line = match.group(1), source.count("\n", 0, match.start()) + 1
            sentence = said.get(name) or _reason_after(source, match.end())
            found.setdefault(name, NamedRule(name, sentence, file, line))
    return list(found.values())


def _reason_after(source: str, position: int) -> str:
    match = _REASON.search(source, position, position + 40)
    if match is None:
        return ""
    written = source[match.end() :]
    if written.startswith('"'):
        return _text(_PART.match(written))
    if not written.startswith("concat("):
        return ""
    body = written.partition("[")[2].partition("\n\t])")[0]
    parts = [_text(part) if part.group().startswith('"') else "…" for part in _PART.finditer(body)]
    return "".join(parts)


def _text(match: re.Match[str] | None) -> str:
    return "" if match is None else match.group()[1:-1].replace('\\"', '"')
