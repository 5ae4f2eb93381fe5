"""How sensitive data is and how risky an agent: the words, in order, and the derivation.

A declared tier can raise what is derived and never lower it: a manifest does not talk its
way out of a review.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

# From the widest audience to the narrowest; an installation may replace the list.
DATA_CLASSES: Final = ("public", "internal", "confidential", "personal", "regulated")
RISK_TIERS: Final = ("low", "medium", "high")
# What people write when they mean one of ours.
SYNONYMS: Final = {
    "pii": "personal", "gdpr": "personal", "customer": "personal", "hr": "personal",
    "phi": "regulated", "pci": "regulated", "hipaa": "regulated", "health": "regulated",
    "secret": "confidential", "restricted": "confidential", "sensitive": "confidential",
    "private": "internal", "company": "internal", "open": "public",
}  # fmt: skip

_BY_CLASS: Final = {"confidential": "medium", "personal": "high", "regulated": "high"}
_BY_EFFECT: Final = {"write": "medium", "send": "medium", "delete": "high", "money": "high"}
_BY_ACCESS: Final = {"write": "medium", "admin": "high"}


def risk_tier(spec: Mapping[str, Any]) -> str:
    """Return the highest tier that data, tools or the owner's own word ask for."""
    tiers = [str(spec.get("riskTier", "low"))]
    # A class that an installation added is not known to be harmless.
    tiers += [
        _BY_CLASS.get(name, "low" if name in DATA_CLASSES else "medium")
        for name in spec["dataClasses"]
    ]
    for tool in spec.get("tools", []):
        tiers.append(_BY_EFFECT.get(tool.get("effect", ""), "low"))
        if (name := str(tool.get("name", ""))).endswith("*"):
            # What it will ever cover is not known: everything, or what nobody stated an effect of.
            tiers.append("high" if name == "*" else "low" if "effect" in tool else "medium")
        tiers.append(_BY_ACCESS.get(tool.get("access", ""), "low"))
    return max(tiers, key=RISK_TIERS.index)


def widest(classes: Iterable[str]) -> int:
    """Return how narrow the audience of the most sensitive class is; unknown ones come last."""
    ranks = [
        DATA_CLASSES.index(name) if name in DATA_CLASSES else len(DATA_CLASSES) for name in classes
    ]
    return max(ranks, default=-1)
