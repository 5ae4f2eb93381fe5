"""An agent's report, handed to the gateway as it came; the gateway's answer, handed back.

Owns that there is one way to take a report. The gateway has the keys, stops, delegations and
detectors that hold at this moment, and the journal; here nothing of it is decided again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from django.conf import settings

from credentials.egress import Answer, GuardedClient
from credentials.errors import AddressRefused, FetchFailed
from routing.errors import GatewayUnreachable

SECONDS: Final = 20.0
_SENT: Final = (
    "authorization", "content-type", "idempotency-key", "x-unsprawl-delegation",
    "x-unsprawl-parent-run", "x-unsprawl-acting-for",
)  # fmt: skip
_RETURNED: Final = ("content-type", "retry-after", "www-authenticate", "x-unsprawl-error",
                    "x-unsprawl-run", "x-request-id")  # fmt: skip


def hand_over(run: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Post steps of a run to the gateway. Raises: GatewayUnreachable."""
    path = f"/api/v1/runs/{quote(run, safe='')}/entries"
    sent = {name: headers[name] for name in _SENT if name in headers}
    # An address that the operator configured, so inside addresses are as good as any.
    client = GuardedClient(allow_private=True, seconds=SECONDS)
    try:
        answer = client.post(settings.GATEWAY_INTERNAL_URL + path, body, headers=sent)
    except (FetchFailed, AddressRefused) as error:
        raise GatewayUnreachable(
            f"The gateway, which records reports, did not answer. {error.detail}"
        ) from None
    if answer.status not in {200, 201} and "x-unsprawl-error" not in answer.headers:
        raise GatewayUnreachable("What answered in the gateway's place is not the gateway.")
    return answer


def headers_of(answer: Answer) -> dict[str, str]:
    """Return the headers of an answer that are the agent's to read."""
    return {name: answer.headers[name] for name in _RETURNED if name in answer.headers}
