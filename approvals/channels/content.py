"""What a message says of a review: no more than its channel may carry.

The title is made of names that people of the company chose, never of an agent's words. The
arguments of an action are opened for a channel that carries them, and for no other; who opens
them is a port, because actions belong to a package on the left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from approvals.channels import plain
from approvals.channels.effects import effect_of
from approvals.models import Channel, Review
from kernel.clock import stamp
from registry.models import Agent

Carries = Channel.Carries
Arguments = Callable[[Review], Mapping[str, Any] | None]


class _Bound:
    arguments: Arguments | None = None


def bind_arguments(read: Arguments | None) -> None:
    """Say who opens the arguments of what a review is about; the last binding holds."""
    _Bound.arguments = read


@dataclass(frozen=True, slots=True)
class Content:
    """A review as one channel tells of it; every text is one visible line."""

    review: Review
    agent: Agent | None
    title: str
    effect: str
    facts: tuple[tuple[str, str], ...] = ()
    arguments: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def is_whole(self) -> bool:
        """Whether an action's arguments are all here."""
        return self.review.kind != Review.Kind.PROPOSAL or self.arguments is not None

    @property
    def url(self) -> str:
        return f"{settings.PUBLIC_URL}{self.path}"

    @property
    def path(self) -> str:
        return f"/reviews/{self.review.public_id}/"

    @property
    def ends(self) -> str:
        return stamp(self.review.expires_at)[:16].replace("T", " ") + " UTC"


def content_of(review: Review, carries: str) -> Content:
    """Return what is said of a review."""
    agent = _agent_of(review)
    content = Content(review, agent, title_of(review, agent), effect_of(review))
    if carries == Carries.TITLE:
        return content
    arguments = _arguments_of(review) if carries == Carries.FULL else None
    facts = _facts(content, with_words=carries == Carries.FULL)
    return Content(review, agent, content.title, content.effect, facts, arguments)


def title_of(review: Review, agent: Agent | None) -> str:
    """Name a question in one line."""
    if review.kind != Review.Kind.PROPOSAL:
        return plain.line(review.question)
    who = agent.name if agent else "An agent"
    what = review.operation or "an action"
    return plain.line(f"{who} asks for {what}")


def _facts(content: Content, *, with_words: bool) -> tuple[tuple[str, str], ...]:
    review, agent = content.review, content.agent
    found = [("Asked by", review.requester.email)]
    if agent is not None:
        found += [("Agent", agent.name), ("Owner", agent.owner.email)]
        found += [("Data", ", ".join(agent.data_classes))]
    if review.operation:
        found.append(("Action", review.operation))
    if content.effect:
        found.append(("Effect", content.effect))
    found.append(("Approvals needed", str(review.quorum)))
    if with_words and review.justification:
        found.append(("Reason given", review.justification))
    return tuple((name, plain.line(value, 1000)) for name, value in found)


def _arguments_of(review: Review) -> Mapping[str, Any] | None:
    if review.kind != Review.Kind.PROPOSAL or _Bound.arguments is None:
        return None
    return _Bound.arguments(review)


def _agent_of(review: Review) -> Agent | None:
    if not review.about_agent:
        return None
    return Agent.objects.select_related("owner").filter(public_id=review.about_agent).first()
