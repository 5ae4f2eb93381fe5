"""Registering by answering questions: the guided form, and the manifest it writes.

What is valid the manifest's own reader decides; this form only knows which question a
problem belongs to, so that it shows beside the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.text import slugify

from registry.manifest.sensitivity import RISK_TIERS
from registry.models import Person, Team

EFFECTS: Final = ("none", "read", "write", "send", "delete", "money")
KINDS: Final = ("deterministic", "model")
# Which question a key of the manifest is the answer to.
_QUESTIONS: Final = {
    "metadata.name": "name",
    "metadata.title": "title",
    "metadata.description": "description",
    "metadata.tags": "tags",
    "spec.purpose": "purpose",
    "spec.owner": "owner",
    "spec.backupOwner": "backup_owner",
    "spec.team": "team",
    "spec.dataClasses": "data_classes",
    "spec.models": "routes",
    "spec.tools": "tools",
    "spec.steps": "steps",
    "spec.onCall": "on_call",
    "spec.costCenter": "cost_center",
    "spec.riskTier": "risk_tier",
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What there is to choose from, for this viewer."""

    data_classes: Sequence[str]
    routes: Sequence[str]
    teams: Iterable[Team]
    owner: Person
    may_name_owner: bool = False


class LinesField(forms.CharField):
    """``name: word`` on lines of their own, read into pairs."""

    def __init__(self, *, words: tuple[str, ...], usual: str, **kwargs: Any) -> None:
        super().__init__(required=False, widget=forms.Textarea(attrs={"rows": 3}), **kwargs)
        self.words, self.usual = words, usual

    def clean(self, value: Any) -> list[tuple[str, str]]:
        pairs = []
        for number, line in enumerate(str(super().clean(value)).splitlines(), start=1):
            if not line.strip():
                continue
            name, _, word = line.rpartition(":") if ":" in line else (line, "", self.usual)
            name, word = name.strip(), word.strip().lower()
            if word not in self.words:
                raise forms.ValidationError(
                    f"Line {number}: after the colon comes one of {', '.join(self.words)}."
                )
            pairs.append((name, word))
        return pairs


