"""How an error is called where it is counted or shown: by a word of ours.

Owns the rule that what a vendor says is never a label, a log line or a span: it may be
anything, a prompt included, and there is no end to it. The ledger has it as it was said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final

from kernel.errors import DomainError

VENDOR_ERROR: Final = "vendor_error"
_OF_A_STATUS: Final = re.compile(r"http_[1-5]\d\d").fullmatch
_ENDINGS: Final = frozenset({"", "cancelled", "incomplete", "error"})


@cache
def _ours() -> frozenset[str]:
    def below(kind: type[DomainError]) -> Iterator[str]:
        code = getattr(kind, "code", "")
        yield from (code, code.partition(".")[2])
        for each in kind.__subclasses__():
            yield from below(each)

    return frozenset(below(DomainError)) | _ENDINGS


@lru_cache(1024)
def label_of(error: str) -> str:
    """Return an error as a label says it: a code of ours, a status, or that it was a vendor's."""
    return error if error in _ours() or _OF_A_STATUS(error) else VENDOR_ERROR
