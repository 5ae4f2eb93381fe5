"""The business words of `vocabulary.txt`, as a comparison of agents reads them.

Tasks and things name concepts by the words for them; compounds are words that belong together;
empty words say nothing about a job.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

_FILE: Final = Path(__file__).with_name("vocabulary.txt")


@cache
def vocabulary() -> dict[str, dict[str, str]]:
    """Return each part of the file: its concepts, and the words of each as one text."""
    parts: dict[str, dict[str, str]] = {}
    part, concept = "", ""
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            part, concept = line.strip("[]"), ""
            parts[part] = {}
        elif ":" in line and not line.startswith(" "):
            concept, _, words = line.partition(":")
            parts[part][concept] = words.strip()
        else:
            parts[part][concept] = f"{parts[part].get(concept, '')} {line.strip()}".strip()
    return parts


@cache
def empty_words() -> frozenset[str]:
    """Return the words that say nothing about a job."""
    return frozenset(" ".join(vocabulary()["empty"].values()).split())