class RegistrationForm(forms.Form):
    """The questions, in the order in which people know the answers."""

    title = forms.CharField(
        label="What is it called?",
        max_length=120,
        widget=forms.TextInput(
            attrs={"placeholder": "Invoice sorter", "autocomplete": "off", "autofocus": True}
        ),
    )
    name = forms.SlugField(
        label="Short name",
        max_length=63,
        required=False,
        widget=forms.TextInput(
            attrs={"placeholder": "made from the title", "autocomplete": "off", "class": "mono"}
        ),
        help_text="Lower-case letters, digits and hyphens. It never changes.",
    )
    description = forms.CharField(
        label="What does it do?",
        max_length=4000,
        widget=forms.Textarea(
            attrs={
                "rows": 2,
                "placeholder": "Reads incoming invoices and sorts them by cost centre.",
            }
        ),
    )
    purpose = forms.CharField(
        label="What is it for, and who profits?",
        max_length=4000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    owner = forms.EmailField(
        label="Owner",
        max_length=254,
        help_text="Who answers for it.",
        widget=forms.EmailInput(attrs={"list": "people-options", "autocomplete": "off"}),
    )
    backup_owner = forms.EmailField(
        label="Backup owner",
        max_length=254,
        help_text="A colleague who takes over when you cannot.",
        widget=forms.EmailInput(
            attrs={
                "list": "people-options",
                "autocomplete": "off",
                "placeholder": "Type a name or an address",
            }
        ),
    )
    team = forms.ChoiceField(label="Team", required=False)
    data_classes = forms.MultipleChoiceField(
        label="Which data does it see?", widget=forms.CheckboxSelectMultiple
    )
    routes = forms.MultipleChoiceField(
        label="Which routes does it call?", widget=forms.CheckboxSelectMultiple
    )
    tools = LinesField(
        label="Tools",
        words=EFFECTS,
        usual="read",
        help_text="One a line: its name and the strongest thing it does: " + ", ".join(EFFECTS),
    )
    steps = LinesField(
        label="Steps",
        words=KINDS,
        usual="model",
        help_text="One a line, in order: its name, then deterministic or model",
    )
    on_call = forms.CharField(label="On call", max_length=200, required=False)
    cost_center = forms.CharField(label="Cost centre", max_length=64, required=False)
    tags = forms.CharField(
        label="Tags", max_length=400, required=False, help_text="Separated by commas"
    )
    risk_tier = forms.ChoiceField(
        label="Risk",
        required=False,
        choices=[
            ("", "Derived from data and tools"),
            *((tier, f"{tier.capitalize()} or more") for tier in RISK_TIERS[1:]),
        ],
    )

    def __init__(self, *args: Any, offer: Offer, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer = offer
        fields: dict[str, Any] = self.fields
        fields["data_classes"].choices = [(name, name) for name in offer.data_classes]
        fields["routes"].choices = [(name, name) for name in offer.routes]
        fields["team"].choices = [
            ("", "The owner's team"),
            *((team.slug, team.name) for team in offer.teams),
        ]
        fields["tools"].widget.attrs["placeholder"] = "mailbox: read\nerp: write"
        fields["steps"].widget.attrs["placeholder"] = "fetch-mail: deterministic\nclassify: model"
        fields["on_call"].widget.attrs["placeholder"] = "#finance-agents or a pager's address"
        if not offer.may_name_owner:
            del fields["owner"]

    def clean_tags(self) -> list[str]:
        written = str(self.cleaned_data["tags"]).split(",")
        return list(dict.fromkeys(slugify(tag) for tag in written if tag.strip()))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        title = cleaned.get("title", "")
        if title and not cleaned.get("name") and not suggested_name(title):
            # A title in another script is a good title and makes no short name.
            self.add_error("name", "Give it a short name: none can be made of this title.")
        return cleaned

    def document(self) -> dict[str, Any]:
        """Write the manifest of the answers so far; what is missing is left out."""
        said: Mapping[str, Any] = self.cleaned_data
        owner = said.get("owner") or self.offer.owner.email
        metadata = {
            "name": said.get("name") or suggested_name(said.get("title", "")),
            "title": said.get("title"),
            "description": said.get("description"),
            "tags": said.get("tags"),
        }
        spec = {
            "version": "1.0.0",
            "owner": f"user:{owner}",
            "backupOwner": f"user:{said['backup_owner']}" if said.get("backup_owner") else "",
            "team": said.get("team"),
            "onCall": said.get("on_call"),
            "purpose": said.get("purpose"),
            "costCenter": said.get("cost_center"),
            "dataClasses": said.get("data_classes"),
            "riskTier": said.get("risk_tier"),
            "models": _models(said.get("routes") or []),
            "tools": [{"name": name, "effect": word} for name, word in said.get("tools") or []],
            "steps": [{"name": name, "kind": word} for name, word in said.get("steps") or []],
        }
        return {
            "apiVersion": "unsprawl.dev/v1",
            "kind": "Agent",
            "metadata": _answered(metadata),
            "spec": _answered(spec),
        }

    def take_problems(self, problems: Iterable[Mapping[str, Any]]) -> None:
        """Show what the manifest's reader found beside the answers it is about."""
        for problem in problems:
            key = str(problem.get("key") or "")
            field = next(
                (question for place, question in _QUESTIONS.items() if key.startswith(place)), None
            )
            message = str(problem.get("message") or "")
            if field is None or field not in self.fields:
                self.add_error(None, f"{key}: {message}" if key else message)
            else:
                self.add_error(field, message[:1].upper() + message[1:])


class ManifestForm(forms.Form):
    """A manifest as text, pasted or uploaded; the file wins."""

    text = forms.CharField(
        label="agent.yaml",
        required=False,
        strip=False,
        max_length=256 * 1024,
        widget=forms.Textarea(
            attrs={"data-code": True, "spellcheck": "false", "autocomplete": "off", "rows": 22}
        ),
        help_text="YAML or JSON.",
    )
    file = forms.FileField(
        label="or upload the file",
        required=False,
        max_length=200,
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".yaml,.yml,.json"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("file") and not (cleaned.get("text") or "").strip():
            raise forms.ValidationError("Paste a manifest or choose a file.")
        return cleaned


def suggested_name(title: str) -> str:
    """Make a short name of a title."""
    return slugify(title)[:63].strip("-")


def _models(routes: Sequence[str]) -> list[dict[str, str]]:
    first = [{"alias": "default", "route": route} for route in routes[:1]]
    others = []
    for route in routes[1:]:
        alias = slugify(route.replace("/", "-").replace(":", "-").replace(".", "-"))[:64].strip("-")
        others.append({"alias": alias or "other", "route": route})
    return first + others


def _answered(said: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in said.items() if value}
