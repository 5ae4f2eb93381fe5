"""What every page of the portal is given: the way around, and the version.

Owns the list of sections and who sees which. Everything is lazy: an error page renders
without a query, because whatever broke may be the database.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from approvals.queries import waiting_count
from fleet.telling.queries.messages import unread_count
from ledger.standing import suspension_now
from registry.actors import Actor
from registry.models import Person, Role
from registry.portal import COUNTED


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the sidebar."""

    label: str
    name: str  # of the address
    icon: str
    key: str  # pressed after "g"
    group: str = ""  # the title above it and those that follow in the same group
    roles: tuple[Role, ...] = ()  # empty: everybody
    url: str = ""
    is_current: bool = False
    count: int = 0


_STEERING = (Role.SECURITY, Role.PLATFORM, Role.AUDITOR)
SECTIONS = (
    Section("Home", "fleet:home", "house", "h"),
    Section("Agents", "registry:agents", "bot", "a"),
    Section("Runs", "routing:runs", "activity", "u"),
    Section("Campaigns", "campaigns:campaigns", "calendar-clock", "q", "Steer"),
    Section("Cutovers", "cutovers:cutovers", "arrow-left-right", "", "Steer"),
    Section("Evaluations", "evaluations:evaluations", "flask-conical", "", "Steer"),
    Section("Retirements", "campaigns:calendar", "calendar-days", "j", "Steer"),
    Section("Health", "health:board", "heart-pulse", "i", "Steer"),
    Section("Drift", "drift:watches", "trending-down", "", "Steer"),
    Section("Unregistered", "discovery:findings", "radar", "z", "Steer"),
    Section("Worth", "worth:quarter", "scale", "", "Steer"),
    Section("Reviews", "approvals:reviews", "clipboard-check", "r", "Decide"),
    Section("Proposals", "effects:proposals", "send", "s", "Decide"),
    Section("Policy", "rules:policies", "list-checks", "w", "Decide", _STEERING),
    Section("Connections", "effects:connections", "link", "n", "Act", _STEERING),
    Section("Unknown effects", "effects:unknown", "circle-help", "k", "Act", _STEERING),
    Section("Leases", "effects:leases", "key-round", "y", "Act"),
    Section("Channels", "approvals:channels", "message-square", "d", "Act", _STEERING),
    Section("Emergency stop", "routing:stops", "octagon-x", "e", "Act", _STEERING),
    Section("Models", "routing:models", "boxes", "m", "Calls go to"),
    Section("Routes", "routing:routes", "route", "o", "Calls go to"),
    Section("Budgets", "routing:budgets", "gauge", "b", "Calls go to"),
    Section("Vendors", "routing:vendors", "plug", "v", "Calls go to", _STEERING),
    Section("People", "registry:people", "users", "p", "Company"),
    Section("Ledger", "fleet:ledger", "shield-check", "l", "Company", _STEERING),
    Section("Retention", "routing:retention", "hourglass", "t", "Company", _STEERING),
    Section("Exports", "outlets:exports", "download", "x", "Company"),
    Section("Feeds", "outlets:feeds", "upload", "f", "Company", _STEERING),
    Section("Account", "registry:account", "circle-user-round", "c", "Company"),
)


DEMO_BANNER = {
    "text": "Demo data: people, agents and calls of this company are invented; "
    "models and their retirement dates are real.",
    "url": "",
    "link": "",
}

SUSPENDED_BANNER = {
    "text": "The ledger is suspended: nothing is recorded, so no call is made and nothing changes.",
    "link": "What was found, and what to do",
    "icon": "octagon-x",
}


def portal(request: HttpRequest) -> dict[str, Any]:
    """Give a page its navigation; the context processor of the settings."""
    return {
        "nav": SimpleLazyObject(lambda: nav(request)),
        "banner": SimpleLazyObject(lambda: banner(request)),
        "bell": SimpleLazyObject(lambda: bell(request)),
        "app_version": _version(),
        "admin_url": _address("admin:index"),
        "schema_url": _address("docs") or _address("schema"),
    }


def banner(request: HttpRequest) -> dict[str, str] | None:
    """Return what stands above every page: that nothing is recorded, or that all is a demo."""
    person = getattr(request, "user", None)
    if isinstance(person, Person):
        try:
            if suspension_now() is not None:
                sees = person.has_role(Role.SECURITY, Role.PLATFORM, Role.AUDITOR)
                return SUSPENDED_BANNER | {"url": _address("fleet:ledger") if sees else ""}
        except DatabaseError:  # what is broken may be the database, and this is not the page's
            return None
    return DEMO_BANNER if settings.DEMO else None


def bell(request: HttpRequest) -> dict[str, Any] | None:
    """Return where one's notices are and how many of them are unread."""
    person, url = getattr(request, "user", None), _address("telling:notices")
    if not (isinstance(person, Person) and url):
        return None
    try:
        return {"url": url, "count": unread_count(person)}
    except DatabaseError:  # an error page renders all the same
        return None


def nav(request: HttpRequest) -> list[Section]:
    """List the sections that the signed-in person may see, the current one marked."""
    person = getattr(request, "user", None)
    if not isinstance(person, Person):
        return []
    known: dict[str, int] = getattr(request, COUNTED, {})
    shown = []
    for section in SECTIONS:
        url = _address(section.name)
        if not url or (section.roles and not person.has_role(*section.roles)):
            continue
        number = known.get(section.name)
        if number is None:
            count = COUNTS.get(section.name)
            number = count(person) if count else 0
        shown.append(
            replace(
                section,
                url=url,
                is_current=_is_within(request.path, url),
                count=number,
            )
        )
    # A title stands above the first of its group that this person sees.
    return [
        replace(section, group="")
        if before is not None and before.group == section.group
        else section
        for before, section in zip([None, *shown], shown, strict=False)
    ]


def _reviews_waiting(person: Person) -> int:
    return waiting_count(Actor.of(person))


COUNTS: dict[str, Callable[[Person], int]] = {"approvals:reviews": _reviews_waiting}


def _is_within(path: str, url: str) -> bool:
    return path == url if url == "/" else path.startswith(url)


def _address(name: str) -> str:
    # A section whose pages are not installed is left out rather than broken.
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


@cache
def _version() -> str:
    project = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text(encoding="utf-8"))
    return str(project["project"]["version"])
