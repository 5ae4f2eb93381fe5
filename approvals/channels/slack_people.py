"""Whose account in Slack somebody's is: proved by the person, else by the workspace's word.

The workspace vouches for an address that it has confirmed, of a full member of its own: no bot,
no guest, nobody from another company's workspace.
"""

from __future__ import annotations

from urllib.parse import quote

from approvals.channels.errors import DeciderUnknown
from approvals.channels.secrets import sending_secrets
from approvals.channels.sending import SECONDS
from approvals.models import Channel, SlackAccount
from credentials.egress import GuardedClient
from kernel.errors import DomainError, Unavailable
from registry.models import Person


class SlackUnreachable(Unavailable):
    """Raised when Slack does not say who somebody is; asked again a little later."""

    code = "approvals.slack_unreachable"
    title = "Slack does not say who this is"


def person_behind(channel: Channel, user: str, workspace: str) -> Person:
    """Return the person behind an account. Raises: DeciderUnknown, SlackUnreachable."""
    if channel.workspace and workspace != channel.workspace:
        raise DeciderUnknown("This account belongs to another workspace.")
    proved = SlackAccount.objects.select_related("person").filter(
        channel=channel, slack_user=user, proved_at__isnull=False
    )
    if (account := proved.first()) is not None:
        return account.person
    email = _confirmed_address(channel, user, workspace)
    person = Person.objects.filter(email__iexact=email).first()
    if person is None:
        raise DeciderUnknown("Nobody here has the e-mail address that Slack knows you by.")
    return person


def _confirmed_address(channel: Channel, user: str, workspace: str) -> str:
    secret = sending_secrets(channel)[0]
    client = GuardedClient(allow_private=channel.allow_private, seconds=SECONDS)
    address = f"{channel.address}/users.info?user={quote(user, safe='')}"
    try:
        said = client.get(address, headers={"Authorization": f"Bearer {secret.reveal()}"}).json()
    except DomainError:
        raise SlackUnreachable from None
    if not isinstance(said, dict) or said.get("ok") is not True:
        raise SlackUnreachable
    found = said.get("user")
    found = found if isinstance(found, dict) else {}
    profile = found.get("profile")
    email = profile.get("email", "") if isinstance(profile, dict) else ""
    flags = ("deleted", "is_bot", "is_restricted", "is_ultra_restricted", "is_stranger")
    is_member = (
        found.get("id") == user
        and (not workspace or found.get("team_id") == workspace)
        and not any(found.get(flag) for flag in flags)
        and found.get("is_email_confirmed") is not False
    )
    if not is_member or not isinstance(email, str) or not email or "\x00" in email:
        raise DeciderUnknown("Slack does not vouch for your address; decide it in the portal.")
    return email
