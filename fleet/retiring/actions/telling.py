"""How retirements tell people, until there is one outbox for the whole fleet."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kernel.refs import Ref
from registry.models import Person, Role


def tell(  # noqa: PLR0913  one message, said in one call with named parts
    *,
    key: str,
    kind: str,
    subject: Ref,
    title: str,
    lines: Sequence[str],
    path: str,
    people: Iterable[Person] = (),
    roles: Iterable[Role] = (),
) -> int:
    """Return how many would be told."""
    return len(list(people)) + len(list(roles))
