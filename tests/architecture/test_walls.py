"""Every address answers each role and method what the committed matrix says, nothing else.

``WRITE_WALLS=1`` writes the matrix anew; what changes in it is for a reviewer's eyes.
"""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from kernel import clock
from registry.models import PersonToken, Role
from tests.architecture.walls import FORMS, MATRIX, METHODS, WHO, Visitor, addresses, filled
from tests.factories import make_person, make_token

# Whoever has no account needs these.
PUBLIC = (
    "healthz",
    "readyz",
    "signin",
    "api/v1/schema/",
    "schemas/",
    "favicon",
    "welcome",
    "invite",
    "brand",
)
_ENDS = ("employee", "security")
ROLES = {
    "employee": [],
    "auditor": [Role.AUDITOR],
    "platform": [Role.PLATFORM],
    "security": [Role.SECURITY],
}


@pytest.fixture
def matrix(db: None) -> dict[str, list[str]]:
    """Return what each address answers to each method, in the order of `WHO`."""
    visitors = {"anonymous": Visitor(None, "")}
    for name, roles in ROLES.items():
        person = make_person(name, *roles)
        visitors[name] = Visitor(person, make_token(person)[1])
    # Seen within the minute: what a visit would note of it is taken back each time.
    PersonToken.objects.update(last_used_at=clock.now() + timedelta(hours=1))
    return {
        f"{method:6} {route}": _answers(visitors, method, filled(route))
        for route in sorted(addresses())
        for method in (METHODS if route.startswith("api/") else FORMS)
    }


def _answers(visitors: dict[str, Visitor], method: str, path: str) -> list[str]:
    """Try a door as everybody, in the order of `WHO`.

    Where there is no such method for those who may the least and the most, those between them
    are not asked: two doors of three are of this kind.
    """
    told = {who: visitors[who].try_door(method, path) for who in ("anonymous", *_ENDS)}
    if all(told[who] == "405" for who in _ENDS):
        return [told["anonymous"], *("405" for _ in WHO[1:])]
    return [told[who] if who in told else visitors[who].try_door(method, path) for who in WHO]


def test_every_door_is_as_open_as_it_was_said_to_be(matrix: dict[str, list[str]]) -> None:
    rows = [
        " ".join(f"{each:8}" for each in told) + door
        for door, told in matrix.items()
        if any(each != "405" for each in told[1:])
    ]
    found = [" ".join(f"{each:8}" for each in WHO), *rows]
    if os.environ.get("WRITE_WALLS"):
        MATRIX.write_text("\n".join(found) + "\n", encoding="utf-8")
    let_in = {
        door: told[0]
        for door, told in matrix.items()
        if told[0] not in {"401", "403", "404", "405", "sign-in"}
        and not any(part in door for part in PUBLIC)
    }
    assert let_in == {}, "nobody is let in without an account"
    broken = {
        door: told
        for door, told in matrix.items()
        if any(each in {"500", "501", "502"} for each in told)
    }
    assert broken == {}, "no door breaks"
    assert found == MATRIX.read_text(encoding="utf-8").splitlines()
