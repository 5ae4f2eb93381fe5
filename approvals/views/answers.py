"""Links in mails: looked at by GET, which decides nothing, and used by POST, once.

A mail scanner that follows a link, prefetches it or asks for its head changes nothing. Without
its person's session a page shows the title alone, and decides only what the channel lets a link
decide by itself; in somebody else's session it shows nothing.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt, ensure_csrf_cookie
from django.views.decorators.http import require_http_methods

from approvals.actions.answering import answer_by_link, check_usable, decides_alone
from approvals.actions.noticing import unsubscribe as end_mails
from approvals.channels.content import content_of
from approvals.channels.errors import LinkNotYours, LinkUnknown
from approvals.channels.links import link_of, unsubscribing
from approvals.models import Channel, DecisionLink
from kernel.errors import Conflict, Denied, Invalid, NotFound
from registry.actors import Actor
from registry.models import Person
from registry.portal import sentence


@ensure_csrf_cookie
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a mail asked, and take the answer."""
    decision, comment = request.POST.get("decision", ""), request.POST.get("comment", "")
    try:
        link = link_of(token)
    except LinkUnknown as error:
        return _refused(request, error)
    try:
        if request.method != "POST":
            check_usable(link)
            return _shown(request, link)
        review = answer_by_link(token, decision=decision, comment=comment, actor=_who(request))
    except Invalid as error:
        return _shown(request, link, status=error.status, refusal=sentence(error), comment=comment)
    except (Conflict, Denied, NotFound) as error:
        return _refused(request, error)
    context = {"review": review, "decision": decision}
    return _private(render(request, "approvals/answered.html", context))


# The token in the address is the credential, as RFC 8058 asks: a mail program has no session.
@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """End a person's mails about reviews; only POST does."""
    try:
        person = unsubscribing(token)
    except LinkUnknown as error:
        return _refused(request, error)
    is_done = request.method == "POST"
    if is_done:
        end_mails(actor=Actor.of(person))
    return _private(render(request, "approvals/unsubscribe.html", {"is_done": is_done}))


def _shown(
    request: HttpRequest, link: DecisionLink, *, status: int = 200, **given: str
) -> HttpResponse:
    who = _who(request)
    if who is not None and not who.is_person(link.person):
        why = "Sign in as the person to whom it was sent, or open the review."
        return _refused(request, LinkNotYours(why))
    carries = Channel.Carries.SUMMARY if who is not None else Channel.Carries.TITLE
    context = {
        "content": content_of(link.review, carries),
        "is_theirs": who is not None,
        "decides": decides_alone(link),
    }
    return _private(render(request, "approvals/answer.html", context | given, status=status))


def _who(request: HttpRequest) -> Actor | None:
    person = request.user
    return Actor.of(person) if isinstance(person, Person) and person.is_active else None


def _refused(request: HttpRequest, error: Conflict | Denied | NotFound) -> HttpResponse:
    context = {"title": error.title, "why": sentence(error)}
    return _private(render(request, "approvals/answer_refused.html", context, status=error.status))


def _private(response: HttpResponse) -> HttpResponse:
    # The address is the credential: nothing keeps it, nobody else is told it.
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "same-origin"
    response["X-Robots-Tag"] = "noindex"
    return response
