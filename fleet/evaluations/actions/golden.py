"""Golden cases: added by hand, from a recorded step or from a correction; replaced; retired.

A case is changed by a new version. What is asked and expected is sealed in the entry that
records it; the row knows its kind, its digest and where it came from.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import IntegrityError, transaction

from effects.models import Proposal
from effects.reading import read_action
from fleet.evaluations.actions.sealing import record_sealed
from fleet.evaluations.comparing.documents import NOTHING, document_of, one_spelling, structure_of
from fleet.evaluations.comparing.inference import Shape
from fleet.evaluations.errors import GoldenEnded, GoldenExists, GoldenInvalid
from fleet.evaluations.expecting.content import GoldenContent, checked, read_content
from fleet.evaluations.models import GoldenCase
from fleet.evaluations.queries.evaluations import require_evaluate
from fleet.evaluations.queries.golden import golden_case_for
from fleet.evaluations.queries.recorded import entries_named, results_of
from kernel import clock
from kernel.canonical import digest_bytes
from kernel.db import constraint_of
from kernel.refs import new_id
from ledger.payloads import read_payload
from ledger.reading import tags_of
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Agent
from registry.queries.agents import agent_for
from routing.comparing.spoken import Answer, answer_of
from routing.gateway.wires.wire import read_json
from routing.models import Call
from routing.queries.calls import run_for

_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
Source = GoldenCase.Source


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a case came from, and whose data is in it."""

    source: str = Source.HAND
    source_id: str = ""
    tag: str = ""


def add_golden(
    agent: Agent,
    name: str,
    content: GoldenContent,
    *,
    actor: Actor,
    route: str = "",
    origin: Origin = Origin(),
) -> GoldenCase:
    """Add a case to an agent's.

    Records: golden_case.added. Raises: MayNotEvaluate, GoldenInvalid, GoldenExists.
    """
    require_evaluate(actor, agent)
    _check_name(name)
    route = route or next(iter(agent.routes), "")
    if not route:
        raise GoldenInvalid("Say by which route it is asked.")
    try:
        with transaction.atomic():
            return _made(agent, name, 1, content, route=route, actor=actor, origin=origin)
    except IntegrityError as error:
        if constraint_of(error).startswith("evaluations_golden_one"):
            raise GoldenExists(
                f"{agent.name} has, or had, a golden case named {name}: change that one,"
                " or choose another name."
            ) from None
        raise


@transaction.atomic
def replace_golden(golden: GoldenCase, content: GoldenContent, *, actor: Actor) -> GoldenCase:
    """Make a new version of a case; the one before it is kept, and no longer asked.

    Records: golden_case.replaced. Raises: MayNotEvaluate, GoldenEnded.
    """
    require_evaluate(actor, golden.agent)
    _end(golden, GoldenCase.State.REPLACED)
    origin = Origin(golden.source, golden.source_id, golden.tag)
    number = golden.number + 1
    return _made(
        golden.agent,
        golden.name,
        number,
        content,
        route=golden.route,
        actor=actor,
        origin=origin,
    )


@transaction.atomic
def retire_golden(golden: GoldenCase, *, actor: Actor) -> GoldenCase:
    """Ask a case no more.

    Records: golden_case.retired. Raises: MayNotEvaluate, GoldenEnded.
    """
    require_evaluate(actor, golden.agent)
    _end(golden, GoldenCase.State.RETIRED)
    record(
        Verb.GOLDEN_RETIRED,
        golden.ref,
        actor=actor.ref,
        facts={"name": golden.name, "number": golden.number},
        agent_id=golden.agent.public_id,
    )
    golden.refresh_from_db()
    return golden


def read_golden(public_id: str, *, actor: Actor, reason: str) -> tuple[GoldenCase, GoldenContent]:
    """Return a case with what it asks and expects.

    Records: payload.read. Raises: GoldenNotFound, ReasonMissing, and what a reading raises.
    """
    golden = golden_case_for(actor, public_id)
    raw = read_payload(golden.entry_id, actor=actor.ref, reason=reason)
    return golden, read_content(raw)


def golden_from_step(run: str, entry: str, *, actor: Actor, name: str = "") -> GoldenCase:
    """Add a case from a recorded step: what was asked, and what came of it.

    Expected is the call of a tool if there was one, JSON of the same form if it was JSON, and
    else exactly that text. Records: payload.read, golden_case.added. Raises: RunNotFound,
    MayNotEvaluate, GoldenInvalid, GoldenExists, and what a reading raises.
    """
    found = run_for(actor, run)
    agent = agent_for(actor, found.agent_id)
    require_evaluate(actor, agent)
    asked, answer = _exchange(found.run_id, entry, actor)
    expects, expected = _expected_of(answer)
    content = replace(asked.content, expects=expects, expected=expected)
    return add_golden(
        agent,
        name or _named("step", entry),
        _checked_again(content),
        actor=actor,
        route=asked.route,
        origin=Origin(Source.STEP, entry, asked.tag),
    )


