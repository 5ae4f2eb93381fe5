"""The forms of policies: files handed in, settings changed, facts tried."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from rules.forms.files import ManyFiles
from rules.uploads import read_zip

_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}
_REASON: Final = {"rows": 3}


class UploadForm(forms.Form):
    """The files of a bundle."""

    use_required_attribute = False

    title = forms.CharField(label="Title", max_length=200)
    note = forms.CharField(
        label="What changes", max_length=2000, required=False, widget=forms.Textarea(attrs=_REASON)
    )
    uploads = ManyFiles(
        label="Files",
        help_text="A zip, or the files themselves: rules (.rego), data.json, and cases.json with"
        " what they have to answer.",
    )

    def given(self) -> dict[str, bytes]:
        """Return the files by name, those of a zip unpacked. Raises: BundleRefused."""
        found: dict[str, bytes] = {}
        for upload in self.cleaned_data["uploads"]:
            raw = upload.read()
            found |= read_zip(raw) if upload.name.endswith(".zip") else {upload.name: raw}
        return found


class SettingsForm(forms.Form):
    """The settings that are changed most; everything else stays as it is."""

    use_required_attribute = False

    title = forms.CharField(label="Title of the new bundle", max_length=200)
    vendors_allowed = forms.CharField(
        label="Vendors allowed", required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Names, separated by commas; * is every connected vendor.",
    )  # fmt: skip
    vendors_refused = forms.CharField(
        label="Vendors refused", required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="These receive nothing, whatever routes say.",
    )  # fmt: skip
    ask_classes = forms.CharField(
        label="Data that needs a grant", required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Classes of data that leave only to a vendor that security granted.",
    )  # fmt: skip
    max_cost = forms.DecimalField(
        label="Most that one call may cost", required=False, min_value=0, decimal_places=6,
        help_text="In the currency of the model; empty is no limit.",
    )  # fmt: skip
    tools_refused = forms.CharField(
        label="Tools refused", required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Names, or beginnings that end in *, such as mcp__hr__*.",
    )  # fmt: skip
    rest = forms.CharField(
        label="Every setting", widget=forms.Textarea(attrs={"rows": 18, **_PLAIN, "class": "mono"}),
        help_text="data.json, with working hours, thresholds and approvers of actions. The fields"
        " above win over it.",
    )  # fmt: skip


class TryForm(forms.Form):
    """Facts, and the bundle that is asked about them."""

    use_required_attribute = False

    policy = forms.ChoiceField(label="Ask", required=False)
    facts = forms.CharField(
        label="Facts", widget=forms.Textarea(attrs={"rows": 16, **_PLAIN, "class": "mono"})
    )

    def __init__(self, data: Any = None, *, bundles: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["policy"].choices = [("", "What is in force"), *bundles]  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Why it is wanted."""

    use_required_attribute = False

    reason = forms.CharField(label="Why", max_length=2000, widget=forms.Textarea(attrs=_REASON))
