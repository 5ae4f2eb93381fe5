"""One's own account: profile, password, API tokens.

A token's text is in the answer that made it and nowhere else, so that answer is a page and
not a redirect.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from kernel import clock
from kernel.errors import Conflict, Denied, DomainError, Invalid, Throttled
from registry.actions import people as act
from registry.actors import Actor
from registry.errors.people import NothingToChange
from registry.forms.account import NewPasswordForm, PasswordForm, ProfileForm, TokenForm
from registry.models import Person
from registry.portal import sentence, signed_in, told
from registry.queries import tokens_of
from registry.views.signin import ENTERED_BY_LINK, HOME

LINK_COUNTS_FOR: Final = timedelta(minutes=30)


@signed_in
@require_GET
def account(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show the account."""
    return _shown(request, actor)


@signed_in
@require_POST
def change_profile(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Change one's own name and time zone."""
    form = ProfileForm(request.POST)
    if form.is_valid():
        try:
            act.change_person(_self(actor), actor=actor, **form.cleaned_data)
        except NothingToChange:
            return redirect("registry:account")
        except DomainError as error:
            form.add_error(_field_of(error, form), sentence(error))
        else:
            messages.success(request, "Saved.")
            return redirect("registry:account")
    return _shown(request, actor, status=422, profile=form)


@signed_in
@sensitive_post_parameters("current", "password", "again")
@require_POST
def change_password(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Change one's own password; every other session of this account ends."""
    person = _self(actor)
    kind = PasswordForm if person.has_usable_password() else NewPasswordForm
    form = kind(request.POST)
    if form.is_valid() and _set_password(request, actor, form):
        messages.success(request, "The password is changed. Other sessions are signed out.")
        return redirect("registry:account")
    return _shown(request, actor, status=422, password=form)


@signed_in
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def welcome(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Offer a password to somebody who came in by a link."""
    if not _came_by_link(request):
        return redirect("registry:account")
    form = NewPasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid() and _set_password(request, actor, form):
        request.session.pop(ENTERED_BY_LINK, None)
        messages.success(request, "The password is set. Use it with your e-mail next time.")
        return redirect(HOME)
    context = {"form": form, "has_password": _self(actor).has_usable_password()}
    status = 422 if form.errors else 200
    return render(request, "registry/welcome.html", context, status=status)


@signed_in
@require_POST
def issue_token(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Issue an API token and show it, once."""
    person = _self(actor)
    form = TokenForm(request.POST, person=person)
    if not form.is_valid():
        return _shown(request, actor, status=422, token=form)
    try:
        issued = act.issue_token(person, actor=actor, **form.cleaned_data)
    except (Invalid, Denied, Conflict) as error:
        form.add_error(_field_of(error, form), sentence(error))
        return _shown(request, actor, status=422, token=form)
    return _shown(request, actor, issued=issued)


@signed_in
@require_POST
def revoke_token(request: HttpRequest, actor: Actor, token: str) -> HttpResponse:
    """Revoke one of one's own tokens."""
    with told(request):
        reason = request.POST.get("reason", "")
        row = act.revoke_token(_self(actor), token, actor=actor, reason=reason)
        messages.success(request, f"The token “{row.name}” is revoked.")
    return redirect("registry:account")


def _set_password(request: HttpRequest, actor: Actor, form: NewPasswordForm) -> bool:
    person = _self(actor)
    try:
        act.set_password(
            person,
            form.cleaned_data["password"],
            actor=actor,
            current=form.cleaned_data.get("current", ""),
            entered_by_link=_came_by_link(request),
        )
    except (Invalid, Throttled) as error:
        form.add_error(_field_of(error, form), sentence(error))
        return False
    # The session carries a hash of the password; this one goes on, the others end.
    update_session_auth_hash(request, person)
    return True


def _came_by_link(request: HttpRequest) -> bool:
    entered = request.session.get(ENTERED_BY_LINK)
    if not isinstance(entered, int | float):
        return False
    return clock.now().timestamp() - entered < LINK_COUNTS_FOR.total_seconds()


def _self(actor: Actor) -> Person:
    if actor.person is None:
        raise Denied("Only a person has an account.")
    return actor.person


def _field_of(error: DomainError, form: Any) -> str | None:
    field = str(error.facts.get("field", ""))
    return field if field in form.fields else None


def _shown(request: HttpRequest, actor: Actor, *, status: int = 200, **given: Any) -> HttpResponse:
    person = _self(actor)
    now = clock.now()
    tokens = list(tokens_of(person).order_by("-id")[:100])
    password = PasswordForm() if person.has_usable_password() else NewPasswordForm()
    context = {
        "person": person,
        "profile": ProfileForm(initial={"name": person.name, "time_zone": person.time_zone}),
        "password": password,
        "token": TokenForm(person=person),
        "tokens": [(row, _state_of(row, now)) for row in tokens],
        "issued": None,
    } | given
    response = render(request, "registry/account.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _state_of(row: Any, now: Any) -> str:
    if row.revoked_at is not None:
        return "revoked"
    return "expired" if row.expires_at <= now else "active"
