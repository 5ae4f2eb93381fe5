"""What an answer says of an agent: well, degraded, down, or not known, and why. Pure.

A status of 200 is not health: the answer must be the right agent's. An agent that proved itself
once and does not any more is down, because something else answers at its address; one that never
did is not known. Reasons are of our own making and hold nothing that was answered but numbers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from fleet.health.probing.challenge import Challenge, proof_in
from fleet.health.probing.client import Answered

_SAID: Final = {"ok": "healthy", "degraded": "degraded", "down": "down"}
_EXTENSION: Final = "https://unsprawl.dev/ext/governance/v1"


@dataclass(frozen=True, slots=True)
class Judged:
    """The outcome of one probe."""

    seen: str
    reason: str
    is_proven: bool = False


def judge(kind: str, answered: Answered, challenge: Challenge, *, was_proven: bool) -> Judged:
    """Judge one answer."""
    if answered.is_refused:
        return Judged("unknown", f"It is not asked: {answered.fault}")
    if answered.fault:
        return Judged("down", answered.fault)
    if not 200 <= answered.status < 300:
        return _refusal(answered.status)
    document = _document(answered.body)
    is_proven = challenge.is_answered(proof_in(answered.headers, document))
    if kind == "a2a-card":
        fault, names_it = _card(document, challenge.agent)
        if fault:
            return Judged("down", fault)
        # Without a secret, a card that names the agent is its word as much as an echo is.
        is_proven = is_proven or (names_it and not challenge.secret)
    if not is_proven:
        return _unproven(challenge, was_proven=was_proven)
    said = document.get("status") if isinstance(document, dict) and kind == "http" else "ok"
    seen = _SAID.get(said, "healthy") if isinstance(said, str) else "healthy"
    words = {"healthy": "It answers the probe.", "degraded": "It says that it is degraded.",
             "down": "It says that it is down."}  # fmt: skip
    return Judged(seen, words[seen], is_proven=True)


def _refusal(status: int) -> Judged:
    if 300 <= status < 400:
        return Judged("down", f"It answers {status}; redirects are not followed.")
    if status == 429:
        return Judged("degraded", "It answers 429: too many requests.")
    return Judged("down", f"It answers {status}.")


def _unproven(challenge: Challenge, *, was_proven: bool) -> Judged:
    if was_proven:
        return Judged("down", "Something answers, and not as this agent did: the proof is missing.")
    wanted = "an HMAC of the challenge" if challenge.secret else "its name and the challenge"
    return Judged("unknown", f"Something answers, and does not prove to be this agent: {wanted}.")


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _card(document: Any, agent: str) -> tuple[str, bool]:
    """Return what is wrong with an A2A card, and whether it names the agent."""
    if not isinstance(document, dict):
        return "The A2A card is not a JSON object.", False
    missing = [name for name in ("name", "version", "capabilities") if name not in document]
    if missing:
        return f"The A2A card has no {missing[0]}.", False
    capabilities = document["capabilities"]
    listed = capabilities.get("extensions") if isinstance(capabilities, dict) else None
    names = [document["name"]]
    for each in listed if isinstance(listed, list) else []:
        if isinstance(each, dict) and each.get("uri") == _EXTENSION:
            params = each.get("params")
            names.append(params.get("agent") if isinstance(params, dict) else None)
    return "", agent in names
