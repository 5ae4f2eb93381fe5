"""The forms of a vendor. What is valid the actions decide; a secret is never shown back."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from routing.actions.vendors import DATA_CLASSES
from routing.forms.presets import Preset
from routing.gateway.profiles.known import BY_NAME, names_for
from routing.models import Model, Vendor

CLASS_WORDS: Final = {
    "public": "Public: anybody may read it",
    "internal": "Internal: for colleagues",
    "confidential": "Confidential: for few",
    "personal": "Personal: about people",
    "regulated": "Regulated: under a law of its own",
}
_CLASSES: Final = [(name, CLASS_WORDS[name]) for name in DATA_CLASSES]
_DIALECTS: Final = (
    ("openai", "OpenAI's dialect (most vendors, and servers of your own)"),
    ("anthropic", "Anthropic's dialect"),
)
_SCHEMES: Final = (
    ("bearer", "A secret, sent as Authorization: Bearer (usual)"),
    ("x-api-key", "A secret, sent as x-api-key"),
    ("none", "No secret"),
)


class WordsField(forms.CharField):
    """Words with commas between them, read into a list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=1000, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        said = str(super().clean(value)).replace(",", " ")
        return list(dict.fromkeys(said.split()))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class AddressForm(forms.Form):
    """Where a vendor is reached, and which data may go there."""

    title = forms.CharField(
        label="What is it called?", max_length=200, required=False,
        help_text="As people will see it in lists",
    )  # fmt: skip
    base_url = forms.CharField(
        label="Address",
        max_length=600,
        widget=forms.TextInput(
            attrs={
                "class": "mono",
                "autocomplete": "off",
                "spellcheck": "false",
                "inputmode": "url",
            }
        ),
    )
    auth_scheme = forms.ChoiceField(label="It asks for", choices=_SCHEMES, initial="bearer")
    data_classes = forms.MultipleChoiceField(
        label="Data that may go there",
        choices=_CLASSES,
        initial=["public", "internal"],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="Calls with data of another class are refused before they leave.",
    )
    regions = WordsField(
        label="Regions",
        help_text="Where it runs, with commas between: eu, us-east-1. Routes can be kept to some.",
    )


class ConnectForm(AddressForm):
    """A vendor to connect."""

    name = forms.CharField(
        label="Short name",
        max_length=63,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Lower-case letters, digits, hyphens and underscores. It never changes.",
    )
    dialect = forms.ChoiceField(
        label="It speaks",
        choices=_DIALECTS,
        initial="openai",
        help_text="It never changes. Agents may speak either: calls are translated.",
    )
    field_order = ("name", "title", "base_url", "dialect", "auth_scheme", "data_classes", "regions")

    @classmethod
    def of(cls, preset: Preset, name: str) -> ConnectForm:
        """Return the form as it is filled for a preset."""
        initial = {
            "name": name,
            "title": preset.title if preset.key != "other" else "",
            "base_url": preset.base_url,
            "auth_scheme": preset.auth_scheme,
            "dialect": preset.dialect,
        }
        form = cls(initial=initial)
        form.fields["base_url"].help_text = preset.address_help
        return form


class ChangeForm(AddressForm):
    """What to change of a vendor."""

    platform = forms.CharField(
        label="Platform in the catalogue",
        max_length=63,
        required=False,
        help_text="Where end dates and prices are looked up: openai, azure, bedrock, vertex … "
        "Empty: nothing is looked up.",
    )
    profile = forms.ChoiceField(
        label="What it takes of a call",
        required=False,
        help_text="Vendors differ in what they reject or ignore. What is left out or renamed for"
        " one is on each call's record.",
    )

    @classmethod
    def of(cls, vendor: Vendor, data: Any = None) -> ChangeForm:
        """Return the form with what is known of a vendor."""
        names = ("title", "base_url", "auth_scheme", "data_classes", "regions", "platform",
                 "profile")  # fmt: skip
        form = cls(data, initial={name: getattr(vendor, name) for name in names})
        kinds = [(one, BY_NAME[one].title) for one in names_for(vendor.dialect)]
        chosen: Any = form.fields["profile"]
        chosen.choices = [("", "Everything: calls go as they came"), *kinds]
        return form


class SecretForm(forms.Form):
    """A vendor's secret. It goes in, and nothing takes it out again."""

    value = forms.CharField(
        label="Secret",
        max_length=20_000,
        strip=False,
        widget=forms.PasswordInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Sealed at once for the gateway alone: nobody can read it back, this portal "
        "included.",
    )


class ModelsForm(forms.Form):
    """Which models to add: some of those found, or names that somebody knows."""

    names = forms.MultipleChoiceField(
        required=False, widget=forms.CheckboxSelectMultiple, label="Found by the test"
    )
    more = forms.CharField(
        label="Or by name, one on each line",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "font-mono", "spellcheck": "false"}),
        help_text="The ids under which the vendor serves them.",
    )

    def __init__(self, data: Any = None, *, found: list[str]) -> None:
        super().__init__(data)
        self.found = found
        names: Any = self.fields["names"]
        names.choices = [(name, name) for name in found]

    def typed(self) -> list[str]:
        """Return the names that were typed."""
        return list(dict.fromkeys(str(self.cleaned_data.get("more", "")).split()))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("names") and not str(cleaned.get("more", "")).split():
            raise forms.ValidationError("Choose at least one model, or type its name.")
        return cleaned


class FirstRouteForm(forms.Form):
    """A name that agents call, for one model of the vendor."""

    name = forms.CharField(
        label="Name agents call",
        max_length=100,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Name the task, not the model: classify-invoice outlives every model.",
    )
    model = forms.ChoiceField(label="Served by")

    def __init__(self, data: Any = None, *, models: list[Model], initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        choice: Any = self.fields["model"]
        choice.choices = [(model.name, model.name) for model in models]
