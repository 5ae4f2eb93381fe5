"""Who answers a probe: a challenge that the right agent answers, and a parked page does not.

Each probe carries a fresh challenge. An agent with a probe secret answers with an HMAC of the
challenge and its own name; one without says its name and the challenge back, which shows that
somebody meant to answer for it and no more. The secret is computed under the pepper, never kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Any, Final

from kernel.keys import PepperRing

PURPOSE: Final = "unsprawl.health.1"
CHALLENGE: Final = "unsprawl-challenge"
PROOF: Final = "unsprawl-proof"
_PREFIX: Final = "ups_"
_LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Challenge:
    """What one agent is asked in one probe; the secret is empty where it has none."""

    agent: str
    nonce: str
    secret: str

    def __repr__(self) -> str:
        return f"Challenge(agent={self.agent!r})"

    def is_answered(self, given: str) -> bool:
        """Say whether a proof is the right agent's answer to exactly this challenge."""
        if not given or len(given) > _LONGEST:
            return False
        wanted = answer(self.secret, self.agent, self.nonce) if self.secret else self.echo
        return hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace"))

    @property
    def echo(self) -> str:
        return f"echo={self.agent}/{self.nonce}"


def new_nonce() -> str:
    """Return a challenge that was never used."""
    return secrets.token_urlsafe(18)


def secret_text(ring: PepperRing, agent_id: str, number: int, pepper_id: str) -> str:
    """Return an agent's probe secret; empty where its pepper is not known any more."""
    if not number or pepper_id not in ring.peppers:
        return ""
    raw = ring.hash(f"{PURPOSE}|{agent_id}|{number}", pepper_id)
    return _PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=")


def answer(secret: str, agent: str, nonce: str) -> str:
    """Return the proof that an agent gives."""
    said = f"{PURPOSE}\n{agent}\n{nonce}".encode()
    return "v1=" + hmac.new(secret.encode(), said, hashlib.sha256).hexdigest()


def proof_in(headers: dict[str, str], document: Any) -> str:
    """Return the proof of an answer: in its header, or as a member of its JSON."""
    said = headers.get(PROOF, "")
    if not said and isinstance(document, dict):
        member = document.get("proof", "")
        said = member if isinstance(member, str) else ""
    return said
