"""What leads to live: figures, a minimum, an exception that reviewers see; and the way back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import mail

from approvals.actions import decide_review, request_promotion
from approvals.errors import LaunchTooEarly
from approvals.models import Review
from effects.launch.demoting import demote_regressed, tell_owners
from effects.launch.measuring import measure_stage
from effects.launch.minimum import minimum_for, missing_of
from effects.models import Demotion
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent
from tests.effects.launch.acting import Acts
from tests.factories import Cast, actor, make_agent

SWEEP = Actor.system("launch")


def missing(agent: Agent) -> list[str]:
    return missing_of(measure_stage(agent), minimum_for(agent.risk_tier))


def ask(cast: Cast, exception: str = "") -> Review:
    return request_promotion(
        "payer", actor=actor(cast.alice), justification="It does well.", exception=exception
    )


def promoted(agent: Agent) -> Agent:
    Agent.objects.filter(pk=agent.pk).update(
        stage="live", stage_changed_at=clock.now() - timedelta(hours=1)
    )
    agent.refresh_from_db()
    return agent


def test_enough_agreement_is_enough(cast: Cast, agent: Agent, acts: Acts) -> None:
    acts.judged("approved", 20)
    assert missing(agent) == []
    evidence = ask(cast).evidence
    assert evidence["launch"]["total"]["agreement"]["permille"] == 1000
    assert evidence["launch"]["minimum"]["decided"] == 20
    assert "exception" not in evidence


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        ({"approved": 19}, ["19 of 20 actions were decided by people"]),
        (
            {"approved": 18, "edited": 2},
            ["90 % were approved unchanged; 95 % is asked (18 of 20)",
             "crm.update was approved unchanged in 90 %; 95 % is asked"],
        ),
        (
            {"approved": 19, "rejected": 1},
            ["19 of 20 shows an agreement of at least 76 %; 80 % is asked"],
        ),
    ],
    ids=["too-few", "too-often-changed", "not-sure-enough"],
)  # fmt: skip
def test_what_is_missing_is_said(
    agent: Agent, acts: Acts, judged: dict[str, int], said: list[str]
) -> None:
    for answer, times in judged.items():
        acts.judged(answer, times)
    assert missing(agent) == said


def test_one_operation_does_not_hide_behind_another(agent: Agent, acts: Acts) -> None:
    acts.judged("approved", 40, on="crm.update")
    acts.judged("approved", 2, on="erp.pay")
    assert missing(agent) == ["erp.pay was decided 2 of 5 times"]


def test_failing_effects_are_missing_too(agent: Agent, acts: Acts) -> None:
    acts.judged("approved", 18)
    acts.judged("approved", 2, state="unknown")
    assert missing(agent) == ["10 % of its effects failed or are not known; at most 5 % may"]


def test_a_higher_risk_asks_for_more(agent: Agent, acts: Acts) -> None:
    acts.judged("approved", 20)
    agent.risk_tier = "high"
    assert missing(agent) == ["20 of 50 actions were decided by people"]


def test_below_the_minimum_nobody_is_asked_unless_an_exception_is_stated(
    cast: Cast, agent: Agent, acts: Acts
) -> None:
    acts.judged("approved", 3)
    with pytest.raises(LaunchTooEarly, match="3 of 20") as refused:
        ask(cast)
    assert len(refused.value.facts["missing"]) == 2  # type: ignore[arg-type]
    assert not Review.objects.exists()
    review = ask(cast, "It only runs at the end of the year.")
    assert review.evidence["exception"] == "It only runs at the end of the year."
    assert review.evidence["launch"]["missing"] != []
    decide_review(review.public_id, actor=actor(cast.sam), decision="approve")
    agent.refresh_from_db()
    assert agent.stage == "live"


def test_an_agent_that_never_acted_goes_live_as_before(cast: Cast, agent: Agent) -> None:
    assert "launch" not in ask(cast).evidence


def test_a_live_agent_whose_effects_fail_is_put_back(cast: Cast, agent: Agent, acts: Acts) -> None:
    promoted(agent)
    acts.made(state="succeeded", decided_digest="sha256:a")
    for _ in range(9):
        acts.made(state="failed", decided_digest="sha256:a")
    [demotion] = demote_regressed(actor=SWEEP)
    agent.refresh_from_db()
    assert (agent.stage, demotion.rule) == ("soft_launch", "launch.errors")
    entry = Entry.objects.get(agent_id=agent.public_id, verb="agent.demoted")
    assert entry.actor == "system:launch"
    # Its owner may ask for live again, and the reviewers see that it fell back.
    review = ask(cast, "The other system was down.")
    assert review.evidence["launch"]["demoted"]["rule"] == "launch.errors"


def test_a_live_agent_that_people_keep_correcting_is_put_back(agent: Agent, acts: Acts) -> None:
    promoted(agent)
    acts.judged("approved", 6)
    acts.judged("rejected", 3)
    acts.judged("edited", 3)
    assert [one.rule for one in demote_regressed(actor=SWEEP)] == ["launch.disagreement"]


@pytest.mark.parametrize(
    ("judged", "why"),
    [
        ({"rejected": 9}, "nine decisions are too few"),
        ({"approved": 10, "rejected": 1}, "it is below the minimum, and within the margin"),
        ({"approved": 30, "edited": 2}, "it is where a promotion asks it to be"),
    ],
    ids=["few", "margin", "well"],
)
def test_chance_demotes_nobody(agent: Agent, acts: Acts, judged: dict[str, int], why: str) -> None:
    promoted(agent)
    for answer, times in judged.items():
        acts.judged(answer, times)
    assert demote_regressed(actor=SWEEP) == [], why


def test_what_was_before_live_does_not_count_against_it(agent: Agent, acts: Acts) -> None:
    acts.judged("rejected", 20, at=clock.now() - timedelta(hours=2))
    promoted(agent)
    acts.judged("approved", 10)
    assert demote_regressed(actor=SWEEP) == []


def test_an_agent_does_not_go_back_and_forth(agent: Agent, acts: Acts) -> None:
    promoted(agent)
    acts.judged("rejected", 12)
    assert len(demote_regressed(actor=SWEEP)) == 1
    assert demote_regressed(actor=SWEEP) == []
    Agent.objects.filter(pk=agent.pk).update(stage="live", stage_changed_at=clock.now())
    assert demote_regressed(actor=SWEEP) == []
    assert Demotion.objects.count() == 1


def test_only_live_agents_are_looked_at(cast: Cast, agent: Agent, acts: Acts) -> None:
    acts.judged("rejected", 20)
    idle = make_agent("idle", owner=cast.alice, stage="live")
    assert demote_regressed(actor=SWEEP) == []
    idle.refresh_from_db()
    assert idle.stage == "live"


def test_its_owners_are_written_to_once(settings: object, agent: Agent, acts: Acts) -> None:
    promoted(agent)
    acts.judged("rejected", 12)
    demote_regressed(actor=SWEEP)
    assert mail.outbox == []  # no mail server is set
    settings.EMAIL_HOST = "127.0.0.1"  # type: ignore[attr-defined]
    assert (tell_owners(), tell_owners()) == (1, 0)
    [letter] = mail.outbox
    assert letter.to == ["alice@acme.test", "bob@acme.test"]
    assert "People approved 0 of its newest 12 actions" in letter.body
