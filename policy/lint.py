"""What a bundle may not contain, read from its text before any engine sees it.

A decision has to be a pure function of its facts, and the engine has traps: it fails open
on a built-in it lacks, crashes on ``with``, and accepts rules in the grammar before v1,
where a forgotten ``if`` changes the meaning. So built-ins are allowed by name, the rest
is refused, and no default may say yes.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from policy.bundle import Bundle

# Pure, total on the types we hand in, and alike in rego-cpp and OPA. Not `sprintf`: rego-cpp
# leaves quotes inside a text that was joined before, so its answer is no longer JSON.
ALLOWED: Final = frozenset(
    {
        *("is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string"),
        *("abs", "ceil", "floor", "round", "count", "max", "min", "sort", "sum"),
        *("concat", "contains", "endswith", "indexof", "lower", "split", "startswith"),
        *("substring", "trim", "trim_prefix", "trim_suffix", "upper"),
        *("array.concat", "intersection", "object.get", "object.keys", "union"),
    }
)
_TOKEN: Final = re.compile(
    r'(?P<template>\$["`])|(?P<text>"(?:\\.|[^"\\\n])*"|`[^`]*`)|(?P<comment>\#[^\n]*)'
    r"|(?P<name>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(?P<call>[ \t]*\()?|(?P<break>\n)|(?P<other>.)"
)
# Up to the next line that starts a rule of its own.
_DEFAULT_TRUE: Final = re.compile(
    r"^default\b(?:[^\n]|\n(?![a-zA-Z#])|\n(?=true\b))*?\btrue\b", re.MULTILINE
)
_PACKAGE: Final = re.compile(r"^package[ \t]+([\w.]+)", re.MULTILINE)
_KEYWORDS: Final = frozenset({"if", "in", "not", "every", "some", "contains", "else", "default"})


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a bundle is refused, with the place."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def lint(bundle: Bundle, entrypoint: str) -> list[Problem]:
    """Return every reason to refuse the bundle, in the order of its files."""
    functions: dict[str, set[str]] = {}
    for source in bundle.modules.values():
        functions.setdefault(_package(source), set()).update(_functions(_tokens(source)))
    found = [
        problem
        for name, source in sorted(bundle.modules.items())
        for problem in lint_module(name, source, functions[_package(source)])
    ]
    if not any(_defines(source, entrypoint) for source in bundle.modules.values()):
        # The engine builds such a bundle gladly and answers nothing.
        found.append(Problem("bundle", 1, f"no module defines {entrypoint}"))
    return found


def lint_module(name: str, source: str, beside: AbstractSet[str] = frozenset()) -> list[Problem]:
    """Return every reason to refuse one module; `beside` are functions its package has."""
    tokens = _tokens(source)
    defined = _functions(tokens) | beside
    found = [
        Problem(name, line, what)
        for line, kind, text in tokens
        if (what := _objection(kind, text, defined))
    ]
    found.extend(_defaults_that_allow(name, source))
    found.extend(_rules_before_v1(name, tokens))
    return sorted(found, key=lambda problem: problem.line)


def _defines(source: str, entrypoint: str) -> bool:
    package, _, rule = entrypoint.rpartition("/")
    name = re.escape(package.replace("/", "."))
    has_package = re.search(rf"^package[ \t]+{name}\b(?!\.)", source, re.MULTILINE)
    has_rule = re.search(rf"^(?:default[ \t]+)?{re.escape(rule)}\b", source, re.MULTILINE)
    return has_package is not None and has_rule is not None


def _functions(tokens: list[tuple[int, str, str]]) -> set[str]:
    return {
        text for (_, kind, text), before in zip(tokens, [None, *tokens], strict=False)
        if kind == "call" and (before is None or before[1] == "break")
    }  # fmt: skip


def _package(source: str) -> str:
    found = _PACKAGE.search(source)
    return found[1] if found else ""


def _objection(kind: str, text: str, defined: AbstractSet[str]) -> str:
    if kind == "template":
        return "template strings are not read alike by every engine; use concat"
    if text == "with":
        return "`with` crashes the engine; only unit tests may replace facts"
    if text == "import":
        return "imports are not needed in Rego v1 and are not allowed"
    if kind == "call" and text not in ALLOWED and text not in defined and text not in _KEYWORDS:
        return f"built-in {text} is not on the list of allowed ones"
    return ""


def _defaults_that_allow(name: str, source: str) -> list[Problem]:
    return [
        Problem(name, source.count("\n", 0, match.start()) + 1, "a default may never say true")
        for match in _DEFAULT_TRUE.finditer(source)
    ]


def _rules_before_v1(name: str, tokens: list[tuple[int, str, str]]) -> list[Problem]:
    """Find ``name {`` at the start of a line: a rule without `if`, as Rego had it before v1."""
    return [
        Problem(name, third[0], f"rule {second[2]} has a body without `if`")
        for first, second, third in zip(
            [(0, "break", "\n"), *tokens], tokens, tokens[1:], strict=False
        )
        if first[1] == "break" and second[1] == "name" and third[2] == "{"
    ]


def _tokens(source: str) -> list[tuple[int, str, str]]:
    """Return (line, kind, text) of names, calls, breaks and signs, without texts and comments."""
    tokens, line = [], 1
    for match in _TOKEN.finditer(source):
        kind, text = match.lastgroup or "other", match.group()
        if kind == "call":
            text = text[:-1].rstrip()
        if kind not in {"text", "comment"} and (kind == "break" or not text.isspace()):
            tokens.append((line, kind, text))
        line += text.count("\n")
    return tokens
