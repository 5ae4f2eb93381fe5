"""People: the directory, inviting, and one person's page.

Everybody looks colleagues up; roles and closed accounts show to those who govern, and only
the platform role changes anything.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel.errors import Conflict, DomainError, Invalid
from kernel.pages import asked, chosen, cut, found, wanted_order
from registry.actions import people as act
from registry.actors import Actor
from registry.forms.people import InviteForm, PersonForm
from registry.models import Person, Role
from registry.portal import sentence, signed_in, told
from registry.queries import GOVERNING, people_for, sees_roles, teams_for, visible_person
from registry.queries.directory import agents_of, directory_for

_COLUMNS = {"name": "shown_name", "email": "email", "agents": "agent_count", "since": "created_at"}
_STATES = {"active": True, "deactivated": False}
_TYPED_INTO = ("backup_owner", "owner", "search")  # the fields that ask for a colleague


@signed_in
@require_GET
def people(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List people, searched and narrowed."""
    governs = actor.has(*GOVERNING)
    teams = list(teams_for(actor).order_by("name"))
    rows = found(directory_for(actor), asked(request, "search"), "name", "email", "team__name")
    team = chosen(request, "team", {each.slug for each in teams})
    role = chosen(request, "role", set(Role.values)) if governs else ""
    state = chosen(request, "state", set(_STATES)) if governs else ""
    if team:
        rows = rows.filter(team__slug=team)
    if role:
        rows = rows.filter(roles__contains=[role])
    if state:
        rows = rows.filter(deactivated_at__isnull=_STATES[state])
    selects: list[dict[str, Any]] = [
        _select("team", "Any team", team, [(each.slug, each.name) for each in teams])
    ]
    if governs:
        selects.append(_select("role", "Any role", role, Role.choices))
        states = [("active", "Active"), ("deactivated", "Deactivated")]
        selects.append(_select("state", "Active and not", state, states))
    order = wanted_order(request, _COLUMNS, "shown_name")
    context = {
        "page": cut(request, rows, ordering=order),
        "selects": selects,
        "is_narrowed": any((asked(request, "search"), team, role, state)),
        "governs": governs,
        "may_invite": actor.has(Role.PLATFORM),
    }
    return render(request, "registry/people.html", context)


@signed_in
@require_GET
def suggest_people(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Offer colleagues to a form that asks for one, as options of a list."""
    words = next((said for name in _TYPED_INTO if (said := asked(request, name))), "")
    rows = found(people_for(actor), words, "name", "email").filter(deactivated_at__isnull=True)
    offered = rows.order_by("name", "email")[:20]
    return render(request, "registry/_people_options.html", {"people": offered})


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def invite(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Give somebody an account and show the link that lets them in, once."""
    actor.require(Role.PLATFORM)
    form = InviteForm(request.POST or None, teams=teams_for(actor).order_by("name"))
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            person = act.add_person(
                given["email"],
                actor=actor,
                name=given["name"],
                team=given["team"] or None,
                roles=given["roles"],
            )
        except (Invalid, Conflict) as error:
            form.add_error(_field_of(error, form), sentence(error))
        else:
            return _with_link(request, actor, person, is_new=True)
    status = 422 if form.errors else 200
    return render(request, "registry/invite.html", {"form": form}, status=status)


@signed_in
@require_GET
def person(request: HttpRequest, actor: Actor, person: str) -> HttpResponse:
    """Show somebody."""
    return _shown(request, actor, visible_person(actor, person))


@signed_in
@require_POST
def change_person(request: HttpRequest, actor: Actor, person: str) -> HttpResponse:
    """Change somebody's name, team and roles."""
    actor.require(Role.PLATFORM)
    shown = visible_person(actor, person)
    form = PersonForm(request.POST, teams=teams_for(actor).order_by("name"))
    if form.is_valid():
        try:
            act.change_person(shown, actor=actor, **form.cleaned_data)
        except (Invalid, Conflict) as error:
            form.add_error(_field_of(error, form), sentence(error))
        else:
            messages.success(request, "Saved. What changed is on the record.")
            return redirect("registry:person", shown.public_id)
    return _shown(request, actor, shown, status=422, form=form)


@signed_in
@require_POST
def deactivate(request: HttpRequest, actor: Actor, person: str) -> HttpResponse:
    """Close an account."""
    shown = visible_person(actor, person)
    with told(request):
        reason = request.POST.get("reason", "")
        done = act.deactivate_person(shown, actor=actor, reason=reason)
        left = len(done.owned_agents)
        words = f"{left} agents need" if left > 1 else "One agent needs"
        more = f" {words} another owner." if left else ""
        messages.success(request, f"The account of {shown} is closed.{more}")
    return redirect("registry:person", shown.public_id)


@signed_in
@require_POST
def reactivate(request: HttpRequest, actor: Actor, person: str) -> HttpResponse:
    """Open a closed account and show the link that lets its person in again."""
    shown = visible_person(actor, person)
    with told(request):
        act.reactivate_person(shown, actor=actor)
        messages.success(request, f"The account of {shown} is open again.")
    return redirect("registry:person", shown.public_id)


@signed_in
@require_POST
def sign_in_link(request: HttpRequest, actor: Actor, person: str) -> HttpResponse:
    """Make a new sign-in link and show it, once."""
    shown = visible_person(actor, person)
    with told(request):
        return _with_link(request, actor, shown, is_new=False)
    return redirect("registry:person", shown.public_id)


def _with_link(request: HttpRequest, actor: Actor, person: Person, *, is_new: bool) -> HttpResponse:
    link = act.issue_sign_in_link(person, actor=actor)
    context = {
        "person": person,
        "is_new": is_new,
        "link": f"{settings.PUBLIC_URL}{link.url_path}",
        "expires_at": link.expires_at,
    }
    response = render(request, "registry/invited.html", context)
    response["Cache-Control"] = "no-store"
    return response


def _shown(
    request: HttpRequest, actor: Actor, person: Person, *, status: int = 200, **given: Any
) -> HttpResponse:
    may_change = actor.has(Role.PLATFORM)
    context: dict[str, Any] = {
        "colleague": person,
        "agents": list(agents_of(person)[:100]),
        "sees_roles": sees_roles(actor, person),
        "may_change": may_change,
        "is_self": actor.is_person(person),
        "form": None,
    }
    if may_change:
        initial = {
            "name": person.name,
            "team": person.team.slug if person.team else "",
            "roles": person.roles,
        }
        teams = teams_for(actor).order_by("name")
        context["form"] = PersonForm(initial=initial, teams=teams)
    return render(request, "registry/person.html", context | given, status=status)


def _select(name: str, label: str, value: str, options: list[tuple[str, str]]) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}


def _field_of(error: DomainError, form: Any) -> str | None:
    by_code = {
        "registry.email_taken": "email",
        "registry.email_not_usable": "email",
        "registry.name_not_usable": "name",
        "registry.unknown_team": "team",
        "registry.last_platform_admin": "roles",
    }
    field = by_code.get(error.code, "")
    return field if field in form.fields else None
