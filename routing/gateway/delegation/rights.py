"""What may be done for another, as it shrinks from hand to hand.

Owns the one direction: what a delegation permits is what was asked for, within what the
agent that gives it holds itself. Whoever asks for more is told so; nobody is given it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from kernel.errors import Denied
from routing.gateway.tools.declared import DeclaredTools, SharedTools
from routing.gateway.tools.naming import Tool


class DelegationWidens(Denied):
    """Raised when a delegation asks for more than its giver may hand on."""

    code = "routing.delegation_widens"
    title = "A delegation cannot give what its giver does not have"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a delegation is asked to permit; None where nothing was said."""

    routes: frozenset[str] | None = None
    data_classes: frozenset[str] | None = None
    tools: tuple[str, ...] | None = None
    max_cost_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Rights:
    """What a delegation permits.

    ``tools`` has one list for each hand that narrowed them: a tool must be on every one.
    """

    routes: frozenset[str]
    data_classes: frozenset[str]
    tools: tuple[tuple[str, ...], ...] = ()
    max_cost_micros: int | None = None

    def narrowed(self, wish: Wish, to: Rights) -> Rights:
        """Return what a wish comes to, for an agent with rights of its own.

        Raises: DelegationWidens, when the wish goes beyond these rights or nothing is left.
        """
        _within("route", wish.routes, self.routes)
        _within("data class", wish.data_classes, self.data_classes)
        if wish.tools is not None:
            lent = self.lent()
            _within("tool", wish.tools, [n for n in wish.tools if _lets(lent, n)])
        cost = wish.max_cost_micros
        if cost is not None and self.max_cost_micros is not None and cost > self.max_cost_micros:
            raise DelegationWidens(
                f"max_cost_micros is at most {self.max_cost_micros} here.", param="max_cost_micros"
            )
        made = Rights(
            routes=(self.routes if wish.routes is None else wish.routes) & to.routes,
            data_classes=(self.data_classes if wish.data_classes is None else wish.data_classes)
            & to.data_classes,
            tools=self.tools if wish.tools is None else (*self.tools, wish.tools),
            max_cost_micros=self.max_cost_micros if cost is None else cost,
        )
        for name, left in (("route", made.routes), ("data class", made.data_classes)):
            if not left:
                raise DelegationWidens(
                    f"The two agents have no {name} in common within this delegation, so it would"
                    f" permit nothing. Add one to both manifests."
                )
        return made

    def lent(self) -> SharedTools:
        """Return the tools that every list permits."""
        return SharedTools(
            tuple(DeclaredTools({"name": name} for name in names) for names in self.tools)
        )

    def written(self) -> dict[str, Any]:
        return {
            "routes": sorted(self.routes),
            "data_classes": sorted(self.data_classes),
            "tools": [list(names) for names in self.tools],
            "max_cost_micros": self.max_cost_micros,
        }

    @classmethod
    def read(cls, said: dict[str, Any]) -> Self:
        """Read what `written` wrote. Raises KeyError, TypeError on anything else."""
        return cls(
            routes=frozenset(said["routes"]),
            data_classes=frozenset(said["data_classes"]),
            tools=tuple(tuple(names) for names in said["tools"]),
            max_cost_micros=said["max_cost_micros"],
        )


def _lets(lent: SharedTools, name: str) -> bool:
    """Tell whether a name may be asked for; a pattern may, because every list counts anyway."""
    return name.endswith("*") or lent.effect_of(Tool(name)) is not None


def _within(what: str, wanted: Iterable[str] | None, held: Iterable[str]) -> None:
    if wanted is not None and (beyond := sorted(set(wanted) - set(held))):
        raise DelegationWidens(
            f"The {what} {', '.join(beyond)[:500]} is not among what this agent may hand on."
        )
