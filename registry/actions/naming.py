"""Reading what people write about people: addresses, names, roles, time zones.

One canonical form or a refusal: two spellings of one address would be two accounts.
"""

from __future__ import annotations

import unicodedata
import zoneinfo
from collections.abc import Iterable
from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from registry.errors.people import EmailNotUsable, NameNotUsable, UnknownRole, UnknownTimeZone
from registry.models import Role

LONGEST_NAME: Final = 200
_JOINERS: Final = "\u200c\u200d"  # some scripts are spelt with them


def clean_email(text: str) -> str:
    """Return the one spelling of an address. Raises: EmailNotUsable."""
    email = text.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise EmailNotUsable(f"{text[:80]!r} is not an e-mail address.") from None
    if not email.isascii():
        raise EmailNotUsable("Write an international domain in its xn-- form.")
    return email


def clean_name(text: str, *, may_be_empty: bool = False) -> str:
    """Return a name that shows as it is stored. Raises: NameNotUsable."""
    name = unicodedata.normalize("NFC", text).strip()
    if not name and not may_be_empty:
        raise NameNotUsable("A name is needed.")
    if len(name) > LONGEST_NAME:
        raise NameNotUsable(f"A name has at most {LONGEST_NAME} characters.")
    if any(unicodedata.category(letter)[0] == "C" and letter not in _JOINERS for letter in name):
        # Control and direction marks make one name look like another.
        raise NameNotUsable("The name holds characters that cannot be seen.")
    return name


def clean_roles(roles: Iterable[str]) -> list[str]:
    """Return roles in their fixed order, once each. Raises: UnknownRole."""
    wanted = {str(role) for role in roles}
    known = [role.value for role in Role]
    if unknown := sorted(wanted - set(known)):
        raise UnknownRole(
            f"There is no role {unknown[0][:40]!r}. Known roles: {', '.join(known)}.",
            known=known,
        )
    if not wanted:
        raise UnknownRole("Name at least one role.", known=known)
    return [role for role in known if role in wanted]


def clean_time_zone(text: str) -> str:
    """Return an IANA time zone's name. Raises: UnknownTimeZone."""
    if text not in zoneinfo.available_timezones():
        raise UnknownTimeZone(f"{text[:60]!r} is not a time zone such as Europe/Berlin.")
    return text
