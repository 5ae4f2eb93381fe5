"""What is said of the model that serves: when it will stop, and whether it is the one asked for.

Owns the spelling of the headers (`Deprecation`, RFC 9745; `Sunset`, RFC 8594; `Link`) and
what counts as another model: names that differ in more than a version or a path do.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from kernel.clock import now
from routing.gateway.errors import ModelRetired
from routing.gateway.ports import Headers
from routing.gateway.snapshot import Model, Route, Target

SUBSTITUTED: Final = b"x-unsprawl-model-reported"
# What vendors append to an alias when they say which version of it answered.
_VERSION: Final = re.compile(
    r"([-@](20\d{2}-?\d{2}-?\d{2}|\d{4}|00\d|latest|v\d+)|[-:]v\d+(:\d+)?|:latest)$"
)
# There, the name that is called is a deployment's own and says nothing of the model.
_OWN_NAMES: Final = (".azure.com", ".azure.us", ".azure.cn")


def headers(target: Target) -> Headers:
    """Return the lifecycle headers of what serves a call; none for a model without a date."""
    arm, model = target.arm, target.model
    # An agent that is being moved away from what serves is told whereto.
    moved_to = arm.successor if arm is not None and arm.successor != model.name else ""
    if model.retires_on is None and model.deprecated_on is None and not moved_to:
        return []
    return list(_headers(model, moved_to))


@lru_cache(maxsize=4096)
def _headers(model: Model, moved_to: str) -> tuple[tuple[bytes, bytes], ...]:
    found: list[tuple[bytes, bytes]] = []
    since = model.deprecated_on or model.retires_on
    if since is not None:
        found.append((b"deprecation", f"@{int(_midnight(since).timestamp())}".encode()))
    if model.retires_on is not None:
        sunset = format_datetime(_midnight(model.retires_on), usegmt=True)
        found.append((b"sunset", sunset.encode()))
    if follows := moved_to or model.replacement:
        successor = quote(follows, safe="")
        found.append((b"link", f'</v1/models/{successor}>; rel="successor-version"'.encode()))
    return tuple(found)


def has_ended(model: Model, moment: float) -> bool:
    """Tell whether a model's last day is over, in UTC, at a moment.

    Vendors name a day and no zone: on that day itself it may still answer.
    """
    return model.retires_on is not None and moment >= _over_at(model.retires_on)


@lru_cache(maxsize=4096)
def _over_at(last: date) -> float:
    return _midnight(last).timestamp() + 86_400


def stage_of(model: Model | None) -> str:
    """Name the stage of a model as vendors do; none at all is retired.

    Past its date it may still answer: the vendor's word for that is deprecated.
    """
    if model is None:
        return "retired"
    today = now().date()
    dates = model.deprecated_on, model.retires_on
    return "deprecated" if any(day is not None and day <= today for day in dates) else "active"


def day_said(day: date | None) -> str | None:
    """Write a date as OpenAI does."""
    return day.isoformat() if day is not None else None


def moment_said(day: date | None) -> str | None:
    """Write a date as Anthropic does: the moment at which it begins."""
    return _midnight(day).isoformat() if day is not None else None


def refuse_retired(route: Route) -> None:
    """Refuse a route whose every model was disabled at its end. Raises: ModelRetired.

    A date alone refuses nothing, because vendors move them: it takes somebody, or the
    catalogue, to have disabled the model as well.
    """
    models = [target.model for target in route.targets]
    today = now().date()
    if not models or any(model.is_enabled for model in models):
        return
    if any(model.retires_on is None or model.retires_on > today for model in models):
        return
    successor = next((model.replacement for model in models if model.replacement), "")
    hint = f" Its successor is {successor}." if successor else ""
    raise ModelRetired(
        f"The model `{route.name}` has been deprecated: what served it was retired on"
        f" {max(model.retires_on for model in models if model.retires_on)}.{hint}",
        param="model",
        wire_code="model_not_found",
    )


def is_substituted(target: Target, reported: str) -> bool:
    """Say whether a vendor reports another model than it was asked for."""
    asked = target.model.name
    if not reported or reported == asked:
        return False
    host = target.vendor.address("").host or ""
    return not host.endswith(_OWN_NAMES) and _plain(reported) != _plain(asked)


def substitution_mark(target: Target, reported: str) -> Headers:
    """Return the header that names the model which answered instead; none when none did."""
    if not is_substituted(target, reported):
        return []
    return [(SUBSTITUTED, reported.encode("ascii", "replace"))]


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    """Return a model's name without what vendors put around it: a path, a version."""
    plain = name.lower().rsplit("/", 1)[-1]
    while (shorter := _VERSION.sub("", plain)) not in {plain, ""}:
        plain = shorter
    return plain


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
