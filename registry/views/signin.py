"""The doors: e-mail and password, a link that works once, and the way out.

A link is only looked at by GET, because mail scanners follow links; a person uses it up by
pressing a button.
"""

from __future__ import annotations

from typing import Final

from django.contrib.auth import login, logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST

from kernel import clock
from registry.actions import people as act
from registry.authentication import address_of
from registry.errors.authentication import SignInBraked, SignInLinkSpent, SignInRefused
from registry.forms.account import SignInForm
from registry.models import Person
from registry.portal import sentence, way_back

HOME: Final = "/"
ENTERED_BY_LINK: Final = "entered_by_link_at"


@ensure_csrf_cookie
@sensitive_post_parameters("password")
@sensitive_variables("password")
@require_http_methods(["GET", "HEAD", "POST"])
def signin(request: HttpRequest) -> HttpResponseBase:
    """Let somebody in who knows their password."""
    if isinstance(request.user, Person):
        return redirect(way_back(request, HOME))
    form = SignInForm(request.POST or None)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            person = act.sign_in(**form.cleaned_data, address=address_of(request))
        except (SignInRefused, SignInBraked) as error:
            form.add_error(None, sentence(error))
            status = error.status
        else:
            login(request, person)
            return redirect(way_back(request, HOME))
    context = {"form": form, "next": way_back(request, "")}
    return render(request, "registry/signin.html", context, status=status)


@ensure_csrf_cookie
@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest, token: str) -> HttpResponseBase:
    """Say whom a link would sign in and, when they press the button, sign them in."""
    try:
        if request.method != "POST":
            return _private(
                render(request, "registry/enter.html", {"holder": act.sign_in_link_holder(token)})
            )
        person = act.consume_sign_in_link(token)
    except SignInLinkSpent as error:
        return _private(render(request, "registry/link_spent.html", status=error.status))
    login(request, person)
    request.session[ENTERED_BY_LINK] = clock.now().timestamp()
    return _private(redirect("registry:welcome"))


@require_POST
def signout(request: HttpRequest) -> HttpResponse:
    """End the session."""
    logout(request)
    return redirect("registry:signin")


def _private(response: HttpResponse) -> HttpResponse:
    # The address is the credential: nothing keeps it, nobody else is told it. Not
    # "no-referrer": a form posted under that has no origin, and is refused as forged.
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "same-origin"
    return response
