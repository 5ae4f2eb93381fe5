"""Links in mails: what each one is bound to, and the proof that it is one of ours.

A link's proof is computed, not kept: a keyed hash (under the installation's pepper, which lies
outside the database) of its purpose, its id, the review, the digest, the person and its end.
One changed part is another link, so nothing can be moved from one to another; and a mail that is
sent again holds the same link.
"""

from __future__ import annotations

import base64
import hmac
from typing import Final

from django.conf import settings

from approvals.channels.errors import LinkUnknown
from approvals.models import DecisionLink, Notice
from kernel import clock
from kernel.clock import stamp
from kernel.keys import PepperRing
from kernel.refs import new_id
from registry.models import Person
from registry.pepper import pepper_ring

DECIDE: Final = "approvals.decision-link.1"
UNSUBSCRIBE: Final = "approvals.unsubscribe.1"
SLACK_CODE: Final = "approvals.slack-code.1"


def link_to(notice: Notice) -> str:
    """Return the address of the link in a notice's mail, made when it is first asked for."""
    review, person = notice.review, notice.person
    if review is None or person is None:
        raise ValueError("a link is of a mail about a review")
    link, _ = DecisionLink.objects.get_or_create(
        notice=notice,
        review=review,
        defaults={
            "public_id": new_id("lnk"),
            "person": person,
            "digest": review.asked_digest,
            "created_at": clock.now(),
            "expires_at": review.expires_at,
        },
    )
    return f"{settings.PUBLIC_URL}/answer/{link.public_id}.{proof(DECIDE, _bound(link))}/"


def link_of(token: str) -> DecisionLink:
    """Return the link that a token proves, used or not. Raises: LinkUnknown."""
    ident, _, given = token.partition(".")
    rows = DecisionLink.objects.select_related("review", "person", "notice__channel")
    link = rows.filter(public_id=ident.replace("\x00", "")).first()
    if link is None or not is_proven(DECIDE, _bound(link), given):
        raise LinkUnknown("This is no link that was sent from here, or a part of it is missing.")
    return link


def unsubscribe_url(person: Person) -> str:
    """Return the address at which a mail program ends a person's mails."""
    given = proof(UNSUBSCRIBE, person.public_id)
    return f"{settings.PUBLIC_URL}/answer/unsubscribe/{person.public_id}.{given}/"


def unsubscribing(token: str) -> Person:
    """Return the person whose mails a token ends. Raises: LinkUnknown."""
    ident, _, given = token.partition(".")
    person = Person.objects.filter(public_id=ident.replace("\x00", "")).first()
    if person is None or not is_proven(UNSUBSCRIBE, ident, given):
        raise LinkUnknown("This is no link that was sent from here, or a part of it is missing.")
    return person


def proof(purpose: str, bound: str) -> str:
    """Return the keyed hash of a purpose and what it is bound to."""
    ring = pepper_ring()
    return _text(ring, purpose, bound, ring.active)


def is_proven(purpose: str, bound: str, given: str) -> bool:
    """Say in constant time whether a proof is of exactly this, under any pepper in force."""
    ring = pepper_ring()
    found = False
    for name in ring.peppers:
        wanted = _text(ring, purpose, bound, name).encode()
        found |= hmac.compare_digest(wanted, given.encode("utf-8", "replace"))
    return found


def _text(ring: PepperRing, purpose: str, bound: str, pepper_id: str) -> str:
    return base64.urlsafe_b64encode(ring.hash(f"{purpose}|{bound}", pepper_id)).decode().rstrip("=")


def _bound(link: DecisionLink) -> str:
    return "|".join(
        (
            link.public_id,
            str(link.notice_id),
            link.review.public_id,
            link.person.public_id,
            link.digest,
            stamp(link.expires_at),
        )
    )
