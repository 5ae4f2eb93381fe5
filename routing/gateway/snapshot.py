"""What the gateway knows, frozen: who may call, what serves a route, what it costs.

Owns the shape only; `routing.snapshot` reads it from the database. One snapshot is one
moment: every call is decided on exactly one, and none is ever changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from yarl import URL

from credentials.broker import SealedRow
from routing.gateway.breaker import Name
from routing.gateway.budgets import NO_BUDGETS, Budgets
from routing.gateway.options import DEFAULTS, RouteOptions
from routing.gateway.profiles.known import BY_NAME, rules_of
from routing.gateway.profiles.profile import Rule
from routing.gateway.stops import NO_STOPS, Stops
from routing.gateway.tools.declared import NOTHING, DeclaredTools, SharedTools


@dataclass(frozen=True, slots=True)
class Key:
    """An agent's key: a keyed hash and the times it holds for."""

    public_id: str
    key_id: str
    agent: int
    pepper_id: str
    digest: bytes = field(repr=False)
    expires_at: float  # seconds since the epoch
    is_revoked: bool


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as far as the gateway asks about it."""

    public_id: str
    name: str
    stage: str
    is_suspended: bool
    is_killed: bool
    data_classes: tuple[str, ...]
    routes: tuple[str, ...]
    team: str
    owner: str = ""  # per_…
    team_id: str = ""  # team_…
    tools: DeclaredTools = NOTHING
    lent_tools: SharedTools | None = None  # while it acts for another: no others
    deprecated_at: float | None = None  # since when its end is announced
    ends_at: float | None = None  # from then on it begins no new run
    successor: str = ""  # the agent that takes its place, by name

    def described(self) -> dict[str, object]:
        """What policy is told of an agent."""
        return {
            "name": self.name,
            "stage": self.stage,
            "data_classes": list(self.data_classes),
            "routes": list(self.routes),
            "team": self.team,
        }


@dataclass(frozen=True, slots=True)
class DataGrant:
    """Until when an agent may send a class of data to a vendor that policy asks about."""

    vendor: str
    data_class: str
    until: float


@dataclass(frozen=True)
class Vendor:
    """A place that serves models, and the one address its secret may go to."""

    public_id: str
    name: str
    dialect: str
    base_url: str
    auth_scheme: str
    is_enabled: bool
    data_classes: tuple[str, ...]
    secret: SealedRow | None = field(repr=False)
    profile: str = ""
    regions: tuple[str, ...] = ()

    def serves(self, operation: str) -> bool:
        """Tell whether calls of a kind are served in the vendor's own dialect."""
        served = self._served
        return not served or operation in served

    @cached_property
    def _served(self) -> frozenset[str]:
        known = BY_NAME.get(self.profile)
        return known.operations if known is not None else frozenset()

    def address(self, path: str) -> URL:
        found = self._addresses.get(path)
        if found is None:
            found = self._addresses[path] = self.new_address(path)
        return found

    def new_address(self, path: str) -> URL:
        """Return an address that is needed once, and is not remembered."""
        return URL(self.base_url.rstrip("/") + path)

    @cached_property
    def _addresses(self) -> dict[str, URL]:
        return {}


@dataclass(frozen=True, slots=True)
class Model:
    """A model as one vendor serves it. A price of None is unknown, never free."""

    public_id: str
    name: str
    currency: str
    input_price: int | None  # micro-units of currency per million tokens
    output_price: int | None
    cached_input_price: int | None
    deprecated_on: date | None
    retires_on: date | None
    replacement: str
    is_enabled: bool
    created_at: float
    context_tokens: int | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Shift:
    """That an agent's runs are moved from one model to another, or that one is paused for it."""

    public_id: str
    source: str  # the model's public id
    vendor: str  # of the target, by public id; empty where the source is paused
    model: str  # the target, as its vendor calls it
    percent: int
    subject: str  # the reference of what it is done for

    @property
    def pauses(self) -> bool:
        return not self.vendor


