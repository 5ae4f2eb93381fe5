"""What people say to a suggestion: its owner accepts or contests it, and platform decides.

Each of the two is said once: of two who answer at the same moment one is told that the other
was first. Nothing happens to the agent by it; what follows is done by the ordinary ways.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction
from django.urls import reverse

from fleet.telling.actions.telling import tell
from fleet.worth.errors import AlreadyAnswered, NothingToDecide, ReasonNeeded
from fleet.worth.models import Answer, Listed
from fleet.worth.queries.lists import listed_for
from kernel import clock
from kernel.db import refused_as
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.errors.agents import NotYourAgent
from registry.models import Agent, Person, Role
from registry.queries import answers_for

Said = Answer.Said


@transaction.atomic
def answer_suggestion(public_id: str, said: str, *, actor: Actor, because: str = "") -> Answer:
    """Accept or contest a suggestion, for an agent that one answers for.

    Records: worth.accepted or worth.contested.
    Raises: NotListed, NotYourAgent, ReasonNeeded, AlreadyAnswered.
    """
    listed = listed_for(actor, public_id)
    agent = Agent.objects.filter(public_id=listed.agent_id).select_related("owner").first()
    if agent is None or not answers_for(actor, agent):
        raise NotYourAgent("Who answers for the agent says this.", rule="fleet.worth_answer")
    is_contested = said == Said.CONTESTED
    if is_contested and not because.strip():
        raise ReasonNeeded
    verb = Verb.WORTH_CONTESTED if is_contested else Verb.WORTH_ACCEPTED
    what = Said.CONTESTED if is_contested else Said.ACCEPTED
    answer = _say(listed, what, actor, because, verb)
    if is_contested:
        _tell(listed, agent, "Its owner says otherwise.", "Read why, and decide.",
              roles=[Role.PLATFORM])  # fmt: skip
    return answer


@transaction.atomic
def decide_suggestion(public_id: str, said: str, *, actor: Actor, because: str) -> Answer:
    """Uphold a suggestion that was contested, or lift it; not for an agent of one's own.

    Records: worth.decided.
    Raises: NotListed, RoleMissing, NotYourAgent, ReasonNeeded, NothingToDecide, AlreadyAnswered.
    """
    actor.require(Role.PLATFORM)
    listed = listed_for(actor, public_id)
    if not because.strip():
        raise ReasonNeeded
    contested = listed.answers.filter(said=Said.CONTESTED).first()
    if contested is None:
        raise NothingToDecide
    if contested.said_by == str(actor.ref):
        raise NotYourAgent("Somebody else decides on what you contest.", rule="fleet.worth_decide")
    what = Said.UPHELD if said == Said.UPHELD else Said.LIFTED
    answer = _say(listed, what, actor, because, Verb.WORTH_DECIDED)
    agent = Agent.objects.filter(public_id=listed.agent_id).select_related("owner").first()
    if agent is not None:
        who = Person.objects.filter(public_id=contested.said_by.partition(":")[2])
        people = {agent.owner, *who}
        _tell(listed, agent, f"What you contested is {what.label.lower()}.",
              "Why stands on its page.", people=people)  # fmt: skip
    return answer


def _tell(
    listed: Listed,
    agent: Agent,
    what: str,
    then: str,
    *,
    people: Iterable[Person] = (),
    roles: Iterable[Role] = (),
) -> None:
    """Tell whose turn it is, without the words that were typed."""
    tell(
        key=f"worth:{listed.public_id}:{'decided' if people else 'contested'}",
        kind="worth",
        subject=agent.ref,
        title=f"{agent.name}: {listed.get_suggestion_display().lower()}, in the list of"
        f" {listed.quarter.name}",
        lines=[what, then],
        path=reverse("worth:listed", args=[listed.public_id]),
        people=people,
        roles=roles,
    )


def _say(listed: Listed, said: str, actor: Actor, because: str, verb: Verb) -> Answer:
    why = because.strip()[:4000]
    with refused_as({"worth_answer_one_of_each": AlreadyAnswered()}):
        answer = Answer.objects.create(
            listed=listed, said=said, is_decision=verb == Verb.WORTH_DECIDED, because=why,
            said_by=str(actor.ref), said_at=clock.now(),
        )  # fmt: skip
    record(
        verb,
        listed.ref,
        actor=actor.ref,
        agent_id=listed.agent_id,
        facts={
            "quarter": listed.quarter.name, "suggestion": listed.suggestion, "said": str(said),
        },
        payload=why.encode() or None,
    )  # fmt: skip
    return answer
