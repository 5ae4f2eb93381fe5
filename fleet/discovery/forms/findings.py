"""The forms about one finding: whom to ask, what to register, which agent it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from fleet.discovery.actions.deciding import Draft

_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}


class AssignForm(forms.Form):
    """Who is asked, and until when."""

    use_required_attribute = False

    owner = forms.CharField(
        label="E-mail of whom you ask", max_length=254, widget=forms.EmailInput(attrs=_PLAIN)
    )
    due_on = forms.DateField(
        label="By", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Left empty: in two weeks.",
    )  # fmt: skip


class ClaimForm(forms.Form):
    """What is registered as a draft, filled from the finding."""

    use_required_attribute = False

    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    title = forms.CharField(label="Title", max_length=120)
    description = forms.CharField(
        label="What it does", max_length=1000, widget=forms.Textarea(attrs={"rows": 3})
    )
    owner = forms.CharField(label="Owner", max_length=254, widget=forms.EmailInput(attrs=_PLAIN))
    backup_owner = forms.CharField(
        label="Backup owner", max_length=254, widget=forms.EmailInput(attrs=_PLAIN)
    )
    data_class = forms.ChoiceField(label="Data it sees")
    route = forms.CharField(
        label="Route", max_length=63, initial="sandbox", widget=forms.TextInput(attrs=_PLAIN),
        help_text="Which route it is to call; sandbox until you know.",
    )  # fmt: skip

    def __init__(self, data: Any = None, *, draft: Draft, classes: Iterable[str]) -> None:
        """Fill the form from a draft."""
        super().__init__(
            data,
            initial={
                "name": draft.name, "title": draft.title, "description": draft.description,
                "owner": draft.owner, "backup_owner": draft.backup_owner,
                "data_class": draft.data_classes[0], "route": draft.route,
            },
        )  # fmt: skip
        field: Any = self.fields["data_class"]
        field.choices = [(name, name) for name in classes]

    def draft(self) -> Draft:
        """Return what is to be registered."""
        given = dict(self.cleaned_data)
        return Draft(data_classes=(given.pop("data_class"),), **given)


class MergeForm(forms.Form):
    """Which registered agent it is."""

    use_required_attribute = False

    agent = forms.CharField(label="Agent", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
