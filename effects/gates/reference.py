"""A look-up in another system, whether what the action speaks of is there.

It goes through an operation that reads and has a look-up, with the connection's own
credential, by the adapter that carries actions out. What cannot be told is a no.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from credentials.leasing.lending import lend
from effects.adapters import adapter_of
from effects.adapters.adapter import Ending, Lent
from effects.arguments import check_arguments
from effects.models import Operation, Proposal
from effects.places import key_of, place_of, work_of
from effects.queries.offers import operation_at
from kernel.errors import DomainError

SECONDS: Final = 60.0
_MISSING: Final = object()


class NotLookedUp(Exception):
    """Raised when the other system could not be asked now; says why."""


def look_up(check: Mapping[str, Any], proposal: Proposal, arguments: Mapping[str, Any]) -> str:
    """Return why the action does not pass; empty when it does. Raises: NotLookedUp."""
    try:
        operation = operation_at(check["operation"])
        taken = {name: _at(arguments, pointer) for name, pointer in check["arguments"].items()}
        if _MISSING in taken.values():
            return "the action lacks what is to be looked up"
        check_arguments(operation, taken)
    except DomainError as error:
        return f"it cannot be looked up ({error.code})"
    if operation.effect != Operation.Effect.READ or not operation.lookup:
        return f"{operation.target} is no operation that looks something up"
    ending = _asked(operation, proposal, taken)
    if ending == Ending.UNKNOWN:
        raise NotLookedUp(f"{operation.target} could not tell")
    wanted = Ending.DONE if check.get("expect", "found") == "found" else Ending.NOT_DONE
    if ending == wanted:
        return ""
    return f"{operation.target} {'has' if ending == Ending.DONE else 'does not have'} it"


def _asked(operation: Operation, proposal: Proposal, arguments: Mapping[str, Any]) -> Ending:
    connection = operation.connection
    try:
        with lend(
            connection_ref=connection.ref,
            kind=connection.credential,
            settings=connection.credential_settings,
            holder_agent=proposal.agent.public_id,
            proposal=proposal.public_id,
            seconds=SECONDS,
            place=connection.settings,
            allow_private=connection.allow_private,
        ) as lending:
            sent = adapter_of(connection.adapter).look_up(
                place_of(connection),
                work_of(operation),
                arguments,
                Lent(lending.headers, lending.user, lending.password),
                key=key_of(proposal.public_id, operation, arguments),
            )
    except DomainError as error:
        raise NotLookedUp(f"{operation.target} was not reached ({error.code})") from None
    return sent.ending


def _at(arguments: Any, pointer: str) -> Any:
    """Return what a JSON pointer (RFC 6901) leads to."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(arguments, Mapping) and name in arguments:
            arguments = arguments[name]
        elif isinstance(arguments, list) and name.isdecimal() and int(name) < len(arguments):
            arguments = arguments[int(name)]
        else:
            return _MISSING
    return arguments
