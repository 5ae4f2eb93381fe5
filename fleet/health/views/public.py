"""The status page of a link: for people without an account, and for nobody's browser to keep.

It is rendered without the request: no session is opened, no cookie is set, and a visitor who is
signed in sees the same bytes. Wrong, revoked and expired links have one answer.
"""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_safe

from fleet.health.actions.publishing import note_use
from fleet.health.models import StatusLink
from fleet.health.queries.published import StatusPage, link_of, page_of
from fleet.health.visits import Visits
from kernel import clock
from registry.authentication import address_of

SECONDS: Final = 15  # for which a page is kept: however many look, it is read four times a minute
_MOST_KEPT: Final = 50
_visits: Final = Visits()
_kept: Final[dict[tuple[str, int], StatusPage]] = {}


@require_safe
@sensitive_variables("token", "link")
def status(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a link shows."""
    if not _visits.allows(address_of(request)):
        answer = _answer("health/public/busy.html", {}, status=429)
        answer["Retry-After"] = str(Visits.SECONDS)
        return answer
    link = link_of(token)
    if link is None:
        return _answer("health/public/none.html", {}, status=404)
    note_use(link)
    return _answer("health/public/status.html", {"page": _page(link), "link": link})


def _page(link: StatusLink) -> StatusPage:
    # Whether the link still opens was asked of the database; what it shows may be seconds old.
    at = (link.public_id, int(clock.now().timestamp()) // SECONDS)
    page = _kept.get(at)
    if page is None:
        page = page_of(link)
        if len(_kept) >= _MOST_KEPT:
            _kept.clear()
        _kept[at] = page
    return page


def _answer(template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    answer = HttpResponse(render_to_string(template, context), status=status)
    answer["Cache-Control"] = "no-store"
    answer["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    answer["Referrer-Policy"] = "no-referrer"
    # Django would log the path of a refusal, and the path is the secret.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer
