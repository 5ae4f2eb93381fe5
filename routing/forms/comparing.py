"""The form that names the run to compare with."""

from __future__ import annotations

from typing import Any

from django import forms

from routing.queries.reevaluations import target_names


class OtherRunForm(forms.Form):
    """A run by its id or label."""

    with_run = forms.CharField(
        label="Another run",
        max_length=200,
        help_text="Its id (run_…), or the label that its agent gave it.",
    )


class TargetForm(forms.Form):
    """Of what a run's calls are asked again."""

    target = forms.ChoiceField(label="Route or model")

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        models, routes = target_names()
        self.fields["target"].choices = [  # type: ignore[attr-defined]
            ("", "Choose one"),
            ("Models", [(name, name) for name in models]),
            ("Routes", [(name, name) for name in routes]),
        ]
