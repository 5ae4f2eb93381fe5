"""What a call's texts are looked at for: by its route, its agent's data classes, the installation.

Owns which says more. What the installation says holds everywhere, what it says of a data class
holds for agents of that class; the strongest action counts. A route adds to both, and weakens
them only where the installation lets it. What a route names and nobody knows keeps its calls
from being made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from routing.gateway.detectors.custom import PatternUnusable, pattern_detector
from routing.gateway.detectors.detector import Detector
from routing.gateway.detectors.rules import ACTIONS, KINDS, Rules, rules_for
from routing.gateway.snapshot import Agent, Route

REQUEST: Final = "request"
RESPONSE: Final = "response"
DIRECTIONS: Final = (REQUEST, RESPONSE)

Actions = Mapping[str, str]  # by kind
_NONE: Final[Actions] = {}
KIND_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MEMBERS: Final = frozenset(
    {"patterns", "request", "response", "data_classes", "routes_may_weaken"}
)


class ProtectionUnusable(Exception):
    """Raised at the start for a file that does not say what to protect; names the place."""


class KindUnknown(Exception):
    """Raised for a kind that a route names and this installation does not know."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What an installation says: patterns of its own, and what holds where a route is silent."""

    patterns: tuple[Detector, ...] = ()
    defaults: Mapping[str, Actions] = field(default_factory=dict)  # by direction
    by_class: Mapping[str, Mapping[str, Actions]] = field(default_factory=dict)
    routes_may_weaken: bool = False
    said: Mapping[str, Any] = field(default_factory=dict, compare=False)  # the file's own words

    @property
    def kinds(self) -> tuple[str, ...]:
        return (*KINDS, *dict.fromkeys(one.kind for one in self.patterns))

    def actions(self, route: Route, agent: Agent, direction: str) -> Actions:
        """Return what is looked for in one direction; empty when nothing is."""
        own = route.options.detectors.get(direction, _NONE)
        if not self.defaults and not self.by_class:
            return own
        found = self._everywhere(agent, direction)
        if self.routes_may_weaken:
            return found | dict(own)
        for kind, action in own.items():
            # A word that is none of ours stays: it keeps the call from being made.
            is_known = action in ACTIONS
            found[kind] = _stronger(action, found.get(kind, action)) if is_known else action
        return found

    def of_reports(self, agent: Agent) -> Actions:
        """Return what is looked for in what an agent reports: no route has a say in that."""
        found = self._everywhere(agent, REQUEST)
        for kind, action in self._everywhere(agent, RESPONSE).items():
            found[kind] = _stronger(action, found.get(kind, action))
        return found

    def _everywhere(self, agent: Agent, direction: str) -> dict[str, str]:
        found = dict(self.defaults.get(direction, _NONE))
        for name in agent.data_classes:
            for kind, action in self.by_class.get(name, {}).get(direction, _NONE).items():
                found[kind] = _stronger(action, found.get(kind, action))
        return found

    def rules(self, actions: Actions) -> Rules:
        """Return the detectors of these actions. Raises: KindUnknown."""
        for kind, action in actions.items():
            if kind not in self.kinds or action not in ACTIONS:
                raise KindUnknown(f"{kind}: {action}")
        return rules_for(tuple(sorted(actions.items())), self.patterns)


def read_protection(path: Path | None) -> Protection:
    """Read an installation's file; none is nothing. Raises: ProtectionUnusable."""
    if path is None:
        return Protection()
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ProtectionUnusable(f"{path.name} cannot be read: {error}") from None
    return protection_of(said, path.name)


def protection_of(said: Any, name: str = "The protection") -> Protection:
    """Return what a document says; an empty one says nothing. Raises: ProtectionUnusable."""
    if not isinstance(said, dict) or said.keys() - _MEMBERS:
        raise ProtectionUnusable(f"{name} is an object with {', '.join(sorted(_MEMBERS))}.")
    patterns = tuple(_pattern(one) for one in said.get("patterns", []))
    found = Protection(
        patterns,
        _directions(said),
        {str(name): _directions(one) for name, one in said.get("data_classes", {}).items()},
        _may_weaken(said),
    )
    for each in (found.defaults, *found.by_class.values()):
        for actions in each.values():
            try:
                found.rules(actions)
            except KindUnknown as error:
                raise ProtectionUnusable(
                    f"{error}: kinds are {', '.join(found.kinds)}; actions {', '.join(ACTIONS)}."
                ) from None
    return replace(found, said=said)


def _stronger(one: str, other: str) -> str:
    return max(one, other, key=ACTIONS.index)


def _may_weaken(said: Mapping[str, Any]) -> bool:
    found = said.get("routes_may_weaken", False)
    if not isinstance(found, bool):
        raise ProtectionUnusable("routes_may_weaken is true or false.")
    return found


def _directions(said: Mapping[str, Any]) -> dict[str, Actions]:
    found = {name: said[name] for name in DIRECTIONS if said.get(name) is not None}
    if not all(isinstance(actions, dict) for actions in found.values()):
        raise ProtectionUnusable("request and response are objects: an action for each kind.")
    return found


def _pattern(said: Any) -> Detector:
    if not isinstance(said, dict) or not KIND_NAME.fullmatch(str(said.get("name", ""))):
        raise ProtectionUnusable("A pattern has a name of small letters, digits and underscores.")
    if said["name"] in KINDS:
        raise ProtectionUnusable(f"{said['name']} is a kind already: choose another name.")
    try:
        return pattern_detector(
            said["name"], str(said.get("pattern", "")), said.get("check", ""),
            said.get("longest", 64),
        )  # fmt: skip
    except PatternUnusable as error:
        raise ProtectionUnusable(f"The pattern {said['name']} cannot be used: {error}") from None
