"""What reviews ask of their left: vendors behind routes, and what a review is about.

Owns the questions, not the answers; `config.wiring` binds those. Without the vendors a review
shows the routes alone, because a missing hint must not stop a decision. A kind of review whose
matter is bound takes effect as it is settled, in one transaction; of any other kind the asker
redeems the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from registry.actors import Actor

if TYPE_CHECKING:
    from approvals.models import Review
    from registry.models import Agent


class VendorDirectory(Protocol):
    """Knows who receives what an agent sends over its routes."""

    def behind(self, routes: Iterable[str]) -> dict[str, list[str]]:
        """Return the vendors of each route, by the route's name."""
        ...

    def receivers(self, routes: Iterable[str]) -> list[dict[str, Any]]:
        """Return every target of the routes: route, vendor, model, regions, data classes."""
        ...


class LaunchRecord(Protocol):
    """Knows what an agent's soft launch has shown, and what a promotion asks of it."""

    def shown(self, agent: Agent) -> tuple[dict[str, Any], list[str]] | None:
        """Return the figures and what is missing; None for an agent that never acted."""
        ...


class Matter(Protocol):
    """The subject of one review, locked."""

    @property
    def agent_id(self) -> str:
        """The agent whose stream the review is recorded in; empty where there is none."""
        ...

    def present_digest(self) -> str | None:
        """Return the digest of what is there now; None where the asker presents it again."""
        ...

    def barred(self) -> set[str]:
        """Return the public ids of people who may not decide because of what they are here."""
        ...

    def owner_ids(self) -> set[str]:
        """Return the public ids of those who own the subject now."""
        ...

    def edit(self, arguments: Mapping[str, Any], *, actor: Actor) -> str:
        """Make the arguments what a decider wants, and return the digest of what is asked then.

        It refuses what would need other people or more of them than the review asks. Raises:
        EditRefused where nothing can be edited.
        """
        ...

    def approve(self, *, actor: Actor) -> None:
        """Do what was asked for."""
        ...

    def refuse(self, *, actor: Actor, reason: str, is_final: bool) -> None:
        """Undo the waiting; ``is_final`` when people or time said no, not the asker."""
        ...


Matters = Callable[["Review"], Matter]
# What a review is about, drawn for one viewer: the template, and what it is given. Drawing may
# put the reading on record, so it is asked for once per page.
Drawing = Callable[["Review", Actor], tuple[str, dict[str, Any]]]


class _Bindings:
    vendors: VendorDirectory | None = None
    launches: LaunchRecord | None = None
    matters: ClassVar[dict[str, Matters]] = {}
    drawings: ClassVar[dict[str, Drawing]] = {}


def bind_vendors(directory: VendorDirectory | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.vendors = directory


def bind_launches(record: LaunchRecord | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.launches = record


def launch_of(agent: Agent) -> tuple[dict[str, Any], list[str]] | None:
    """Return what a soft launch has shown and what is missing; None where nothing is measured."""
    return None if _Bindings.launches is None else _Bindings.launches.shown(agent)


def bind_matter(kind: str, lock: Matters) -> None:
    """Say who locks what reviews of a kind are about; called before the review is locked."""
    _Bindings.matters[kind] = lock


def bind_drawing(kind: str, draw: Drawing) -> None:
    """Say who draws what reviews of a kind are about, on the page where they are decided."""
    _Bindings.drawings[kind] = draw


def drawing_of(review: Review, actor: Actor) -> dict[str, Any]:
    """Return what draws the matter of a review: its ``template`` and the rest; or nothing."""
    draw = _Bindings.drawings.get(review.kind)
    if draw is None:
        return {}
    template, given = draw(review, actor)
    return {"template": template} | given


def matter_of(kind: str) -> Matters | None:
    """Return who locks the matter of a kind, when its package is to the left."""
    return _Bindings.matters.get(kind)


def vendors_behind(routes: Iterable[str]) -> dict[str, list[str]]:
    """Return the vendors behind routes, as far as they are known."""
    return {} if _Bindings.vendors is None else _Bindings.vendors.behind(routes)


def receivers_behind(routes: Iterable[str]) -> list[dict[str, Any]]:
    """Return who receives what is sent over the routes, where, and which data they take."""
    return [] if _Bindings.vendors is None else _Bindings.vendors.receivers(routes)
