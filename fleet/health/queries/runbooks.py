"""Where it says what to do when an agent fails: set here, or in its manifest's annotations."""

from __future__ import annotations

import re
from typing import Final

from fleet.health.models import AgentHealth
from registry.models import Agent

ANNOTATION: Final = "unsprawl.dev/runbook"
# A link that people follow: nothing but plain web addresses.
_LINK: Final = re.compile(r"https?://[!-;=?-~]{1,1000}")


def runbook_of(agent: Agent) -> str:
    """Return the address of an agent's runbook; empty where none is known or it is no link."""
    row = AgentHealth.objects.filter(agent=agent).first()
    if row is not None and row.runbook:
        return row.runbook
    version = agent.current_version
    annotations = version.manifest["metadata"].get("annotations", {}) if version else {}
    return as_link(annotations.get(ANNOTATION, ""))


def as_link(text: object) -> str:
    """Return a text if it is a plain web address, else nothing."""
    return text if isinstance(text, str) and _LINK.fullmatch(text) else ""
