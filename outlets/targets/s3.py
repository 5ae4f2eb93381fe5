"""Uploads to storage that speaks S3, in parts, through the guarded client. No Django.

Path-style addresses (``endpoint/bucket/key``), which every server knows. A part that was
acknowledged is not sent again; an upload that nobody completes is aborted.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from xml.etree import ElementTree

from credentials.addresses import Target as Address
from credentials.broker import SecretText
from credentials.egress import Answer, GuardedClient
from kernel import clock
from kernel.errors import Unavailable
from outlets.targets.signature import Signer, path_text, query_text

SECONDS: Final = 120.0
LEAST_PART: Final = 8 * 1024 * 1024
MOST_PARTS: Final = 9_000
_ETAG: Final = re.compile(r'"?[\x21-\x7e]{1,200}"?')
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_KEY: Final = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]{0,300}")
_NAMED: Final = re.compile(r"[A-Za-z]{3,60}")


class StorageRefused(Unavailable):
    """Raised when storage does not take what is sent; says its own short code, never its text."""

    code = "outlets.storage_refused"
    title = "The storage did not take the file"


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket at one endpoint, with the key that may write to it."""

    endpoint: str
    bucket: str
    region: str
    access_key: str
    secret: SecretText = field(repr=False)
    allow_private: bool = False
    ca_file: str = ""

    def begin(self, key: str, *, lock_until: datetime | None = None) -> str:
        """Begin an upload; return its id. Raises: StorageRefused, AddressRefused, FetchFailed."""
        headers = {"content-type": "application/jsonl"}
        if lock_until is not None:
            headers |= {
                "x-amz-object-lock-mode": "COMPLIANCE",
                "x-amz-object-lock-retain-until-date": lock_until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            }
        answer = self._ask("POST", key, {"uploads": ""}, headers=headers)
        return _text_of(answer.body, "UploadId")

    def put_part(self, key: str, upload: str, number: int, body: bytes) -> str:
        """Send one part; return its tag. Raises: StorageRefused, AddressRefused, FetchFailed."""
        query = {"partNumber": str(number), "uploadId": upload}
        answer = self._ask("PUT", key, query, body=body)
        tag = answer.headers.get("etag", "")
        if not _ETAG.fullmatch(tag):
            raise StorageRefused("It answered a part without a usable tag.")
        return tag

    def complete(self, key: str, upload: str, tags: list[str]) -> None:
        """Make one object of the parts. Raises: StorageRefused, AddressRefused, FetchFailed."""
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{_escaped(tag)}</ETag></Part>"
            for number, tag in enumerate(tags, 1)
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        answer = self._ask("POST", key, {"uploadId": upload}, body=body)
        if b"<Error" in answer.body:  # storage may say 200 and fail while it answers
            raise _refused(answer)

    def abort(self, key: str, upload: str) -> None:
        """Drop an upload. Raises: StorageRefused, AddressRefused, FetchFailed."""
        self._ask("DELETE", key, {"uploadId": upload})

    def _ask(
        self,
        method: str,
        key: str,
        query: dict[str, str],
        *,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        client = GuardedClient(
            allow_private=self.allow_private, seconds=SECONDS, ca_file=self.ca_file
        )
        address = Address.parse(self.endpoint, allow_private=self.allow_private)
        path = path_text(self.bucket, key)
        signer = Signer(self.access_key, self.secret.reveal(), self.region)
        host = address.origin.partition("://")[2]
        sent = signer.headers(
            method, host, path, query, headers or {}, hashlib.sha256(body).hexdigest(),
            at=clock.now(),
        )  # fmt: skip
        url = f"{address.origin}{path}?{query_text(query)}"
        answer = client.request(method, url, headers=sent, body=body)
        if not answer.is_ok:
            raise _refused(answer)
        return answer


def part_bytes(size: int) -> int:
    """Return how large the parts of a file are: storage takes ten thousand at most."""
    return max(LEAST_PART, -(-size // MOST_PARTS))


def is_bucket(name: str) -> bool:
    """Say whether a bucket can have this name."""
    return _BUCKET.fullmatch(name) is not None


def is_key(name: str) -> bool:
    """Say whether an object's name is one that needs no escaping anywhere."""
    return _KEY.fullmatch(name) is not None


def lock_until(days: int) -> datetime | None:
    """Return until when an object may not be removed."""
    return clock.now() + timedelta(days=days) if days else None


def _refused(answer: Answer) -> StorageRefused:
    named = _text_of(answer.body, "Code", otherwise="")
    known = named if _NAMED.fullmatch(named) else ""
    words = f"It answered {answer.status}{f' ({known})' if known else ''}."
    return StorageRefused(words, storage_code=known)


def _text_of(body: bytes, name: str, otherwise: str | None = None) -> str:
    text = _element(body, name)
    if text or otherwise is not None:
        return text or str(otherwise)
    raise StorageRefused(f"Its answer has no {name}.")


def _element(body: bytes, name: str) -> str:
    if b"<!" in body:  # no document type: entities could be made to grow
        return ""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError:
        return ""
    for element in root.iter():
        if element.tag.rpartition("}")[2] == name:
            return (element.text or "").strip()[:1024]
    return ""


def _escaped(tag: str) -> str:
    return tag.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
