"""The same judge, when a company runs an OPA server of its own (``OPA_URL``).

The same facts, the same shape of answer, and a denial when there is none. A decision has
to name the bundle that made it, so a server that tells no bundle revision decides nothing.
Nothing it says is cached: only it knows when its bundle changes.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from kernel.canonical import strict_loads
from kernel.errors import DomainError
from policy.decision import UNAVAILABLE, UNCLEAN, Decision, denied, read_answer
from policy.engine import CALLS
from policy.facts import read_facts

MAX_ANSWER_BYTES: Final = 256 * 1024
_CLASSES: Final = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class RemoteJudge:
    """Decides by asking an OPA server. Safe for threads; each question has its own connection."""

    def __init__(self, url: str, *, deadline_seconds: float = 1.0, entrypoint: str = CALLS) -> None:
        parts = urlsplit(url)
        self._connection = _CLASSES[parts.scheme]
        self._host, self._port = parts.hostname or "", parts.port
        self._path = (
            f"{parts.path.rstrip('/')}/v1/data/{entrypoint}"
            "?provenance=true&strict-builtin-errors=true"
        )
        self._deadline_seconds = deadline_seconds

    @property
    def bundle_digest(self) -> str:
        """Never the name of a decision's bundle, so that no decision is kept."""
        return "opa:"

    def packed_bundle(self, digest: str) -> bytes | None:
        """Return nothing: the bytes are the server's."""
        return None

    def decide(self, facts: Mapping[str, object]) -> Decision:
        """Decide; where there is no clean answer, deny (`policy.unavailable`, `policy.unclean`)."""
        question, input_digest = read_facts(facts)
        if question is None:
            return denied(UNCLEAN, self.bundle_digest, input_digest)
        try:
            raw = self._ask(b'{"input":' + question + b"}")
        except (OSError, http.client.HTTPException):
            return denied(UNAVAILABLE, self.bundle_digest, input_digest)
        try:
            document = strict_loads(raw, limit=MAX_ANSWER_BYTES)
        except DomainError:
            return denied(UNCLEAN, self.bundle_digest, input_digest)
        revision = _revision_of(document)
        answer = document.get("result") if isinstance(document, dict) and revision else None
        return read_answer(
            answer,
            self.bundle_digest + revision,
            input_digest,
            question=facts.get("question"),
        )

    def close(self) -> None:
        """Nothing is kept open."""

    def _ask(self, body: bytes) -> bytes:
        """Return the answer's body. Raises OSError, HTTPException: late, refused, not 200."""
        until = time.monotonic() + self._deadline_seconds
        connection = self._connection(self._host, self._port, timeout=self._deadline_seconds)
        try:
            connection.request(
                "POST", self._path, body=body, headers={"content-type": "application/json"}
            )
            response = connection.getresponse()
            if response.status != http.client.OK:
                raise http.client.HTTPException(f"status {response.status}")
            pieces = bytearray()
            while piece := response.read1(65536):
                pieces += piece
                left = until - time.monotonic()
                if left <= 0 or len(pieces) > MAX_ANSWER_BYTES:
                    raise TimeoutError
                if connection.sock is not None:
                    connection.sock.settimeout(left)
            return bytes(pieces)
        finally:
            connection.close()


def _revision_of(document: object) -> str:
    """Return the revisions of the server's bundles as one text, empty when it tells none."""
    match document:
        case {"provenance": {"bundles": dict(bundles)}}:
            found = [
                f"{name}={bundle['revision']}"
                for name, bundle in sorted(bundles.items())
                if isinstance(bundle, dict) and bundle.get("revision")
            ]
            return ",".join(found)[:200] if len(found) == len(bundles) else ""
        case _:
            return ""
