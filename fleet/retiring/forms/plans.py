"""The form by which an agent's end is planned."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import Any

from django import forms

from fleet.retiring.actions.planning import LONGEST_DAYS, LONGEST_DRAIN_MINUTES, Plan
from fleet.retiring.queries.retirements import agent_called
from registry.models import Agent


class PlanForm(forms.Form):
    """A day, a drain, who follows, and what becomes of the data."""

    on = forms.DateField(
        label="Day", required=False, widget=forms.DateInput({"type": "date"}),
        help_text="From its beginning in UTC the agent begins no new run. Without one, only that"
        " its end comes is announced.",
    )  # fmt: skip
    drain_minutes = forms.IntegerField(
        label="Drain in minutes", min_value=0, max_value=LONGEST_DRAIN_MINUTES, initial=60,
        help_text="So long may runs that began before go on.",
    )  # fmt: skip
    successor = forms.CharField(
        label="Successor", max_length=63, required=False,
        help_text="The name of the agent that takes its place; its callers are told.",
    )  # fmt: skip
    data = forms.ChoiceField(  # type: ignore[assignment]  # a field, not the attribute
        label="Data", choices=[("keep", "Keep by retention"), ("shred", "Destroy")],
        help_text="Platform and security may choose to destroy: never below the floor of"
        " retention, and nothing that a legal hold covers.",
    )  # fmt: skip
    shred_after_days = forms.IntegerField(
        label="Destroy after days", min_value=0, max_value=LONGEST_DAYS, initial=30, required=False
    )
    reason = forms.CharField(
        label="Reason", max_length=2000, widget=forms.Textarea({"rows": 3}),
        help_text="It goes on the record with your name, and on the tombstone.",
    )  # fmt: skip

    def clean_successor(self) -> Agent | None:
        name = self.cleaned_data["successor"].strip()
        if not name:
            return None
        found = agent_called(name)
        if found is None:
            raise forms.ValidationError(f"There is no agent {name!r}.")
        return found

    def plan(self) -> Plan:
        """Return what was asked for."""
        said: dict[str, Any] = self.cleaned_data
        day = said["on"]
        days = said["shred_after_days"]
        return Plan(
            drains_at=datetime.combine(day, time(), UTC) if day else None,
            drain_minutes=said["drain_minutes"],
            successor=said["successor"],
            shred_after_days=(30 if days is None else days) if said["data"] == "shred" else None,
        )
