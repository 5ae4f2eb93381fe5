"""The committed stylesheet is the one its sources and the templates ask for.

Needs no Node: the build stamps the stylesheet with the digest of its sources, and every
class that a template names must be in it.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / "frontend"
STYLESHEET = ROOT / "static" / "css" / "unsprawl.css"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
# Named for scripts, tests or htmx, and styled by nothing.
BARE = frozenset({"chart-table", "needs-js", "when-light"})
REBUILD = "Run `make css` and commit static/css/unsprawl.css."

TAG = re.compile(r"\{%.*?%\}|\{#.*?#\}", re.DOTALL)
ATTRIBUTE = re.compile(r'\bclass="((?:[^"{]|\{(?![%{])|\{%.*?%\}|\{\{.*?\}\})*)"', re.DOTALL)
INLINE = re.compile(r"\sstyle=|\son[a-z]+=\"|<style|javascript:|hx-on", re.IGNORECASE)
SCRIPT = re.compile(r"<script(?![^>]*\ssrc=)", re.IGNORECASE)


def stamp_of_sources() -> str:
    digest = hashlib.sha256()
    for path in [*sorted(FRONTEND.glob("*.css")), FRONTEND / "package-lock.json"]:
        digest.update(f"{path.name}\n".encode() + path.read_bytes() + b"\n")
    return digest.hexdigest()


def known_classes() -> set[str]:
    css = STYLESHEET.read_text(encoding="utf-8")
    return {re.sub(r"\\(.)", r"\1", name) for name in re.findall(r"\.((?:[\w-]|\\.)+)", css)} | BARE


def named_classes(template: str) -> set[str]:
    names: set[str] = set()
    for attribute in ATTRIBUTE.findall(template):
        # A name that is joined to a variable, such as tone-{{ tone }}, cannot be checked.
        words = re.sub(r"[\w-]*\{\{.*?\}\}[\w-]*", " ", TAG.sub(" ", attribute))
        names |= {word for word in words.split() if not word.endswith("-")}
    return names


def test_the_stylesheet_was_built_from_the_sources_beside_it() -> None:
    first = STYLESHEET.read_text(encoding="utf-8").partition("\n")[0]
    assert first == f"/* sources:{stamp_of_sources()} */", REBUILD


def test_every_class_a_template_names_is_in_the_stylesheet() -> None:
    known = known_classes()
    missing = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in TEMPLATES
        for name in named_classes(path.read_text(encoding="utf-8"))
        if name not in known
    }
    assert not missing, f"{sorted(missing)}. {REBUILD}"


def test_no_template_needs_an_inline_script_or_style() -> None:
    broken = [
        str(path.relative_to(ROOT))
        for path in TEMPLATES
        if INLINE.search(TAG.sub("", text := path.read_text(encoding="utf-8")))
        or SCRIPT.search(text)
    ]
    assert not broken, f"The content security policy refuses what these do: {broken}"
