"""What one looks for among runs.

Every field may stay empty; what cannot be read is said and left out, so that the list shows
all the same.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms

from kernel import clock
from routing.models import RunSummary
from routing.queries.run_lists import HAS

STATES = RunSummary.State.choices
OUTCOMES = (
    ("failed", "A call failed"),
    ("denied", "A call was denied"),
    ("clean", "Nothing went wrong"),
    ("none", "Nothing came back yet"),
)
PERIODS = (("1", "Last 24 hours"), ("7", "Last 7 days"), ("30", "Last 30 days"))
_MICROS = 1_000_000


def _text(label: str, longest: int, help_text: str = "", known: str = "") -> forms.CharField:
    return forms.CharField(
        label=label, required=False, max_length=longest, empty_value="", help_text=help_text,
        widget=forms.TextInput(attrs={"list": f"known-{known}"} if known else {}),
    )  # fmt: skip


def _amount(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, required=False, min_value=0, max_digits=14, decimal_places=6,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )  # fmt: skip


def _moment(label: str, help_text: str = "") -> forms.DateTimeField:
    return forms.DateTimeField(
        label=label, required=False, help_text=help_text,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
    )  # fmt: skip


class RunSearch(forms.Form):
    """The search over runs, as its page and its address say it."""

    search = _text("Words", 200)
    agent = _text("Agent", 63, known="agent")
    state = forms.ChoiceField(label="State", choices=STATES, required=False)
    outcome = forms.ChoiceField(label="Outcome", choices=OUTCOMES, required=False)
    period = forms.ChoiceField(label="Time", choices=PERIODS, required=False)
    owner = _text("Owner's address", 254)
    team = _text("Team", 63, known="team")
    model = _text("Model", 200, "Asked for, or answering.", known="model")
    vendor = _text("Vendor", 63)
    route = _text("Route", 100)
    tool = _text("Tool", 200)
    error = _text("Error code", 200)
    since = _moment("Began from", "In the time zone of your account.")
    until = _moment("Began before")
    cost_from = _amount("Cost from, USD")
    cost_to = _amount("Cost up to, USD")
    took_from = _amount("Took from, seconds")
    took_to = _amount("Took up to, seconds")
    has = forms.MultipleChoiceField(
        label="Has", choices=list(HAS.items()), required=False,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip

    MORE = (
        "agent", "owner", "team", "model", "vendor", "route", "tool", "error", "since", "until",
        "cost_from", "cost_to", "took_from", "took_to",
    )  # fmt: skip

    def wanted(self) -> dict[str, Any]:
        """Return what can be read of it, as `routing.queries.run_lists.Wanted` names it."""
        self.is_valid()
        said = self.cleaned_data
        since = said.get("since")
        if since is None and said.get("period"):
            since = clock.now() - timedelta(days=int(said["period"]))
        return {
            "words": said.get("search", ""),
            **{name: said.get(name, "") for name in (
                "owner", "team", "state", "outcome", "error", "model", "vendor", "route", "tool",
            )},
            "has": tuple(said.get("has", ())),
            "since": since,
            "until": said.get("until"),
            "least_cost": _whole(said.get("cost_from"), _MICROS),
            "most_cost": _whole(said.get("cost_to"), _MICROS),
            "least_ms": _whole(said.get("took_from"), 1000),
            "most_ms": _whole(said.get("took_to"), 1000),
        }  # fmt: skip

    @property
    def further(self) -> list[forms.BoundField]:
        """The fields beside those one mostly searches by."""
        return [self[name] for name in self.MORE]

    @property
    def is_open(self) -> bool:
        """Whether one of the further fields says something, or something wrong."""
        named = [*self.MORE, "has"]
        return any(self.data.get(name) or name in self.errors for name in named)


def _whole(value: Any, times: int) -> int | None:
    return None if value is None else int(value * times)
