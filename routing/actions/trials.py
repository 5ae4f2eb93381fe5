"""Having the gateway make one call of ours: the door that only this installation may use.

Owns the request and its signature. What comes back says how the call went; what the model
said is on record and nowhere else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings

from credentials.egress import GuardedClient
from credentials.errors import AddressRefused, FetchFailed
from routing.errors import GatewayUnreachable
from routing.internal import HEADER, InternalKeys

PATH: Final = "/internal/trials"
SECONDS: Final = 600.0
_ANSWER_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Trial:
    """One recorded call, or one of ours, to be made of a target in a run of its own."""

    run_id: str
    label: str
    agent_id: str
    route: str  # by which the agent calls
    target: Mapping[str, str]  # {"route"}, or {"vendor", "model"}
    operation: str
    body: bytes = field(repr=False)
    of: str  # the entry that is answered again
    tag: str  # whose data is in it, or nobody's
    named: str  # for what it is made: ree_…, evl_…

    def written(self) -> bytes:
        said = {
            "run": self.run_id,
            "label": self.label,
            "agent": self.agent_id,
            "route": self.route,
            "target": dict(self.target),
            "operation": self.operation,
            "body": base64.b64encode(self.body).decode(),
            "of": self.of,
            "tag": self.tag,
            "reevaluation": self.named,
        }
        return json.dumps(said).encode()


def make_trial(trial: Trial) -> dict[str, Any]:
    """Have the gateway make one call; return ``{entry, status, error, detail}``.

    Records: nothing; the gateway records the call. Raises: GatewayUnreachable.
    """
    body = trial.written()
    try:
        token = InternalKeys.load(settings.KEYS_DIR).token("POST", PATH, body)
        # An address that the operator configured, so inside addresses are as good as any.
        client = GuardedClient(allow_private=True, max_bytes=_ANSWER_BYTES, seconds=SECONDS)
        answer = client.post(
            settings.GATEWAY_INTERNAL_URL + PATH,
            body,
            headers={HEADER: token, "Content-Type": "application/json"},
        )
    except (FetchFailed, AddressRefused) as error:
        raise GatewayUnreachable(
            f"The gateway, which alone calls vendors, did not answer. {error.detail}"
        ) from None
    except (OSError, ValueError, KeyError):
        raise GatewayUnreachable("The key directory cannot be read here.") from None
    found = answer.json() if answer.is_ok else {"status": "refused"}
    return found if isinstance(found, dict) else {"status": "refused"}
