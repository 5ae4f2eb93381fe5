"""AWS Signature Version 4 for requests to storage that speaks S3. No Django, no network.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SAFE: Final = "-_.~"


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs, for which region."""

    access_key: str
    secret: str = field(repr=False)
    region: str
    service: str = "s3"

    def headers(  # noqa: PLR0913  the parts of a request, each of them signed
        self,
        method: str,
        host: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body_sha256: str,
        *,
        at: datetime,
    ) -> dict[str, str]:
        """Return the headers to send: those given, the time, the body's hash, the signature."""
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        sent = {
            **headers,
            "x-amz-date": stamp,
            "x-amz-content-sha256": body_sha256,
        }
        signed = {name.lower(): " ".join(value.split()) for name, value in sent.items()}
        signed["host"] = host
        names = ";".join(sorted(signed))
        request = "\n".join(
            (
                method,
                path,
                query_text(query),
                "".join(f"{name}:{signed[name]}\n" for name in sorted(signed)),
                names,
                body_sha256,
            )
        )
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = "\n".join((ALGORITHM, stamp, scope, digest))
        signature = hmac.new(self._key(stamp[:8]), text.encode(), hashlib.sha256).hexdigest()
        credential = f"{self.access_key}/{scope}"
        sent["Authorization"] = (
            f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        )
        return sent

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret}".encode()
        for part in (day, self.region, self.service, "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key


def path_text(*parts: str) -> str:
    """Write a path as it is signed and sent."""
    return "/" + "/".join(quote(part, safe=_SAFE + "/") for part in parts)


def query_text(query: Mapping[str, str]) -> str:
    """Write a query as it is signed and sent: by name, every reserved character escaped."""
    return "&".join(
        f"{quote(name, safe=_SAFE)}={quote(query[name], safe=_SAFE)}" for name in sorted(query)
    )
