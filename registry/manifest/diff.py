"""What changed between two manifests, in the words of the manifest, with what a reviewer must see.

Lists of named things are compared by name, not by place, so moving an entry is no change;
lists of words are compared as sets. A risk is stated where a change lets the agent do,
see or spend more, or makes a step less certain; the list errs on the side of saying so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from registry.manifest.risks import risk_of

_IDENTITY: Final = {
    "models": ("alias",), "tools": ("name", "mcp"), "prompts": ("name",), "steps": ("name",),
    "skills": ("id",), "interfaces": ("url",),
}  # fmt: skip
_WORDS: Final = {
    "dataClasses": "data class", "onCall": "on-call contact", "backupOwner": "backup owner",
    "costCenter": "cost centre", "riskTier": "risk tier", "models": "model", "tools": "tool",
    "prompts": "prompt", "steps": "step", "skills": "skill", "interfaces": "interface",
    "tags": "tag", "monthlyUsd": "monthly limit in USD", "dailyUsd": "daily limit in USD",
    "rpm": "requests a minute", "tpm": "tokens a minute", "topP": "top p", "maxAmount": "most",
    "maxTokens": "most tokens", "apiVersion": "API version", "limits": "limits",
}  # fmt: skip

Place = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: where, what kind, from what to what, and why it matters, if it does."""

    path: str
    kind: str  # added, removed, changed
    before: Any
    after: Any
    risk: str
    label: str

    def facts(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "kind": self.kind,
            "before": self.before,
            "after": self.after,
            "risk": self.risk,
            "label": self.label,
        }


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Return the changes from one manifest's document to another's, the risky ones first."""
    found = [_change(place, was, now) for place, was, now in _differences((), before, after)]
    return sorted(found, key=lambda change: not change.risk)


def _change(place: Place, was: Any, now: Any) -> Change:
    kind = "added" if was is None else "removed" if now is None else "changed"
    return Change(_path(place), kind, was, now, risk_of(place, was, now), _label(place, kind))


def _differences(place: Place, before: Any, after: Any) -> Iterator[tuple[Place, Any, Any]]:
    # 200 and 200.0 are one number, 1 and true are not one value.
    if before == after and isinstance(before, bool) == isinstance(after, bool):
        return
    keyed = _keyed(place, before), _keyed(place, after)
    both = [each for each in keyed if each is not None]
    if not both or (len(both) == 1 and None not in (before, after)):
        yield place, before, after
        return
    # A whole thing that came or went is one change, not one for each of its keys.
    if (before is None or after is None) and not _is_section(place):
        yield place, before, after
        return
    was, now = keyed[0] or {}, keyed[1] or {}
    for name in [*was, *(name for name in now if name not in was)]:
        yield from _differences((*place, name), was.get(name), now.get(name))


def _keyed(place: Place, value: Any) -> dict[str, Any] | None:
    """See a value as named parts; None when it is one value."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, list):
        return None
    names = _IDENTITY.get(place[-1]) if place else None
    if names is None:
        return {f"[{item}]": item for item in value} if _is_words(value) else None
    return {f"[{_name(item, names)}]": item for item in value}


def _is_words(value: list[Any]) -> bool:
    return all(isinstance(item, str) for item in value)


def _name(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(item[name]) for name in names if name in item), "")


def _is_section(place: Place) -> bool:
    return place[-1:] != () and not place[-1].startswith("[")


def _path(place: Place) -> str:
    text = ""
    for part in place:
        text += part if part.startswith("[") or not text else f".{part}"
    return text


def _label(place: Place, kind: str) -> str:
    words: list[str] = []
    for part in place:
        if part in ("metadata", "spec"):
            continue
        words.append(part[1:-1] if part.startswith("[") else _WORDS.get(part, part))
    return f"{' '.join(words)} {kind}"
