"""Which format a channel's kind speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from approvals.channels import mail, slack, teams, webhook
from approvals.channels.sending import Send
from approvals.models import Channel, Notice

Kind = Channel.Kind
_FORMATS: Final[dict[Kind, Callable[[list[Notice]], Send]]] = {
    Kind.MAIL: mail.prepare,
    Kind.SLACK: slack.prepare,
    Kind.SLACK_HOOK: slack.prepare,
    Kind.TEAMS: teams.prepare,
    Kind.WEBHOOK: webhook.prepare,
}


def prepare(notices: list[Notice]) -> Send:
    """Make the message of a notice, or of a digest's several, ready to be sent from a thread.

    Raises: SecretsClosed, SecretNotFound, CannotOpen.
    """
    return _FORMATS[Kind(notices[0].channel.kind)](notices)
