"""By whose right somebody answers a review: asked of the rows as they are under the lock.

What was true when they opened the page counts for nothing: roles, teams, ownership and
accounts change meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db.models import Q

from approvals.audience import audience_now, in_words
from approvals.errors import NotAsked, OwnMatter, PeopleDecide
from approvals.humans import accounts_of
from approvals.models import Review
from approvals.ports import Matter
from approvals.standing_in import Right, rights_of
from kernel.errors import Denied
from registry.actors import Actor, RoleMissing
from registry.errors.authentication import PersonDeactivated
from registry.models import Person, Role


@dataclass(frozen=True, slots=True)
class Decider:
    """Who answers, and by whose right: their own, or of somebody they stand in for."""

    person: Person
    right: Right

    @property
    def on_behalf_of(self) -> Person | None:
        return None if self.right.is_own else self.right.person


def lock_decider(review: Review, matter: Matter, actor: Actor) -> Decider:
    """Return who decides, locked, and by whose right: their own, if they have one.

    Raises: PeopleDecide, PersonDeactivated, RoleMissing, NotAsked, OwnMatter.
    """
    if actor.person is None:
        raise PeopleDecide
    # A deactivation under way waits for this lock, or is seen here.
    person = Person.objects.select_for_update(no_key=True).get(pk=actor.person.pk)
    if not person.is_active:
        raise PersonDeactivated
    here = replace(actor, person=person, roles=Actor.of(person, actor.roles).roles)
    audience = audience_now(review)
    rights = [right for right in rights_of(here) if right.fits(audience)]
    if rights:
        _check_own(review, matter, person)
    usable = [right for right in rights if right.is_own or _is_usable(right, review, matter)]
    if not usable:
        raise _not_asked(here, audience)
    fresh = (right for right in usable if len(usable) > 1 and not is_used(right, review))
    return Decider(person, next(fresh, usable[0]))


def barred_from(review: Review, matter: Matter) -> set[str]:
    """Return the ids of those who may not decide a review: parties to it, now or when asked."""
    return {review.requester.public_id, *review.excluded, *matter.barred()}


def is_used(right: Right, review: Review) -> bool:
    """Say whether an answer to what is asked now was given by this right, by whomever."""
    owner = accounts_of(right.person)
    given = review.decisions.filter(digest=review.asked_digest)
    return given.filter(Q(decider__in=owner) | Q(on_behalf_of__in=owner)).exists()


def _is_usable(right: Right, review: Review, matter: Matter) -> bool:
    """Say whether a lent right is one that its owner could use."""
    owner = {account.public_id for account in accounts_of(right.person)}
    return not owner & (barred_from(review, matter) | matter.owner_ids())


def _not_asked(actor: Actor, audience: list[str]) -> Denied:
    """Return what says whom it is put to; where that is roles alone, which one is missing."""
    if all(ref.startswith("role:") for ref in audience):
        try:
            actor.require(*(Role(ref.removeprefix("role:")) for ref in audience))
        except RoleMissing as missing:
            return missing
    return NotAsked(f"This is put to {in_words(audience)}.", audience=audience)


def _check_own(review: Review, matter: Matter, person: Person) -> None:
    """Raises: OwnMatter, when the person, with whatever account, is a party to it."""
    own = {account.public_id for account in accounts_of(person)}
    if review.requester.public_id in own:
        raise OwnMatter("You asked this yourself; somebody else decides.", rule="requester")
    if own & matter.owner_ids():
        raise OwnMatter("You own what this is about; somebody else decides.", rule="owner")
    if own & {*review.excluded, *matter.barred()}:
        raise OwnMatter("You are party to this; somebody else decides.", rule="excluded")
