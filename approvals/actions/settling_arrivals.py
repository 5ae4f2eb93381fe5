"""What was pressed in Slack, carried out by the worker: whose it is, the decision, the reply.

A claim has a lease and a fence like a message's. A worker that dies in between leaves a decision
that is made or not made; carried out again, it is refused as answered already, and said so.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Q

from approvals.actions.answering import Answer, answer_review, check_limit
from approvals.channels.content import content_of
from approvals.channels.sending import post_json
from approvals.channels.slack import ended, escaped
from approvals.channels.slack_people import SlackUnreachable, person_behind
from approvals.models import Arrival, Review
from kernel import clock
from kernel.errors import DomainError
from registry.actors import Actor
from registry.models import Person

logger = logging.getLogger("unsprawl.channels")

LEASE: Final = timedelta(seconds=60)
MOST_ATTEMPTS: Final = 5
MOST_AT_ONCE: Final = 100
_REPLIES: Final = "hooks.slack.com"


def settle_arrivals(*, actor: Actor) -> int:
    """Carry out what was pressed; return how many decisions that made.

    Records: answer.taken, and what deciding records, in the person's name.
    """
    made = 0
    for _ in range(MOST_AT_ONCE):
        arrival = _claim()
        if arrival is None:
            break
        made += _settle(arrival)
    return made


@transaction.atomic
def _claim() -> Arrival | None:
    now = clock.now()
    found = (
        Arrival.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("channel")
        .filter(Q(leased_until__isnull=True) | Q(leased_until__lt=now))
        .filter(state=Arrival.State.WAITING, again_at__lte=now)
        .order_by("again_at", "pk")
        .first()
    )
    if found is not None:
        found.fence += 1
        found.leased_until = now + LEASE
        found.save(update_fields=["fence", "leased_until"])
    return found


def _settle(arrival: Arrival) -> bool:
    channel, asked = arrival.channel, arrival.asked
    try:
        person = person_behind(channel, asked["user"], asked["workspace"])
    except SlackUnreachable as error:
        if arrival.attempts + 1 < MOST_ATTEMPTS:
            return _later(arrival)
        return _refuse(arrival, error)
    except DomainError as error:
        return _refuse(arrival, error)
    try:
        review = _decide(arrival, person)
    except DomainError as error:
        return _refuse(arrival, error)
    said = ended(content_of(review, channel.carries)) if review.state != Review.State.OPEN else None
    _reply(arrival, said or {"text": "Your answer is on record; others are asked, too."},
           replaces=said is not None)  # fmt: skip
    return True


@transaction.atomic
def _decide(arrival: Arrival, person: Person) -> Review:
    channel, asked = arrival.channel, arrival.asked
    check_limit(channel, arrival.review_id)
    answer = Answer(
        arrival.review_id, asked["digest"], asked["decision"], asked["comment"], "slack", channel
    )
    review = answer_review(answer, actor=Actor.of(person))
    arrival.person = person
    _end(arrival, Arrival.State.DONE, {"state": review.state})
    return review


def _refuse(arrival: Arrival, error: DomainError) -> bool:
    _end(arrival, Arrival.State.REFUSED, {"code": error.code})
    _reply(arrival, {"text": escaped(error.detail or error.title)}, replaces=False)
    return False


def _later(arrival: Arrival) -> bool:
    Arrival.objects.filter(pk=arrival.pk, fence=arrival.fence).update(
        attempts=arrival.attempts + 1,
        again_at=clock.now() + timedelta(seconds=2 ** (arrival.attempts + 1)),
        leased_until=None,
    )
    return False


def _end(arrival: Arrival, state: Arrival.State, answer: dict[str, Any]) -> None:
    # What was asked is not kept: whose it is, and how it ended, is.
    Arrival.objects.filter(pk=arrival.pk, fence=arrival.fence, state="waiting").update(
        state=state, answer=answer, asked={}, person=arrival.person, ended_at=clock.now(),
        leased_until=None,
    )  # fmt: skip


def _reply(arrival: Arrival, said: dict[str, Any], *, replaces: bool) -> None:
    """Say in Slack what came of it; a reply that fails changes nothing."""
    channel, url = arrival.channel, str(arrival.asked.get("response_url", ""))
    own = urlsplit(channel.address)
    try:
        given = urlsplit(url)
    except ValueError:
        return
    is_slack = (given.scheme, given.netloc) == ("https", _REPLIES)
    # Another base than Slack's is what an administrator of the platform configured.
    if not is_slack and (given.scheme, given.netloc) != (own.scheme, own.netloc):
        logger.warning("channel %s: a reply address that is not Slack's", channel.public_id)
        return
    body = {"replace_original": replaces, "response_type": "ephemeral", **said}
    outcome = post_json(url, body, allow_private=channel.allow_private)
    if not outcome.is_sent:
        logger.warning("channel %s: no reply (%s)", channel.public_id, outcome.failure)
