"""One human is one voice, whichever of their accounts they come with.

Accounts that share a mailbox (`sam@…` and `sam+other@…`) belong to one human: where one is
barred the other is, and together they answer once. The database counts the same way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from registry.models import Person

_TAG: Final = re.compile(r"\+[^@]*@")


def mailbox(email: str) -> str:
    """Return the mailbox behind an address: without its tag, in lower case."""
    return _TAG.sub("@", email, count=1).lower()


def accounts_of(person: Person) -> list[Person]:
    """Return the accounts of one human, this one among them."""
    box = mailbox(person.email)
    alike = Person.objects.filter(email__istartswith=box.partition("@")[0])
    return [person, *(other for other in alike if other != person and mailbox(other.email) == box)]


def mailboxes_of(public_ids: Iterable[str]) -> set[str]:
    """Return the mailboxes of some people."""
    emails = Person.objects.filter(public_id__in=set(public_ids)).values_list("email", flat=True)
    return {mailbox(email) for email in emails}
