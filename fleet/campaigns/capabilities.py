"""What kinds of models can do, as their vendors document it, and where that was read.

Owns the table. What is not in it is unknown, which is said and never taken for a no.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

TOOLS: Final = "tools"
VISION: Final = "vision"
SCHEMA: Final = "JSON schema"
STREAMING: Final = "streaming"
ALL: Final = frozenset({TOOLS, VISION, SCHEMA, STREAMING})


@dataclass(frozen=True, slots=True)
class Family:
    """Models whose names begin alike, what they can do, and what says so."""

    names: str  # a pattern that is looked for from the beginning
    can: frozenset[str]
    source: str


# The first that fits counts.
FAMILIES: Final = (
    Family(r"(text-embedding|whisper|tts|gpt-image|dall-e|mistral-embed)", frozenset(),
           "each vendor's model pages: not for conversation"),
    Family(r"gpt-3\.5", frozenset({TOOLS, STREAMING}), "platform.openai.com/docs/models"),
    Family(r"o3-mini|o1-mini", frozenset({TOOLS, SCHEMA, STREAMING}),
           "platform.openai.com/docs/models"),
    Family(r"gpt-(4o|4\.1|[5-9])|o[134]|gpt-4-turbo", ALL, "platform.openai.com/docs/models"),
    Family(r"claude-(3|haiku|sonnet|opus)|claude-[a-z]+-\d", ALL,
           "platform.claude.com/docs, models overview and structured outputs"),
    Family(r"(models/)?gemini-(1\.5|2|3)", ALL, "ai.google.dev/gemini-api/docs/models"),
    Family(r"(mistral|ministral|magistral)-(large|medium|small)|pixtral", ALL, "docs.mistral.ai"),
    Family(r"(mistral|ministral|codestral|open-mi)", frozenset({TOOLS, SCHEMA, STREAMING}),
           "docs.mistral.ai"),
)  # fmt: skip


def family_of(name: str) -> Family | None:
    """Return what is documented of a model by its name; None when nothing is known here."""
    plain = re.sub(
        r"^((us|eu|apac|jp|au|global)\.)?(anthropic|openai|google|mistral)[./]", "", name
    )
    return next((each for each in FAMILIES if re.match(each.names, plain, re.IGNORECASE)), None)
