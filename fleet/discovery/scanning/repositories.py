"""Reports of the scanner as sightings: a repository is one finding, each key in it another.

A report is anybody's to write, so it is read with the same care as a log: known members,
bounded counts, nothing believed that can be worked out here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any, Final

from fleet.discovery.queries.names import fingerprint_key
from fleet.discovery.queries.retirements import known_models
from fleet.discovery.readers import moments
from fleet.discovery.readers.tally import NotReadable, Tally
from fleet.discovery.scanning.archives import members
from fleet.discovery.scanning.scan_repository import FORMAT, MOST, Catalogue, redacted, scan
from fleet.discovery.signs import Flag, Hint, Place, Sighting
from kernel import clock

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")
_STRONG: Final = 0.5  # a sign above this makes a repository more than somebody's notes


def read_archive(file: IO[bytes], title: str, tally: Tally) -> Iterator[Sighting]:
    """Scan an archive. Raises: NotReadable, TooLargeUnpacked."""
    skipped: Counter[str] = Counter()
    name = re.sub(r"\.(?:zip|tar|tgz|tar\.gz)$", "", title)
    found = scan(members(file, tally, skipped), name, Catalogue(known_models()), fingerprint_key())
    tally.understood = found.files
    found.skipped += skipped
    tally.passed = sum(found.skipped.values())
    yield from sightings_of(found.report())


def read_report(report: Any) -> list[Sighting]:
    """Read a report that was sent. Raises: NotReadable."""
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise NotReadable(f"A report says format: {FORMAT}.")
    if not name_in(report):
        raise NotReadable("The report names no repository.")
    return list(sightings_of(report))


def name_in(report: dict[str, Any]) -> str:
    """Return the name of the repository that a report is of."""
    return redacted(moments.text(report.get("repository"), 300))


def merge_key(name: str) -> str:
    """Return what makes two reports speak of one repository: its name, whatever its case."""
    return f"repository|{name.lower()}"


def sightings_of(report: dict[str, Any]) -> Iterator[Sighting]:
    """Yield the repository, and each key that stands in it."""
    name = name_in(report)
    signs = [_sign(each) for each in moments.listed(report.get("signs"))[: MOST["signs"]]]
    places = tuple(_places(report))
    keys = moments.listed(report.get("keys"))[: MOST["keys"]]
    strong = [each for each in signs if each[1] > _STRONG]
    if strong or any(not place.is_weak for place in places) or keys:
        yield _repository(name, report, signs, places, has_keys=bool(keys))
    yield from _keys(name, report, keys)


def _repository(
    name: str,
    report: dict[str, Any],
    signs: list[tuple[str, float, str, str]],
    places: tuple[Place, ...],
    *,
    has_keys: bool,
) -> Sighting:
    kinds = sorted({kind for kind, _, _, _ in signs})
    declared = [said for kind, _, said, _ in signs if kind == "declared"]
    names = tuple(dict.fromkeys(said for kind, sure, said, _ in signs if said and sure > 0.8))
    flags = ({Flag.HARD_CODED} if has_keys else set()) | ({Flag.DECLARED} if declared else set())
    now = clock.now()
    facts: dict[str, Any] = {
        "signs": [
            {"kind": kind, "confidence": sure, "name": said, "path": path}
            for kind, sure, said, path in signs
        ][:50],
        "files": moments.count(report.get("files")),
        "commit": moments.text(report.get("commit"), 64),
        "skipped": {
            moments.text(key, 40): moments.count(value)
            for key, value in list((report.get("skipped") or {}).items())[:20]
        }
        if isinstance(report.get("skipped"), dict)
        else {},
    }
    if declared:
        facts["declared"] = declared[0]
    strong = {place.model_id for place in places if not place.is_weak}
    return Sighting(
        kind="repository",
        keys=(merge_key(name),),
        title=name,
        vendor="",
        summary=f"{', '.join(kinds) or 'names models'}; {len(strong)} models named in its code",
        confidence=max((sure for _, sure, _, _ in signs), default=0.6),
        seen_from=now,
        seen_to=now,
        flags=frozenset(flags),
        models=tuple(sorted(strong)),
        hints=tuple(_people(report)),
        facts=facts,
        places=places,
        names=names,
    )


def _keys(name: str, report: dict[str, Any], keys: list[dict[str, Any]]) -> Iterator[Sighting]:
    hints, now = tuple(_people(report)), clock.now()
    for key in keys:
        kind, path = moments.text(key.get("kind"), 40), redacted(moments.text(key.get("path"), 300))
        mark = key.get("fingerprint")
        is_marked = isinstance(mark, str) and bool(_FINGERPRINT.fullmatch(mark))
        # Without a fingerprint a key is known by its place, and by nothing of itself.
        ident = f"code|{mark}" if is_marked else f"code|{name}|{path}|{kind}"
        tail = moments.text(key.get("tail"), 2)[:2]
        vendor = kind.partition("-")[0]
        line = moments.count(key.get("line"))
        yield Sighting(
            kind="hard_coded_key",
            keys=(ident,),
            title=f"{vendor} key in {name}",
            vendor=_VENDORS.get(vendor, vendor),
            summary=f"{kind} key ending in {tail or '…'} at {path}:{line}",
            confidence=0.95,
            seen_from=now,
            seen_to=now,
            flags=frozenset({Flag.HARD_CODED}),
            hints=hints,
            facts={"repository": name, "path": path, "line": line, "kind": kind},
            tail=f"{vendor}:{tail}" if len(tail) == 2 and vendor in _VENDORS else "",
        )


_VENDORS: Final = {
    "openai": "OpenAI", "anthropic": "Anthropic", "google": "Gemini", "groq": "Groq", "xai": "xAI",
    "replicate": "Replicate", "huggingface": "HF", "openrouter": "OpenRouter",
    "unsprawl": "this service",
}  # fmt: skip


def _sign(row: dict[str, Any]) -> tuple[str, float, str, str]:
    stated = row.get("confidence")
    sure = float(stated) if isinstance(stated, int | float) and 0 <= stated <= 1 else 0.5
    kind, name = moments.text(row.get("kind"), 60), moments.text(row.get("name"), 120)
    return kind, sure, redacted(name), redacted(moments.text(row.get("path"), 300))


def _places(report: dict[str, Any]) -> Iterator[Place]:
    for row in moments.listed(report.get("models"))[: MOST["models"]]:
        ident, path = moments.text(row.get("id"), 120), moments.text(row.get("path"), 300)
        if ident and path and redacted(ident) == ident:
            line = min(moments.count(row.get("line")), 2**31 - 1)
            yield Place(redacted(path), line, ident.lower(), row.get("weak") is True)


def _people(report: dict[str, Any]) -> Iterator[Hint]:
    rows = moments.listed(report.get("people"))[: MOST["people"]]
    commits = sum(moments.count(row.get("commits")) for row in rows) or 1
    owners = report.get("owners")
    for owner in (owners if isinstance(owners, list) else [])[: MOST["owners"]]:
        if who := moments.text(owner, 254):
            yield Hint(redacted(who), "is named in CODEOWNERS", 0.8)
    for row in rows:
        share = moments.count(row.get("commits")) / commits
        if who := moments.text(row.get("email"), 254):
            why = f"made {share:.0%} of the last commits"
            yield Hint(redacted(who), why, round(0.3 + 0.4 * share, 2))
