"""The look of every state: its tone, its word and its mark.

One table for all of them, so that a state looks the same on every page. A state that is
not listed is shown by its own name in a neutral tone: new states are never invisible.
"""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """How one state is drawn: a tone class, a word and, for some, a mark of their own."""

    tone: str
    label: str
    mark: str = ""


LOOKS = {
    # an agent's stage, and what may lie over it
    "draft": Look("neutral", "Draft", "pill-hollow"),
    "in_review": Look("info", "In review", "pill-hollow"),
    "soft_launch": Look("accent", "Soft launch"),
    "live": Look("success", "Live"),
    "deprecated": Look("warning", "Deprecated"),
    "retired": Look("neutral", "Retired"),
    "draining": Look("warning", "Draining", "pill-busy"),
    "restored": Look("success", "Restored"),
    "suspended": Look("error", "Suspended"),
    "killed": Look("error", "Killed"),
    # a call and a run
    "ok": Look("success", "OK"),
    "succeeded": Look("success", "Succeeded"),
    "running": Look("info", "Running", "pill-busy"),
    "pending": Look("neutral", "Pending", "pill-hollow"),
    "error": Look("error", "Error"),
    "failed": Look("error", "Failed"),
    "denied": Look("warning", "Denied"),
    "incomplete": Look("warning", "Incomplete", "pill-hollow"),
    "cancelled": Look("neutral", "Cancelled"),
    "unknown": Look("warning", "Unknown", "pill-hollow"),
    # a review, a version, a decision
    "open": Look("info", "Open", "pill-hollow"),
    "approved": Look("success", "Approved"),
    "approve": Look("success", "Approve"),
    "allow": Look("success", "Allow"),
    "rejected": Look("error", "Rejected"),
    "reject": Look("error", "Reject"),
    "deny": Look("error", "Deny"),
    "ask": Look("info", "Ask", "pill-hollow"),
    "expired": Look("neutral", "Expired"),
    "withdrawn": Look("neutral", "Withdrawn"),
    "proposed": Look("info", "Proposed", "pill-hollow"),
    "accepted": Look("success", "Accepted"),
    "superseded": Look("neutral", "Superseded"),
    "passed": Look("success", "Passed"),
    "inconclusive": Look("warning", "Inconclusive", "pill-hollow"),
    "waiting": Look("info", "Waiting", "pill-hollow"),
    "claimed": Look("info", "Being sent", "pill-busy"),
    "sent": Look("info", "Sent", "pill-busy"),
    # a key, a secret, a vendor, a model
    "active": Look("success", "Active"),
    "expiring": Look("warning", "Expiring"),
    "revoked": Look("error", "Revoked"),
    "disabled": Look("neutral", "Disabled", "pill-hollow"),
    "inactive": Look("neutral", "Inactive", "pill-hollow"),
    "reachable": Look("success", "Reachable"),
    "unreachable": Look("error", "Unreachable"),
    "untested": Look("neutral", "Not tried yet", "pill-hollow"),
    "no_secret": Look("warning", "No secret", "pill-hollow"),
    "available": Look("success", "Available"),
    "announced": Look("info", "Announced"),
    "retiring": Look("warning", "Retiring"),
    "shutdown": Look("error", "Shut down"),
    "verified": Look("success", "Verified"),
    "broken": Look("error", "Broken"),
    # a move of a campaign
    "evaluating": Look("info", "Evaluating", "pill-busy"),
    "ready": Look("accent", "Ready to move", "pill-hollow"),
    "signing": Look("accent", "To be signed", "pill-hollow"),
    "shifting": Look("info", "Shifting", "pill-busy"),
    "contested": Look("warning", "Contested"),
    "unneeded": Look("neutral", "Not needed"),
    "done": Look("success", "Done"),
    "paused": Look("warning", "Paused"),
    # how an agent is, and its incidents
    "healthy": Look("success", "Healthy"),
    "degraded": Look("warning", "Degraded"),
    "down": Look("error", "Down"),
    "acknowledged": Look("info", "Taken", "pill-busy"),
    "resolved": Look("neutral", "Resolved"),
    "urgent": Look("error", "Urgent"),
    # how much harm something can do
    "low": Look("neutral", "Low risk"),
    "medium": Look("warning", "Medium risk"),
    "high": Look("error", "High risk"),
}


def look_of(state: object) -> Look:
    """Find how a state is drawn."""
    key = str(getattr(state, "value", state) or "unknown").lower().replace("-", "_")
    return LOOKS.get(key) or Look("neutral", key.replace("_", " ").capitalize())


def state_of_agent(agent: object) -> str:
    """Say the one state that matters most: killed, suspended, else the stage."""
    if getattr(agent, "killed_at", None):
        return "killed"
    if getattr(agent, "suspended_at", None):
        return "suspended"
    return str(getattr(agent, "stage", "unknown"))
