"""`python -m bench.portal.signing_in per_… …`: a session for each person, printed as JSON."""

from __future__ import annotations

import json
import sys

import django


def main(people: list[str]) -> None:
    """Sign people in without a browser; print the session key of each."""
    django.setup()
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.utils.module_loading import import_string

    from registry.models import Person

    store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    made = {}
    for person in Person.objects.filter(public_id__in=people):
        session = store()
        session[SESSION_KEY] = str(person.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = person.get_session_auth_hash()
        session.save()
        made[person.public_id] = session.session_key
    json.dump({"name": settings.SESSION_COOKIE_NAME, "keys": made}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
