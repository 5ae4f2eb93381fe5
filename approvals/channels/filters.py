"""Which channels are told of a review, and which people by mail: asked as it is announced."""

from __future__ import annotations

from collections.abc import Iterable

from approvals.audience import audience_now, people_of
from approvals.channels.effects import effect_of, is_at_least
from approvals.models import Channel, NoticePreference, Review
from kernel.refs import Ref
from registry.models import Agent, Person


def channels_for(review: Review, event: str) -> list[Channel]:
    """Return the channels that want an event of a review."""
    live = Channel.objects.filter(removed_at__isnull=True, gone_at__isnull=True)
    wanting = [each for each in live.order_by("pk") if _wants(each, review, event)]
    if not any(each.agents or each.teams for each in wanting):
        return wanting
    name, team = _agent_and_team(review)
    return [
        each
        for each in wanting
        if (not each.agents or name in each.agents) and (not each.teams or team in each.teams)
    ]


def channels_telling(
    kind: str, *, subject: Ref, teams: Iterable[str] = (), roles: Iterable[str] = ()
) -> list[Channel]:
    """Return the channels that chose to be told of a kind that is no review's, by its topic.

    Their audience, agents and teams narrow it as they narrow reviews; mail is each person's own.
    """
    topic, slugs = kind.partition(".")[0], set(teams)
    live = Channel.objects.filter(removed_at__isnull=True, gone_at__isnull=True)
    rows = live.filter(tells__overlap=[topic, "*"]).exclude(kind=Channel.Kind.MAIL)
    found = list(rows.order_by("pk"))
    if not any(each.agents or each.teams or each.audience for each in found):
        return found
    name, team = _named(subject.id) if subject.kind == "agent" else ("", "")
    asked = {f"role:{role}" for role in roles} | {f"team:{slug}" for slug in slugs}
    slugs |= {team} if team else set()
    return [
        each
        for each in found
        if (not each.agents or name in each.agents)
        and (not each.teams or bool(slugs & {*each.teams}))
        and (not each.audience or bool(asked & {*each.audience}))
    ]


def _wants(channel: Channel, review: Review, event: str) -> bool:
    return (
        (not channel.events or event in channel.events)
        and (not channel.kinds or review.kind in channel.kinds)
        and (not channel.audience or bool({*audience_now(review)} & {*channel.audience}))
        and is_at_least(effect_of(review), channel.min_effect)
    )


def _agent_and_team(review: Review) -> tuple[str, str]:
    return _named(review.about_agent)


def _named(agent: str) -> tuple[str, str]:
    found = Agent.objects.filter(public_id=agent).values_list("name", "team__slug")
    name, team = found.first() or ("", "")
    return name, team or ""


def readers_of(review: Review) -> Iterable[tuple[Person, NoticePreference | None]]:
    """Return who gets a mail: those who may decide and have not, as they prefer it."""
    people = (
        Person.objects.filter(people_of(audience_now(review)))
        .exclude(pk=review.requester_id)
        .exclude(public_id__in=review.excluded)
        .exclude(review_decisions__review=review)
        .exclude(notices__mail=NoticePreference.Mail.OFF)
        .select_related("notices")
        .order_by("pk")
        .distinct()
    )
    for person in people:
        yield person, getattr(person, "notices", None)
