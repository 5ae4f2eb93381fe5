"""Which run a call belongs to, decided without looking anything up.

A run's id is derived from the agent and the label the agent chose, so every process and
every restart finds the same one. The last characters of an id are a check over agent and
the rest: an agent may name a run of its own by its id, and another agent's id is to it a
label like any other. A label is recorded without any credential in it.
"""

from __future__ import annotations

import hashlib
import os
import re
from base64 import b32encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from kernel.errors import Malformed
from routing.gateway.detectors.words import without_credentials

LONGEST_LABEL: Final = 200
_CROCKFORD: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789abcdefghjkmnpqrstvwxyz"
)
_NAME_LENGTH: Final = 16
_CHECK_LENGTH: Final = 10
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)
_STEP: Final = re.compile(r"[A-Za-z0-9._-]{1,63}")
# What clients already send to name a session (Claude Code, Codex).
SESSION_HEADERS: Final = ("x-claude-code-session-id", "session-id")


class RunLabelUnusable(Malformed):
    """Raised when a run's label is empty, too long or not printable."""

    code = "routing.run_label_unusable"
    title = "The run's label cannot be used"


class StepUnusable(Malformed):
    """Raised when the name of a step is none."""

    code = "routing.step_unusable"
    title = "The step's name cannot be used"


@dataclass(frozen=True, slots=True)
class RunName:
    """A run's id and the label it goes by. ``is_new`` when no earlier call can be in it."""

    run_id: str
    label: str
    is_new: bool = False


def run_of(agent_id: str, header: Callable[[str], str | None]) -> RunName:
    """Name the run of a call from its headers, or a new one. Raises: RunLabelUnusable."""
    label = header("x-unsprawl-run")
    if label is not None:
        return run_named(agent_id, label)
    if (traceparent := header("traceparent")) and (
        found := _TRACEPARENT.fullmatch(traceparent.strip())
    ):
        return run_named(agent_id, found[1])
    for name in SESSION_HEADERS:
        # A client's own header is not a wish: one that cannot be used is left aside.
        if (session := header(name)) and _is_label(session.strip()):
            return run_named(agent_id, session)
    run_id = _run_id(agent_id, _base32(os.urandom(10), _NAME_LENGTH))
    return RunName(run_id, run_id, is_new=True)


def step_of(header: Callable[[str], str | None]) -> str:
    """Return the step of a task that a call says it is. Raises: StepUnusable."""
    said = header("x-unsprawl-step")
    if said is None:
        return ""
    if not _STEP.fullmatch(said):
        raise StepUnusable(
            "A step has 1 to 63 letters, digits and . _ -, as the manifest names it"
            " (x-unsprawl-step)."
        )
    if without_credentials(said) is not said:
        raise StepUnusable("A step's name is recorded, and this one is a credential.")
    return said


def run_named(agent_id: str, label: str) -> RunName:
    """Name the run that an agent calls by a label, or by the id of one of its own runs."""
    label = label.strip()
    if not _is_label(label):
        raise RunLabelUnusable(
            f"A run's label has 1 to {LONGEST_LABEL} printable characters (x-unsprawl-run)."
        )
    if is_run_of(agent_id, label):
        return RunName(label, label)
    name = hashlib.sha256(b"unsprawl/run/1\0" + agent_id.encode() + b"\0" + label.encode()).digest()
    return RunName(_run_id(agent_id, _base32(name, _NAME_LENGTH)), without_credentials(label))


def is_run_of(agent_id: str, run_id: str) -> bool:
    """Say whether this is the id of one of the agent's own runs."""
    name = run_id[4 : 4 + _NAME_LENGTH]
    return (
        run_id.startswith("run_")
        and len(name) == _NAME_LENGTH
        and run_id == _run_id(agent_id, name)
    )


def _run_id(agent_id: str, name: str) -> str:
    check = hashlib.sha256(b"unsprawl/run-of/1\0" + agent_id.encode() + b"\0" + name.encode())
    return f"run_{name}{_base32(check.digest(), _CHECK_LENGTH)}"


def _base32(raw: bytes, length: int) -> str:
    return b32encode(raw[:10]).translate(_CROCKFORD)[:length].decode()


def _is_label(label: str) -> bool:
    return 0 < len(label) <= LONGEST_LABEL and label.isprintable()
