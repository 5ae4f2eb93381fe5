"""An answer of the policy, and the only reading of it that is believed.

A decision names the rule that made it, the bundle and the facts by digest, so that it can
be recorded, cached by that pair and asked again. Whatever is not exactly the shape below
is not an answer, and the call is denied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

UNAVAILABLE: Final = "policy.unavailable"
UNCLEAN: Final = "policy.unclean"
# What facts name as their question, when it is not the call itself.
TOOLS: Final = "tools"
ACTION: Final = "action"
# A check of an operation, which binds nothing.
CHECK: Final = "check"

_RULE: Final = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,60}")
# Whom an action may be put to: a role, a team by its slug, a person by their id.
_AUDIENCE: Final = re.compile(r"role:[a-z]{1,40}|team:[a-z0-9_-]{1,64}|person:per_[a-z0-9]{1,60}")
_MOST_DECIDERS: Final = 20
_RECEIPT_LEVELS: Final = ("L0", "L1", "L2", "L3")
_REASONS: Final = {
    UNAVAILABLE: "The policy could not be asked in time, so the call was refused. Try again;"
    " if it lasts, tell the platform team.",
    UNCLEAN: "The policy gave no clean answer, so the call was refused. This is a fault of the"
    " bundle or the service: tell the platform team.",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed, to be asked about, or denied (neither). What binds a call is empty when denied."""

    allow: bool
    ask: bool
    rule: str
    reason: str
    constraints: dict[str, object] = field(hash=False)
    bundle_digest: str
    input_digest: str

    @property
    def is_lasting(self) -> bool:
        """Whether the same facts under the same bundle get this answer again: may be cached."""
        return self.rule not in _REASONS


def denied(rule: str, bundle_digest: str, input_digest: str) -> Decision:
    """Deny because there is no clean answer."""
    return Decision(
        allow=False,
        ask=False,
        rule=rule,
        reason=_REASONS[rule],
        constraints={},
        bundle_digest=bundle_digest,
        input_digest=input_digest,
    )


def read_answer(
    answer: object, bundle_digest: str, input_digest: str, *, question: object = None
) -> Decision:
    """Believe an answer of exactly the shape its question has; deny on anything else."""
    binds = {TOOLS: _bind_tools, ACTION: _bind_action, CHECK: _bind_nothing}.get(
        str(question), _bind
    )
    match answer:
        case {
            "allow": bool(allow),
            "ask": bool(ask),
            "rule": str(rule),
            "reason": str(reason),
            "constraints": dict(constraints),
            **rest,
        } if not rest and not (allow and ask) and _is_named(rule, reason):
            if binds(constraints) if allow or ask else not constraints:
                return Decision(allow, ask, rule, reason, constraints, bundle_digest, input_digest)
    return denied(UNCLEAN, bundle_digest, input_digest)


def _is_named(rule: str, reason: str) -> bool:
    return _RULE.fullmatch(rule) is not None and 0 < len(reason) <= 2000


def _bind(constraints: dict[str, object]) -> bool:
    match constraints:
        case {
            "allowed_vendors": list(vendors),
            "regions": list(regions),
            "max_cost_micros": int() | None as cap,
            "receipt_level": str(level),
            **rest,
        }:
            return (
                not rest
                and all(isinstance(name, str) for name in [*vendors, *regions])
                and not isinstance(cap, bool)
                and (cap is None or cap >= 0)
                and level in _RECEIPT_LEVELS
            )
        case _:
            return False


def _bind_action(constraints: dict[str, object]) -> bool:
    match constraints:
        case {
            "approvers": list(approvers),
            "quorum": int(quorum),
            "expires_seconds": int(expires),
            "escalate_seconds": int() | None as escalate,
            "escalate_to": list(seniors),
            "checks": list(checks),
            "receipt_level": str(level),
            **rest,
        }:
            counts = [quorum, expires, *(() if escalate is None else (escalate,))]
            return (
                not rest
                and all(not isinstance(count, bool) and count > 0 for count in counts)
                and quorum <= _MOST_DECIDERS
                and all(_is_audience(each) for each in [*approvers, *seniors])
                and all(isinstance(name, str) for name in checks)
                and level in _RECEIPT_LEVELS
            )
        case _:
            return False


def _bind_nothing(constraints: dict[str, object]) -> bool:
    return not constraints


def _is_audience(each: object) -> bool:
    return isinstance(each, str) and _AUDIENCE.fullmatch(each) is not None


def _bind_tools(constraints: dict[str, object]) -> bool:
    match constraints:
        case {"mode": "allow" | "strip" | "block", "strip": list(names), **rest}:
            return not rest and all(isinstance(name, str) for name in names)
        case _:
            return False
