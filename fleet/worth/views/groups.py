"""Duplicates: the groups that were found, side by side, and what people say of them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from fleet.worth.actions.merging import confirm_group, reopen_group, separate_group
from fleet.worth.models import DuplicateGroup
from fleet.worth.queries.duplicates import (
    group_for,
    groups_for,
    last_look,
    pairs_in,
    sides_in,
    sides_of,
)
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import signed_in, told
from registry.queries import answers_for


@signed_in
@require_GET
def groups(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the groups of agents that look as if they did the same job."""
    state = chosen(request, "state", DuplicateGroup.State.values) or "open"
    rows = groups_for(actor).filter(state=state)
    words = asked(request, "search")
    if words:
        rows = found(rows, words, "members__agent__title", "members__agent__name").distinct()
    page = cut(request, rows, ordering="-score_permille")
    sides = sides_in(page)
    options = [(each.value, each.label) for each in DuplicateGroup.State]
    context = {
        "page": page,
        "rows": [(group, sides[group.pk]) for group in page],
        "selects": [{"name": "state", "label": "Open", "value": state, "options": options}],
        "look": last_look(),
        "is_narrowed": bool(words) or state != "open",
    }
    return render(request, "worth/groups.html", context)


@signed_in
@require_GET
def group(request: HttpRequest, actor: Actor, group: str) -> HttpResponse:
    """Show the agents of a group side by side, why they are alike, and what may be said."""
    shown = group_for(actor, group)
    sides = sides_of(shown)
    context = {
        "group": shown,
        "sides": sides,
        "pairs": list(pairs_in(shown)),
        "may_settle": actor.has(Role.PLATFORM)
        or any(answers_for(actor, side.agent) for side in sides),
    }
    return render(request, "worth/group.html", context)


@signed_in
@require_POST
def confirm(request: HttpRequest, actor: Actor, group: str) -> HttpResponse:
    """Say that it is one job, and which agent survives."""
    with told(request):
        done = confirm_group(
            group, request.POST.get("survivor", ""), actor=actor,
            because=request.POST.get("because", ""),
        )  # fmt: skip
        messages.success(
            request, f"{done.survivor} survives. The owners of the others are asked to move."
        )
    return redirect("worth:group", group)


@signed_in
@require_POST
def separate(request: HttpRequest, actor: Actor, group: str) -> HttpResponse:
    """Say that they are different jobs, and why."""
    with told(request):
        separate_group(group, actor=actor, because=request.POST.get("because", ""))
        messages.success(request, "Kept. Nobody is asked again until one of them changes.")
    return redirect("worth:group", group)


@signed_in
@require_POST
def reopen(request: HttpRequest, actor: Actor, group: str) -> HttpResponse:
    """Take back what was said."""
    with told(request):
        reopen_group(group, actor=actor, because=request.POST.get("because", ""))
        messages.success(request, "Taken back. They are compared again within ten minutes.")
    return redirect("worth:group", group)
