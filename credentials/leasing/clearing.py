"""Clearing a server of roles that nothing here knows any more, by what a connection says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from credentials.leasing.lending import role_settings
from credentials.leasing.roles import RoleTerms, Server, drop_orphans
from credentials.opening import require_opening
from kernel.refs import Ref


def clear_server(
    connection_ref: Ref,
    settings: Mapping[str, Any],
    *,
    place: Mapping[str, Any],
    allow_private: bool,
) -> list[str]:
    """Drop the roles of ours that no open lease knows, where a connection lends roles.

    Records: lease.orphan_dropped for each. Raises: SecretsClosed, CredentialSettingsInvalid,
    AddressRefused, SecretNotFound, CannotOpen, NotLent.
    """
    require_opening()
    terms = RoleTerms.read(role_settings(settings, place), allow_private=allow_private)
    return drop_orphans(Server(terms.place, terms.admin_user, connection_ref))
