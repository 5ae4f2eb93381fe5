"""By whose right somebody answers a review: asked of the rows as they are under the lock.

What was true when they opened the page counts for nothing: roles, teams, ownership and
accounts change meanwhile.
"""

from __future__ import annotations

from approvals.audience import audience_now, in_words, refs_of
from approvals.errors import NotAsked, OwnMatter, PeopleDecide
from approvals.humans import accounts_of
from approvals.models import Review
from approvals.ports import Matter
from registry.actors import Actor
from registry.errors.authentication import PersonDeactivated
from registry.models import Person, Role


def lock_decider(review: Review, matter: Matter, actor: Actor) -> Person:
    """Return the person who decides, locked.

    Raises: PeopleDecide, PersonDeactivated, RoleMissing, NotAsked, OwnMatter.
    """
    if actor.person is None:
        raise PeopleDecide
    # A deactivation under way waits for this lock, or is seen here.
    person = Person.objects.select_for_update(no_key=True).get(pk=actor.person.pk)
    if not person.is_active:
        raise PersonDeactivated
    _check_asked(review, Actor.of(person, actor.roles))
    _check_own(review, matter, person)
    return person


def barred_from(review: Review, matter: Matter) -> set[str]:
    """Return the ids of those who may not decide a review: parties to it, now or when asked."""
    return {review.requester.public_id, *review.excluded, *matter.barred()}


def _check_asked(review: Review, actor: Actor) -> None:
    """Raises: RoleMissing where only roles are asked, else NotAsked."""
    audience = audience_now(review)
    if set(refs_of(actor)) & set(audience):
        return
    if all(ref.startswith("role:") for ref in audience):
        actor.require(*(Role(ref.removeprefix("role:")) for ref in audience))
    raise NotAsked(f"This is put to {in_words(audience)}.", audience=audience)


def _check_own(review: Review, matter: Matter, person: Person) -> None:
    """Raises: OwnMatter, when the person, with whatever account, is a party to it."""
    own = {account.public_id for account in accounts_of(person)}
    if review.requester.public_id in own:
        raise OwnMatter("You asked this yourself; somebody else decides.", rule="requester")
    if own & matter.owner_ids():
        raise OwnMatter("You own what this is about; somebody else decides.", rule="owner")
    if own & {*review.excluded, *matter.barred()}:
        raise OwnMatter("You are party to this; somebody else decides.", rule="excluded")
