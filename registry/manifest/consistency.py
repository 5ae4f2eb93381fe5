"""What a schema cannot say: names that repeat, names that point nowhere, text that deceives."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

from registry.manifest.problems import Lines, Path, Problem, line_of, listed, nearest, shown
from registry.manifest.semver import SemVer

# Addresses of the portal and the API that an agent's name would hide.
RESERVED_NAMES: Final = frozenset({"register", "new", "check", "import", "export", "schema"})
# Letters that are drawn as nothing at all; format characters hide or reorder (CVE-2021-42574),
# but for the two joiners, which some scripts and many emoji need.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_JOINERS: Final = frozenset("\u200c\u200d")
_NAMED_LISTS: Final = (("models", ("alias",)), ("tools", ("name", "mcp")), ("prompts", ("name",)),
                       ("steps", ("name",)), ("skills", ("id",)))  # fmt: skip


def check_text(document: object, lines: Lines) -> list[Problem]:
    """Return every text that holds a character nobody can see or the database cannot keep."""
    found = []
    for path, text in _texts(document):
        char = next((c for c in text if _is_unseen(c)), None)
        if char is not None:
            name = unicodedata.name(char, "control character")
            message = f"holds a character that cannot be seen: U+{ord(char):04X} ({name.lower()})"
            found.append(Problem(path, message, line_of(lines, path)))
    return found


def check_meaning(document: Mapping[str, Any], lines: Lines) -> list[Problem]:
    """Return what contradicts itself in a document that has the right shape."""
    found = [*_names(document), *_people(document), *_repeated(document), *_steps(document)]
    return [Problem(path, message, line_of(lines, path)) for path, message in found]


def _names(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    name = document["metadata"]["name"]
    if name in RESERVED_NAMES:
        yield ("metadata", "name"), f"'{name}' is reserved; choose another name"
    version = document["spec"]["version"]
    if SemVer.parse(version) is None:
        yield ("spec", "version"), f"'{version}' is not a semantic version, such as 1.4.0"


def _people(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    spec = document["spec"]
    if spec["backupOwner"].lower() == spec["owner"].lower():
        yield ("spec", "backupOwner"), "must be somebody else than the owner"


def _repeated(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    for section, keys in _NAMED_LISTS:
        seen: set[str] = set()
        for index, item in enumerate(document["spec"].get(section, [])):
            key = next(key for key in keys if key in item)
            name = item[key]
            if name in seen:
                yield ("spec", section, index, key), f"'{shown(name)}' is named twice"
            seen.add(name)


def _steps(document: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    spec = document["spec"]
    aliases = {model["alias"] for model in spec["models"]}
    tools = {tool.get("name") or tool["mcp"] for tool in spec.get("tools", [])}
    known = sorted(aliases | tools | {prompt["name"] for prompt in spec.get("prompts", [])})
    for index, step in enumerate(spec.get("steps", [])):
        for place, name in enumerate(step.get("uses", [])):
            path: Path = ("spec", "steps", index, "uses", place)
            if name not in known:
                meant = nearest(name, known)
                hint = f"did you mean {meant}?" if meant else f"known are {listed(known)}"
                yield (
                    path,
                    f"'{shown(name)}' is no alias, tool or prompt named above; {hint}",
                )
            elif step["kind"] == "deterministic" and name in aliases - tools:
                yield path, f"a deterministic step cannot use the model '{name}'; its kind is model"


def _texts(document: object) -> Iterator[tuple[Path, str]]:
    stack: list[tuple[Path, object]] = [((), document)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            for key, item in value.items():
                yield (*path, key), key
                stack.append(((*path, key), item))
        elif isinstance(value, list):
            stack.extend(((*path, index), item) for index, item in enumerate(value))


def _is_unseen(char: str) -> bool:
    if char in "\n\t" or " " <= char <= "~":
        return False
    if char in _JOINERS:
        return False
    return char in _BLANK or unicodedata.category(char) in ("Cc", "Cf", "Cs")