def golden_from_correction(proposal: Proposal, *, actor: Actor, name: str = "") -> GoldenCase:
    """Add a case from what a reviewer corrected: what was decided is what was to be proposed.

    The step is the last of its run that called a tool with the arguments as they were asked.
    Records: payload.read, golden_case.added. Raises: as `golden_from_step`.
    """
    require_evaluate(actor, proposal.agent)
    if proposal.edited_count is None or not proposal.run_id:
        raise GoldenInvalid("Nobody corrected this action, or it was not made in a run.")
    reason = "to make a golden case of a correction"
    asked = read_action(proposal, actor=actor, reason=reason)["arguments"]
    decided = read_action(proposal, actor=actor, reason=reason, decided=True)["arguments"]
    run = run_for(actor, proposal.run_id)
    calls = Call.objects.filter(
        run_id=run.run_id, started_at__lte=proposal.created_at, status=Call.Status.OK
    ).order_by("-started_at", "-id")
    for intent in calls.values_list("intent_id", flat=True)[:10]:
        step, answer = _exchange(run.run_id, intent, actor)
        if (expected := _corrected(answer, asked, decided)) is not None:
            content = replace(step.content, expects=expected[0], expected=expected[1])
            return add_golden(
                proposal.agent,
                name or _named("correction", proposal.public_id),
                _checked_again(content),
                actor=actor,
                route=step.route,
                origin=Origin(Source.CORRECTION, proposal.public_id, step.tag),
            )
    raise GoldenInvalid(
        "None of the last ten calls of its run wrote these arguments as they were asked."
        " Add the case by hand."
    )


@dataclass(frozen=True, slots=True)
class _Step:
    content: GoldenContent
    route: str
    tag: str


def _exchange(run_id: str, entry: str, actor: Actor) -> tuple[_Step, Answer]:
    found = [one for one in entries_named([entry]) if one.kind == "intent"]
    result = results_of([entry]).get(entry)
    if not found or result is None or found[0].stream != run_id:
        raise GoldenInvalid("This step is no call that was answered.")
    intent, reason = found[0], "to make a golden case of it"
    request = read_payload(entry, actor=actor.ref, reason=reason)
    answer = answer_of(read_payload(result.entry_id, actor=actor.ref, reason=reason))
    tag = tags_of([(intent.entry_id, intent.recorded_at)]).get(intent.entry_id, "")
    content = checked(
        operation=str(intent.facts.get("operation") or ""),
        request=read_json(request),
        expects=GoldenCase.Expects.EXACT,
        expected={"text": answer.text or "?"},
    )
    return _Step(content, str(intent.facts.get("route") or ""), tag), answer


def _expected_of(answer: Answer) -> tuple[str, dict[str, Any]]:
    for call in answer.calls:
        arguments = document_of(call.arguments or "{}")
        if isinstance(arguments, dict):
            return GoldenCase.Expects.TOOL, {"name": call.name, "arguments": arguments}
    if not answer.text.strip():
        raise GoldenInvalid("The model said nothing in this step.")
    found = structure_of(answer.text)
    if found is NOTHING:
        return GoldenCase.Expects.EXACT, {"text": answer.text}
    shape = Shape()
    shape.take(found)
    return GoldenCase.Expects.JSON, {"schema": shape.schema()}


def _corrected(
    answer: Answer, asked: dict[str, Any], decided: dict[str, Any]
) -> tuple[str, dict[str, Any]] | None:
    wanted = one_spelling(asked)
    for call in answer.calls:
        if one_spelling(document_of(call.arguments or "{}")) == wanted:
            return GoldenCase.Expects.TOOL, {"name": call.name, "arguments": decided}
    found = structure_of(answer.text)
    if found is not NOTHING and one_spelling(found) == wanted:
        return GoldenCase.Expects.JSON, {"schema": {"const": decided}}
    return None


def _checked_again(content: GoldenContent) -> GoldenContent:
    return checked(
        operation=content.operation,
        request=dict(content.request),
        expects=content.expects,
        expected=dict(content.expected),
        note=content.note,
    )


def _made(  # noqa: PLR0913  one version, in one statement
    agent: Agent,
    name: str,
    number: int,
    content: GoldenContent,
    *,
    route: str,
    actor: Actor,
    origin: Origin,
) -> GoldenCase:
    sealed, public_id = content.sealed(), new_id("gld")
    golden = GoldenCase(
        public_id=public_id,
        agent=agent,
        name=name,
        number=number,
        expects=content.expects,
        source=origin.source,
        source_id=origin.source_id,
        route=route,
        operation=content.operation,
        tag=origin.tag,
        digest=digest_bytes(sealed),
        added_by=str(actor.ref),
        added_at=clock.now(),
    )
    golden.entry_id = record_sealed(
        Verb.GOLDEN_ADDED if number == 1 else Verb.GOLDEN_REPLACED,
        golden.ref,
        actor=actor.ref,
        agent=agent,
        payload=sealed,
        tag=origin.tag,
        facts={
            "name": name,
            "number": number,
            "expects": content.expects,
            "source": origin.source,
            "digest": golden.digest,
        },
    )
    golden.save(force_insert=True)
    return golden


def _end(golden: GoldenCase, state: GoldenCase.State) -> None:
    live = GoldenCase.objects.filter(pk=golden.pk, state=GoldenCase.State.LIVE)
    if not live.update(state=state, ended_at=clock.now()):
        raise GoldenEnded(f"{golden.name} {golden.number} was replaced or retired.")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise GoldenInvalid(
            "A name has 1 to 63 small letters, digits and hyphens, such as refund-above-limit."
        )


def _named(kind: str, public_id: str) -> str:
    return f"{kind}-{public_id[-10:].lower()}"
