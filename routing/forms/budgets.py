"""The forms of a budget. What is valid the actions decide; amounts are said as people say them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django import forms

from routing.budgeting import BudgetDraft
from routing.forms.vendors import WordsField
from routing.models import Budget

_MILLION: Final = 1_000_000
KINDS: Final = (
    ("organisation", "Everybody"),
    ("team", "A team"),
    ("agent", "An agent"),
    ("route", "A route"),
    ("vendor", "A vendor"),
)
MEASURES: Final = (
    ("cost month", "Cost in a month"),
    ("cost day", "Cost in a day"),
    ("requests minute", "Requests in a minute"),
    ("tokens minute", "Tokens in a minute"),
    ("open_calls always", "Calls open at once"),
)


class CapForm(forms.Form):
    """How much, and when to tell."""

    amount = forms.DecimalField(
        label="Cap", min_value=Decimal(0), max_digits=16, decimal_places=6,
        help_text="For cost in the currency, such as 250 or 0.50; otherwise a whole number.",
    )  # fmt: skip
    thresholds = WordsField(
        label="Tell people at", help_text="Percents of the cap, for cost: 50, 80, 95"
    )
    lets_unpriced = forms.BooleanField(
        label="Let models without a known price pass", required=False,
        help_text="Otherwise their calls are refused: what they cost could not be counted.",
    )  # fmt: skip
    reason = forms.CharField(
        label="Why", max_length=500, required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def clean_thresholds(self) -> list[int]:
        given: list[str] = self.cleaned_data["thresholds"]
        try:
            return [int(each.rstrip("%")) for each in given]
        except ValueError:
            raise forms.ValidationError("Whole percents, such as 50, 80, 95.") from None

    def cap(self, measure: str) -> int:
        amount: Decimal = self.cleaned_data["amount"]
        return int(amount * _MILLION) if measure == Budget.Measure.COST else int(amount)

    def changes(self, budget: Budget) -> dict[str, Any]:
        """Return what differs from a budget, in the terms of the action."""
        given = {
            "cap": self.cap(budget.measure),
            "thresholds": sorted(set(self.cleaned_data["thresholds"])),
            "lets_unpriced": self.cleaned_data["lets_unpriced"],
            "reason": self.cleaned_data["reason"],
        }
        return {name: value for name, value in given.items() if getattr(budget, name) != value}

    @classmethod
    def of(cls, budget: Budget, data: Any = None) -> CapForm:
        is_cost = budget.measure == Budget.Measure.COST
        amount = Decimal(budget.cap) / _MILLION if is_cost else Decimal(budget.cap)
        initial = {
            "amount": f"{amount.normalize():f}",
            "thresholds": [str(each) for each in budget.thresholds],
            "lets_unpriced": budget.lets_unpriced,
            "reason": budget.reason,
        }
        return cls(data, initial=initial)


class BudgetForm(CapForm):
    """Whose, of what, and how much."""

    subject_kind = forms.ChoiceField(label="Whose calls", choices=KINDS)
    subject = forms.CharField(
        label="Which one", max_length=200, required=False,
        help_text="The name of the agent, route or vendor, or the team's short name. "
        "Empty for everybody.",
    )  # fmt: skip
    model = forms.CharField(
        label="Only this model", max_length=200, required=False,
        help_text="As its vendor spells it. Empty: every model.",
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )  # fmt: skip
    measure = forms.ChoiceField(label="What is capped", choices=MEASURES)
    currency = forms.CharField(label="Currency", max_length=3, initial="USD", required=False)

    field_order = (
        "subject_kind", "subject", "measure", "amount", "currency", "model", "thresholds",
        "lets_unpriced", "reason",
    )  # fmt: skip

    def draft(self) -> BudgetDraft:
        given = self.cleaned_data
        measure, period = given["measure"].split(" ")
        return BudgetDraft(
            subject_kind=given["subject_kind"],
            subject=given["subject"].strip(),
            model=given["model"].strip(),
            measure=measure,
            period=period,
            cap=self.cap(measure),
            currency=given["currency"],
            thresholds=given["thresholds"],
            lets_unpriced=given["lets_unpriced"],
            reason=given["reason"],
        )
