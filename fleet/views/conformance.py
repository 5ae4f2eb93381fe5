"""The conformance of an agent: the flow its runs show beside the one it declares."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from fleet.conformance.drawing import flow_of
from fleet.conformance.proposing import proposed_document
from fleet.conformance.queries.conformity import Conformance, conformance_for, name_of
from fleet.views.frame import agent_page
from registry.actions.agents import propose_version
from registry.actors import Actor
from registry.manifest.diff import compare
from registry.manifest.reading import manifest_of
from registry.models import Agent
from registry.portal import signed_in, told
from registry.queries import proposed_version, shown_version

_FIXED = (Agent.Stage.IN_REVIEW, Agent.Stage.RETIRED)
_WORDS = {
    "missing": ("Left out", "warning"),
    "unexpected": ("Not declared", "error"),
    "order": ("Out of order", "warning"),
}


@signed_in
@require_GET
def conformance(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show how an agent's runs stand to what it declares."""
    found = conformance_for(actor, name)
    context: dict[str, Any] = {
        "found": found,
        "flow": flow_of(found),
        "gap_words": summary_words(found),
        "rows": [_row(each, found.runs) for each in found.deviations],
        "trend": _trend(found),
        "follows": [
            {"edge": edge, "source": name_of(edge.source), "target": name_of(edge.target)}
            for edge in found.edges
        ],
        "waiting": proposed_version(found.agent),
        "may_propose": bool(found.runs) and found.agent.stage not in _FIXED,
    }
    return agent_page(request, actor, found.agent, "conformance", context)


@signed_in
@require_GET
def preview(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Show the version that would declare what is seen."""
    found = conformance_for(actor, name)
    before = shown_version(found.agent).manifest
    after = proposed_document(found, before)
    context = {
        "found": found,
        "version": after["spec"]["version"],
        "steps": after["spec"]["steps"],
        "changes": [each for each in compare(before, after) if each.path != "spec.version"],
        "waiting": proposed_version(found.agent),
    }
    return agent_page(request, actor, found.agent, "conformance_preview", context)


@signed_in
@require_POST
def declare(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Propose that version; it goes the way of every other."""
    found = conformance_for(actor, name)
    with told(request):
        document = proposed_document(found, shown_version(found.agent).manifest)
        done = propose_version(found.agent.name, manifest_of(document), actor=actor, source="form")
        messages.success(
            request, f"Version {done.version.version} declares what is seen. Submit it for review."
        )
        return redirect("registry:agent-versions", found.agent.name)
    return redirect("registry:agent-conformance", found.agent.name)


def _row(each: Any, runs: int) -> dict[str, Any]:
    title, tone = _WORDS[each.kind]
    return {
        "way": each,
        "title": title,
        "tone": tone,
        "step": name_of(each.step),
        "after": name_of(each.after),
        "share": each.runs / runs if runs else None,
    }


def _trend(found: Conformance) -> dict[str, Any] | None:
    """Runs as declared and runs that deviate, week by week; a single week is no trend."""
    if not found.declares or len(found.weeks) < 2:
        return None
    first, last = found.weeks[0].week, found.weeks[-1].week
    known = {each.week: each for each in found.weeks}
    weeks = [first + timedelta(days=7 * n) for n in range((last - first).days // 7 + 1)]
    counts = [
        (known[week].runs, known[week].deviating) if week in known else (0, 0) for week in weeks
    ]
    return {
        "times": [int(datetime.combine(week, time(), UTC).timestamp()) for week in weeks],
        "series": [
            {"label": "As declared", "values": [runs - off for runs, off in counts],
             "tone": "success"},
            {"label": "Deviate", "values": [off for _, off in counts], "tone": "warning"},
        ],
    }  # fmt: skip


def summary_words(found: Conformance) -> str:
    """Say the gap in one sentence, with its interval."""
    gap = found.gap
    if gap.value is None:
        return "no run yet"
    low, high = int(100 * gap.lower), -int(-100 * gap.upper // 1)
    return f"{gap.part} of {gap.whole} runs; 95 % sure: {low} to {high} %"
