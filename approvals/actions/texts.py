"""Reading what people write into reviews: their reasons, as they will be shown to others."""

from __future__ import annotations

import unicodedata
from typing import Final

from approvals.errors import TextUnusable

LONGEST: Final = 4000
# Direction marks make a text read otherwise than it is stored.
_ALLOWED: Final = "\n\t\r\u200c\u200d"


def clean_text(text: str, field: str) -> str:
    """Return a comment or justification, trimmed. Raises: TextUnusable."""
    cleaned = unicodedata.normalize("NFC", text).strip()
    if len(cleaned) > LONGEST:
        raise TextUnusable(f"The {field} has at most {LONGEST} characters.", field=field)
    if any(unicodedata.category(char)[0] == "C" and char not in _ALLOWED for char in cleaned):
        raise TextUnusable(f"The {field} holds characters that cannot be seen.", field=field)
    return cleaned
