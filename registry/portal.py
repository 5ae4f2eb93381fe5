"""What every page of the portal begins and ends with: who looks, and what they are told.

Owns the way from a browser's request to an `Actor`, and from a refusal to a sentence on the
page. Refusals of visibility and rights are pages of their own (403, 404); a refusal that the
person can do something about is a message where they stand.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django_htmx.http import HttpResponseClientRedirect

from kernel.errors import Conflict, DomainError, Invalid, Throttled, Unavailable
from registry.actors import Actor
from registry.authentication import actor_of
from registry.models import Person

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, Actor, P], HttpResponseBase]
COUNTED: Final = "counted"
_TOLD = (Conflict, Invalid, Throttled, Unavailable)


def signed_in(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Hand a view the actor; whoever is not signed in signs in first and comes back."""

    @wraps(view)
    def answer(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        person = request.user
        if not (isinstance(person, Person) and person.is_active):
            return _to_sign_in(request)
        with timezone.override(zone_of(person)):
            return view(request, actor_of(request), *args, **kwargs)

    return answer


def note_count(request: HttpRequest, section: str, number: int) -> int:
    """Tell the sidebar a number that a page has counted already; return it."""
    setattr(request, COUNTED, {**getattr(request, COUNTED, {}), section: number})
    return number


def zone_of(person: Person) -> zoneinfo.ZoneInfo:
    """Return the zone a person reads times in; one that has been renamed since is UTC."""
    try:
        return zoneinfo.ZoneInfo(person.time_zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


class told:  # noqa: N801  read as a word: with told(request)
    """Says a refusal as a message on the next page; what is forbidden or absent goes further."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, _TOLD):
            return False
        messages.error(self.request, sentence(error))
        return True


def sentence(error: DomainError) -> str:
    """Return a refusal in words; its detail says more than its title where there is one."""
    return error.detail if error.detail != error.title else f"{error.title}."


def way_back(request: HttpRequest, otherwise: str) -> str:
    """Return where a form asked to go next, if that is one of our own pages."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else otherwise


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    here = request.get_full_path() if request.method == "GET" else ""
    if getattr(request, "htmx", False):
        # A fragment must not be replaced by the sign-in page: the whole page goes there.
        current: Any = request.htmx  # type: ignore[attr-defined]
        here = current.current_url_abs_path or here
        where = redirect_to_login(here, login_url=resolve_url(settings.LOGIN_URL))
        return HttpResponseClientRedirect(where.url)
    return redirect_to_login(here or "/", login_url=resolve_url(settings.LOGIN_URL))
