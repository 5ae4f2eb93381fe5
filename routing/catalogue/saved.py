"""Documents that people bring: catalogue documents, and vendors' lists that were saved as files.

Owns the guess of what a file is, from what it holds. Bedrock and Azure are not called from here:
their lists are saved with their own tools and read as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from kernel import clock
from kernel.canonical import digest_bytes, strict_loads
from routing.catalogue.formats import Document, LifecycleFact, read_document, unpacked
from routing.catalogue.readers.azure import read_azure
from routing.catalogue.readers.bedrock import read_bedrock

SAVED: Final[dict[str, tuple[str, Callable[..., list[LifecycleFact]]]]] = {
    "modelSummaries": ("bedrock", read_bedrock),
    "value": ("azure", read_azure),
}


def read_brought(raw: bytes, *, as_of: str = "", region: str = "") -> Document:
    """Read a document that somebody brought. Raises: CatalogueUnreadable, NotJSON."""
    plain = unpacked(raw)
    body: Any = strict_loads(plain)
    for key, (platform, read) in SAVED.items():
        if isinstance(body, dict) and isinstance(body.get(key), list):
            day = as_of or clock.now().date().isoformat()
            facts = read(plain, as_of=day, region=region)
            name = f"saved:{platform}" + (f":{region}" if region else "")
            return Document(
                name, f"{platform}'s own list, saved", day, digest_bytes(plain), lifecycle=facts
            )
    document = read_document(plain)
    # Never in the place of what ships, which is loaded again when its own digest differs.
    return Document(
        f"import:{document.name}", document.title, document.as_of, document.digest,
        document.lifecycle, document.prices,
    )  # fmt: skip
