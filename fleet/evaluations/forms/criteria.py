"""The form of a gate's criteria: every bound with what it says and what it may be."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from fleet.evaluations.criteria import BOUNDS, WHOLE, Criteria

_ROUTES: Final = {
    "judge": "A route whose model says which of two answers is better; empty for none.",
    "embeddings": "A route whose model tells how near two texts are; empty for none.",
}


class CriteriaForm(forms.Form):
    """What a candidate is held to. Bounds are read again where they are set."""

    def __init__(self, held: Criteria, *given: Any, **more: Any) -> None:
        super().__init__(*given, **{"initial": held.told(), **more})
        for name, (least, most, says) in BOUNDS.items():
            words = f"{says}. From {least:g} to {most:g}."
            label = name.replace("_", " ").capitalize()
            self.fields[name] = (
                forms.IntegerField(
                    label=label, min_value=int(least), max_value=int(most), help_text=words
                )
                if name in WHOLE
                else forms.FloatField(label=label, min_value=least, max_value=most, help_text=words)
            )
        for name, says in _ROUTES.items():
            self.fields[name] = forms.CharField(
                label=name.capitalize(), required=False, max_length=100, help_text=says
            )

    def said(self) -> dict[str, Any]:
        """Return the bounds as they are set."""
        return dict(self.cleaned_data)
