"""What must exist before anybody can do anything: an administrator, and automation's token.

Owns the first sign-in. As long as no administrator has ever signed in, every start offers
a link that works once; afterwards people invite each other, and a lost account is opened
again from the shell with ``manage.py signin-link``.
"""

from __future__ import annotations

from typing import Final

from django.conf import settings

from registry.actions.people import ensure_person
from registry.actions.signin import issue_sign_in_link
from registry.actions.tokens import ensure_bootstrap_token
from registry.actors import Actor
from registry.models import Person, Role

FIRST_EMAIL: Final = "admin@unsprawl.local"
OPERATOR: Final = Actor.system("operator")


def bootstrap_token() -> str:
    """Make the operator's value a token, or take the one before away."""
    token = ensure_bootstrap_token(settings.BOOTSTRAP_TOKEN)
    return f"valid until {token.expires_at:%Y-%m-%d}" if token else "none asked for"


def first_sign_in() -> str:
    """The path of a one-time link for the first administrator; empty once one has been in."""
    platform = Person.objects.filter(roles__contains=[Role.PLATFORM], deactivated_at__isnull=True)
    if platform.filter(last_login__isnull=False).exists():
        return ""
    person = ensure_person(FIRST_EMAIL, actor=OPERATOR, roles=[Role.PLATFORM])
    return issue_sign_in_link(person, actor=OPERATOR).url_path
