"""An agent's versions: which there are, how they differ, handing in the next."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_GET, require_POST

from fleet.forms.registration import ManifestForm
from fleet.handed import handed_in, problems_of
from fleet.queries.progress import open_reviews_of
from fleet.views.frame import agent_page
from kernel.errors import Conflict, Invalid, TooLarge
from registry.actions.agents import propose_version, withdraw_version
from registry.actors import Actor
from registry.manifest.diff import compare
from registry.manifest.writing import to_yaml
from registry.models import Agent
from registry.portal import sentence, signed_in, told
from registry.queries import (
    agent_for,
    proposed_version,
    shown_version,
    version_of,
    versions_of,
)
from registry.queries.directory import names_of


@signed_in
@require_GET
def versions(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """List the versions and, when two are chosen, how they differ."""
    agent = agent_for(actor, name)
    return _shown(request, actor, agent, **_comparison(request, agent))


@signed_in
@require_GET
def version(request: HttpRequest, actor: Actor, name: str, number: int) -> HttpResponse:
    """Show one version: its text, and what it changed from the one before it."""
    agent = agent_for(actor, name)
    shown = version_of(agent, number)
    earlier = versions_of(agent).filter(number__lt=number).first()
    context = {
        "version": shown,
        "text": to_yaml(shown.manifest),
        "before": earlier,
        "changes": compare(earlier.manifest, shown.manifest) if earlier else [],
        "made_by": names_of([shown.created_by]).get(shown.created_by, shown.created_by),
    }
    return agent_page(request, actor, agent, "versions", context)


@signed_in
@require_GET
def manifest(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Hand out the manifest in force as a file."""
    agent = agent_for(actor, name)
    text = to_yaml(shown_version(agent).manifest)
    response = HttpResponse(text, content_type="application/yaml; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{agent.name}.yaml"'
    return response


@signed_in
@require_POST
def propose(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Hand in another manifest."""
    agent = agent_for(actor, name)
    form = ManifestForm(request.POST, request.FILES)
    problems: list[dict[str, Any]] = []
    if form.is_valid():
        handed = handed_in(form)
        try:
            done = propose_version(agent.name, handed.manifest(), actor=actor, source=handed.source)
        except (Invalid, Conflict, TooLarge) as error:
            form = handed.form_again()
            problems = problems_of(error, handed.text)
            if not problems:
                form.add_error(None, sentence(error))
        else:
            _say_done(request, agent, done.version.version, is_new=done.created)
            return redirect("registry:agent-versions", agent.name)
    return _shown(request, actor, agent, status=422, form=form, problems=problems)


@signed_in
@require_POST
def withdraw(request: HttpRequest, actor: Actor, name: str) -> HttpResponse:
    """Take the open proposal back."""
    with told(request):
        done = withdraw_version(name, actor=actor)
        messages.success(request, f"Version {done.version} is withdrawn.")
    return redirect("registry:agent-versions", name)


def _say_done(request: HttpRequest, agent: Agent, number: str, *, is_new: bool) -> None:
    if not is_new:
        messages.info(request, f"Version {number} says exactly this and waits already.")
    elif agent.stage == Agent.Stage.DRAFT:
        messages.success(request, f"Version {number} has taken the place of the one before.")
    else:
        messages.success(
            request, f"Version {number} is handed in. Submit it for review to bring it into force."
        )


def _comparison(request: HttpRequest, agent: Agent) -> dict[str, Any]:
    """Return how two chosen versions differ; nothing while none are chosen."""
    chosen = [request.GET.get(name, "") for name in ("before", "after")]
    if not all(number.isdecimal() and len(number) < 10 for number in chosen):
        return {}
    before, after = (version_of(agent, int(number)) for number in chosen)
    return {"compared": (before, after), "changes": compare(before.manifest, after.manifest)}


def _shown(
    request: HttpRequest, actor: Actor, agent: Agent, *, status: int = 200, **given: Any
) -> HttpResponse:
    rows = list(versions_of(agent)[:200])
    names = names_of({row.created_by for row in rows})
    waiting = proposed_version(agent)
    context: dict[str, Any] = {
        "rows": [(row, names.get(row.created_by, row.created_by)) for row in rows],
        "waiting": waiting,
        "is_asked": bool(open_reviews_of(agent)) if waiting else False,
        "form": ManifestForm(initial={"text": to_yaml(shown_version(agent).manifest)}),
        "problems": [],
        "may_propose": agent.stage not in (Agent.Stage.IN_REVIEW, Agent.Stage.RETIRED),
    }
    return agent_page(request, actor, agent, "versions", context | given, status=status)
