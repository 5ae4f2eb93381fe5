"""The forms of evaluations; the actions say what is right."""

from __future__ import annotations

from typing import Any

from django import forms

from fleet.evaluations.actions.beginning import MOST_RUNS, USUAL_RUNS
from fleet.evaluations.queries.models import baselines_of, candidates_for
from registry.models import Agent


class BeginForm(forms.Form):
    """Which models are compared, on how many runs."""

    use_required_attribute = False

    baseline = forms.ChoiceField(label="Served today by", help_text="The model to replace.")
    candidates = forms.MultipleChoiceField(
        label="Candidates", help_text="One to five models.",
        widget=forms.SelectMultiple(attrs={"size": 8}),
    )  # fmt: skip
    sample = forms.IntegerField(
        label="Recorded runs", min_value=1, max_value=MOST_RUNS, initial=USUAL_RUNS,
        help_text="Drawn from the last 90 days: of every kind, the recent first.",
    )  # fmt: skip
    ask_baseline = forms.BooleanField(
        label="Ask today's model once more as well", required=False, initial=True,
        help_text="So that its own noise is known: the candidate is held to that.",
    )  # fmt: skip
    cap = forms.DecimalField(
        label="Stop at this cost", required=False, min_value=0, max_digits=12, decimal_places=2,
        help_text="Empty: the agent's budgets alone.",
    )  # fmt: skip

    def __init__(self, agent: Agent, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        names = [f"{one.vendor.name}/{one.name}" for one in baselines_of(agent)]
        others = [f"{one.vendor.name}/{one.name}" for one in candidates_for(None)]
        said = [*names, *(name for name in others if name not in names)]
        baseline, candidates = self.fields["baseline"], self.fields["candidates"]
        assert isinstance(baseline, forms.ChoiceField)  # noqa: S101  declared above
        assert isinstance(candidates, forms.MultipleChoiceField)  # noqa: S101
        baseline.choices = [(name, name) for name in said]
        candidates.choices = [(name, name) for name in others]

    @property
    def cap_micros(self) -> int | None:
        cap = self.cleaned_data.get("cap")
        return None if not cap else int(cap * 1_000_000)
