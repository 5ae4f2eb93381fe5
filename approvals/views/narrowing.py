"""What a list of reviews is narrowed by: the words of its address, and the rows they leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest

from approvals.audience import put_to, refs_of
from approvals.models import Review
from approvals.queries import of_agent, of_team
from kernel import clock
from kernel.pages import asked, chosen, found
from registry.actors import Actor
from registry.queries.people import teams_for

_SEARCHED: Final = ("subject_name", "operation", "question", "justification", "requester__email")
_ENDS: Final = {
    "hour": ("Ends within the hour", timedelta(hours=1)),
    "day": ("Ends within a day", timedelta(days=1)),
    "week": ("Ends within a week", timedelta(days=7)),
}
_TO: Final = {"me": "Put to me by name", "team": "Put to my team", "role": "Put to my role"}
_KINDS: Final = {"me": "person:", "team": "team:", "role": "role:"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one viewer wants to see of a list; whatever makes no sense is left out."""

    kind: str
    state: str
    team: str
    ends: str
    to: str
    agent: str
    operation: str
    search: str

    @classmethod
    def read(cls, request: HttpRequest, *, is_waiting: bool) -> Wanted:
        return cls(
            kind=chosen(request, "kind", Review.Kind.values),
            state="" if is_waiting else chosen(request, "state", Review.State.values),
            team=asked(request, "team"),
            ends=chosen(request, "ends", list(_ENDS)),
            to=chosen(request, "to", list(_TO)),
            agent=asked(request, "agent"),
            operation=asked(request, "operation"),
            search=asked(request, "search"),
        )

    @property
    def is_narrowed(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    def narrow(self, rows: QuerySet[Review], actor: Actor) -> QuerySet[Review]:
        """Return the rows that are wanted."""
        exact = {"kind": self.kind, "standing": self.state, "operation": self.operation}
        rows = rows.filter(**{column: value for column, value in exact.items() if value})
        if self.ends:
            rows = rows.filter(expires_at__lte=clock.now() + _ENDS[self.ends][1])
        if self.to:
            refs = [ref for ref in refs_of(actor) if ref.startswith(_KINDS[self.to])]
            rows = rows.filter(put_to(refs))
        if self.agent:
            rows = rows.filter(of_agent(self.agent))
        if self.team:
            rows = rows.filter(of_team(self.team))
        return found(rows, self.search, *_SEARCHED)

    def selects(self, actor: Actor, *, is_waiting: bool) -> list[dict[str, Any]]:
        """Return the choices a viewer has."""
        teams = list(teams_for(actor).order_by("name").values_list("slug", "name")[:200])
        kinds = [(each.value, each.label) for each in Review.Kind]
        selects = [
            _select("kind", "Any question", self.kind, kinds),
            _select("ends", "Any deadline", self.ends, [(n, w) for n, (w, _) in _ENDS.items()]),
            _select("to", "Put to anybody", self.to, list(_TO.items())),
        ]
        if teams:
            selects.append(_select("team", "Any team's agent", self.team, teams))
        if not is_waiting:
            states = [(each.value, each.label) for each in Review.State]
            selects.append(_select("state", "Any state", self.state, states))
        return selects


def _select(name: str, label: str, value: str, options: list[Any]) -> dict[str, Any]:
    return {"name": name, "label": label, "value": value, "options": options}