@dataclass(frozen=True, slots=True)
class Arm:
    """On which side of a shift a target serves, and what the shift leads to."""

    shift: str
    name: str  # source, target; behind: the source, after the target
    successor: str  # the target's name


@dataclass(frozen=True)
class Target:
    """A model that may serve a route."""

    vendor: Vendor
    model: Model
    region: str
    weight: int
    priority: int
    canary_percent: int | None = None
    first_byte_ms: int | None = None
    has_passed: bool = False  # its eval gate
    arm: Arm | None = None
    behind: tuple[Target, ...] = ()  # what is tried right after it, in this order
    drawn_as: str = ""  # by which model's id its weight is drawn; empty: its own

    @cached_property
    def rules(self) -> Mapping[str, tuple[Rule, ...]]:
        """What is done to calls before they go there, by their kind."""
        return rules_of(self.vendor.profile, self.model.name)

    @property
    def is_enabled(self) -> bool:
        return self.vendor.is_enabled and self.model.is_enabled

    @cached_property
    def breaker(self) -> Name:
        return Name(self.model.public_id, self.region, self.vendor.name, self.model.name)

    def __str__(self) -> str:
        region = f"@{self.region}" if self.region else ""
        return f"{self.vendor.name}/{self.model.name}{region}"

    def described(self) -> dict[str, object]:
        """What policy is told of a target."""
        return {
            "vendor": self.vendor.name,
            "model": self.model.name,
            "region": self.region,
            "dialect": self.vendor.dialect,
            "data_classes": list(self.vendor.data_classes),
        }


@dataclass(frozen=True, slots=True)
class Route:
    """A task's name and its targets, lowest priority number first."""

    public_id: str
    name: str
    constraints: Mapping[str, object]
    is_enabled: bool
    targets: tuple[Target, ...]
    created_at: float
    options: RouteOptions = DEFAULTS
    shadow: Target | None = None  # what some calls are sent to as well
    aliases: tuple[str, ...] = ()

    def described(self) -> dict[str, object]:
        """What policy is told of a route."""
        return {"name": self.name, "constraints": dict(self.constraints)}


@dataclass(frozen=True)
class Snapshot:
    """Everything, at one moment."""

    keys: Mapping[str, Key]  # by the id inside the key
    agents: Mapping[int, Agent]
    routes: Mapping[str, Route]  # by name, further names included
    vendors: Mapping[str, Vendor]  # by public id
    models: Mapping[tuple[str, str], Model]  # by the vendor's public id and the wire's name
    stops: Stops = NO_STOPS
    budgets: Budgets = NO_BUDGETS
    ended_delegations: frozenset[str] = frozenset()
    grants: Mapping[str, tuple[DataGrant, ...]] = field(default_factory=dict)  # by the agent's id
    bundle: str = ""  # the digest of the policy in force
    shifts: Mapping[str, Mapping[str, Shift]] = field(default_factory=dict)  # agent, then source

    def granted(self, agent: str, vendor: str, now: float) -> list[str]:
        """Return the classes of data that an agent was granted for a vendor, in order."""
        given = self.grants.get(agent, ())
        return sorted(
            {each.data_class for each in given if each.vendor == vendor and each.until > now}
        )

    def agent_with(self, public_id: str) -> Agent | None:
        return self._by_id.get(public_id)

    def agent_named(self, name: str) -> Agent | None:
        """Return an agent by its name or id."""
        return self._by_name.get(name) or self._by_id.get(name)

    # Built when first asked for: most snapshots see no delegation.
    @cached_property
    def _by_id(self) -> dict[str, Agent]:
        return {agent.public_id: agent for agent in self.agents.values()}

    @cached_property
    def _by_name(self) -> dict[str, Agent]:
        return {agent.name: agent for agent in self.agents.values()}
