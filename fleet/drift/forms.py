"""What people fill in about probes; the actions say what is right."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from fleet.drift.actions.planning import PlanDraft
from fleet.drift.models import ProbePlan
from registry.models import Agent

_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}


class PlanForm(forms.Form):
    """When an agent's cases are asked, which of them, and for how much."""

    use_required_attribute = False

    agent = forms.ChoiceField(label="Golden cases of")
    cron = forms.CharField(
        label="When", max_length=100, initial="0 6 * * *", widget=forms.TextInput(attrs=_PLAIN),
        help_text="Five fields, such as 0 6 * * 1-5.",
    )  # fmt: skip
    zone = forms.CharField(
        label="In the time zone", max_length=60, initial="UTC",
        widget=forms.TextInput(attrs=_PLAIN), help_text="Such as Europe/Berlin.",
    )  # fmt: skip
    cap = forms.DecimalField(
        label="At most a month", min_value=0, max_digits=12, decimal_places=2, initial="5.00",
        help_text="In the model's currency. Held before each question, at its worst.",
    )  # fmt: skip
    cases = forms.CharField(
        label="Cases", required=False, max_length=2000, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Names with spaces between them. Empty: all of the route.",
    )  # fmt: skip

    def __init__(self, agents: list[Agent], *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["agent"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  declared above
        field.choices = [(one.name, one.title) for one in agents]

    def draft(self) -> PlanDraft:
        """Return what is asked for."""
        given: dict[str, Any] = self.cleaned_data
        return PlanDraft(
            given["cron"].strip(),
            given["zone"].strip(),
            int(given["cap"] * 1_000_000),
            given["cases"].replace("\x00", "").split(),
        )

    @staticmethod
    def initial_of(plan: ProbePlan) -> dict[str, Any]:
        """Return what a form says of a plan as it stands."""
        return {
            "agent": plan.agent.name,
            "cron": plan.cron,
            "zone": plan.zone,
            "cap": f"{plan.cap_micros / 1_000_000:.2f}",
            "cases": " ".join(plan.cases),
        }
