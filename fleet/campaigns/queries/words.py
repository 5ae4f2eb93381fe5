"""Rules of the deadline in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routing.models import Model


def rule_words(rule: Mapping[str, Any]) -> str:
    """Return a rule of the deadline as a sentence's end."""
    if rule["rule"] == "pause":
        return "is paused"
    model = Model.objects.select_related("vendor").filter(public_id=rule["to"]).first()
    return f"moves to {model}" if model is not None else "moves to a model that is gone, so pauses"
