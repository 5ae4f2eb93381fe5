"""How much an entry matters, 0 to 10 as CEF counts; what is not named here is ordinary.

A receiver filters by it, so a verb's number changes only with a line in the changelog.
"""

from __future__ import annotations

from typing import Final

ORDINARY: Final = 3
_CALLS: Final = 1
_BY_VERB: Final = {
    "agent.killed": 8,
    "agent.suspended": 6,
    "stop.placed": 8,
    "stop.lifted": 7,
    "containment.failed": 10,
    "containment.proven": 5,
    "call.denied": 6,
    "call.over_budget": 5,
    "call.failed": 4,
    "call.lost": 5,
    "call.cut": 5,
    "person.sign_in_refused": 5,
    "person.deactivated": 5,
    "person.changed": 5,
    "token.issued": 5,
    "token.revoked": 5,
    "key.revoked": 5,
    "ring.rotated": 6,
    "secret.sealed": 5,
    "effect.unknown": 7,
    "effect.reconciled": 5,
    "connection.added": 6,
    "connection.changed": 6,
    "connection.disabled": 6,
    "operation.added": 6,
    "lease.recalled": 5,
    "lease.irrevocable": 8,
    "lease.orphan_dropped": 7,
    "payload.read": 6,
    "export.made": 6,
    "export.fetched": 6,
    "export.failed": 6,
    "schedule.late": 7,
    "datakey.shredded": 7,
    "epoch.opened": 10,
    "feed.removed": 7,
    "feed.paused": 7,
    "feed.changed": 6,
    "target.removed": 6,
    "schedule.ended": 6,
}
_WORDS: Final = ((9, "critical"), (7, "high"), (5, "medium"), (3, "low"), (0, "info"))
# Of syslog (RFC 5424 §6.2.1): 2 critical, 3 error, 4 warning, 5 notice, 6 informational.
_SYSLOG: Final = ((9, 2), (7, 3), (5, 4), (3, 5), (0, 6))


def severity_of(kind: str, verb: str) -> int:
    """Return an entry's severity."""
    usual = _CALLS if kind in {"intent", "result", "report"} else ORDINARY
    return _BY_VERB.get(verb, usual)


def word_of(severity: int) -> str:
    """Return a severity in a word."""
    return next(word for least, word in _WORDS if severity >= least)


def syslog_severity(severity: int) -> int:
    """Return a severity as syslog counts."""
    return next(number for least, number in _SYSLOG if severity >= least)
