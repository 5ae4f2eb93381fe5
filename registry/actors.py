"""Who acts, and with which rights at this moment.

Rights are a person's roles, narrowed by the token they came with; an automation acts
under its own name with every right. Every action takes one, and none is ever anonymous.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from kernel import refs
from kernel.errors import Denied
from kernel.refs import Ref
from registry.models import Person, PersonToken, Role


class RoleMissing(Denied):
    """Raised when none of the roles that an action asks for is held; the edge answers 403."""

    code = "registry.role_missing"
    title = "Your roles do not allow this"


@dataclass(frozen=True, slots=True)
class Actor:
    """A person with the roles in force, or a named automation."""

    ref: Ref
    roles: frozenset[str]
    person: Person | None = None
    token: PersonToken | None = None  # what they came with, when it was no session

    @classmethod
    def of(cls, person: Person, roles: Iterable[str] | None = None) -> Self:
        """Act as a person, with all their roles or only those also in ``roles``."""
        held = frozenset(person.roles if person.is_active else ())
        return cls(person.ref, held if roles is None else held & frozenset(roles), person)

    @classmethod
    def by_token(cls, token: PersonToken) -> Self:
        """Act as the token's person, with those of their roles that the token carries."""
        held = frozenset(token.person.roles if token.person.is_active else ())
        return cls(token.person.ref, held & frozenset(token.roles), token.person, token)

    @classmethod
    def agent(cls, ref: Ref) -> Self:
        """Act as an agent that presented its key: it proposes, and holds no role."""
        return cls(ref, frozenset())

    @classmethod
    def system(cls, name: str) -> Self:
        """Act as an automation, such as the expiry sweep or the operator at the shell."""
        return cls(refs.system(name), frozenset(role.value for role in Role))

    def has(self, *roles: Role) -> bool:
        return any(role.value in self.roles for role in roles)

    def require(self, *roles: Role) -> None:
        """Raises: RoleMissing unless one of the roles is in force."""
        if not self.has(*roles):
            wanted = " or ".join(role.value for role in roles)
            raise RoleMissing(f"This needs the role {wanted}.", needs=[r.value for r in roles])

    def is_person(self, person: Person | None) -> bool:
        return person is not None and self.ref == person.ref
