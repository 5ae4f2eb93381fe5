"""The canonical action: everything an approval is bound to, made from the rows each time.

People decide on its digest. Whoever is about to send makes it again from the rows as they are
now; a connection that was changed, a secret that was replaced, an agent with a new version, an
adapter that writes other bytes: each gives another digest, and nothing is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from credentials.queries import secret_of
from effects.adapters import adapter_of
from effects.adapters.adapter import Plan
from effects.models import Connection, Operation, Proposal
from effects.places import plan_of
from kernel import clock

FORM: Final = 1


def canonical_action(
    proposal: Proposal, operation: Operation, arguments: Mapping[str, Any]
) -> tuple[dict[str, Any], Plan]:
    """Return the action as it is now, and the bytes it stands for.

    Raises: SettingsInvalid, ArgumentsRefused.
    """
    connection = operation.connection
    plan = plan_of(operation, arguments, proposal_id=proposal.public_id)
    agent, version = proposal.agent, proposal.agent.current_version
    action: dict[str, Any] = {
        "v": FORM,
        "proposal": proposal.public_id,
        "key": proposal.key_id,
        "agent": agent.public_id,
        "agent_version": "" if version is None else version.public_id,
        "adapter": connection.adapter,
        "adapter_version": adapter_of(connection.adapter).version,
        "connection": connection.public_id,
        "connection_revision": connection.revision,
        "operation": operation.public_id,
        "operation_digest": operation.digest,
        "credential": credential_of(connection),
        "arguments": dict(arguments),
        "wire": plan.digest,
        "run": proposal.run_id,
        "expires_at": clock.stamp(proposal.expires_at),
        "policy": proposal.bundle_digest,
    }
    return action, plan


def credential_of(connection: Connection) -> str:
    """Name what a connection is used with: the secret, and how it is lent."""
    kind = connection.credential
    if kind == Connection.Credential.NONE:
        return "none"
    secret = secret_of(connection.ref)
    return f"{kind}:{secret.public_id if secret else 'missing'}"
