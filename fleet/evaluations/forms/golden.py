"""The form of a golden case: what is asked, what must come of it, a note."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from django import forms

from effects.forms import JsonField
from fleet.evaluations.expecting.content import GoldenContent, checked
from fleet.evaluations.models import GoldenCase
from routing.queries.reevaluations import ASKABLE

Expects = GoldenCase.Expects
# What is written for each kind, in one field: a text, or JSON.
_TEXTS: Final = {Expects.EXACT: "text", Expects.MATCHES: "pattern", Expects.RUBRIC: "rubric"}
_EXAMPLE: Final = '{"messages": [{"role": "user", "content": "…"}]}'


class GoldenForm(forms.Form):
    """One case as people write it."""

    use_required_attribute = False

    name = forms.CharField(
        label="Name", max_length=63,
        help_text="Small letters, digits and hyphens. It is shown in the clear.",
    )  # fmt: skip
    operation = forms.ChoiceField(label="Kind of call", choices=[(one, one) for one in ASKABLE])
    request = JsonField(
        label="What is asked", rows=8, help_text=f"As the agent sends it, such as {_EXAMPLE}"
    )
    expects = forms.ChoiceField(label="What must come of it", choices=Expects.choices)
    expected = forms.CharField(
        label="Namely", max_length=60_000,
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false"}),
        help_text="The text, the pattern (RE2) or the rubric; the JSON Schema; a call of a tool as"
        ' {"name": …, "arguments": {…}}; texts that it contains, one a line.',
    )  # fmt: skip
    note = forms.CharField(
        label="Why this case", required=False, max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip

    def content(self) -> GoldenContent:
        """Return the case. Raises: GoldenInvalid."""
        given = self.cleaned_data
        return checked(
            operation=given["operation"],
            request=given["request"],
            expects=given["expects"],
            expected=expected_of(given["expects"], given["expected"]),
            note=given["note"],
        )


def expected_of(kind: str, text: str) -> object:
    """Read what was written for a kind; what cannot be read is refused by the check."""
    if kind in _TEXTS:
        return {_TEXTS[Expects(kind)]: text}
    if kind == Expects.CONTAINS:
        return {"texts": [line.strip() for line in text.splitlines() if line.strip()]}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return {"schema": found} if kind == Expects.JSON else found


def written(content: GoldenContent) -> dict[str, Any]:
    """Write a case as the form shows it."""
    return {
        "operation": content.operation,
        "request": json.dumps(dict(content.request), indent=2, ensure_ascii=False),
        "expects": content.expects,
        "expected": _said(content.expects, content.expected),
        "note": content.note,
    }


def _said(kind: str, expected: Mapping[str, Any]) -> str:
    if kind in _TEXTS:
        return str(expected[_TEXTS[Expects(kind)]])
    if kind == Expects.CONTAINS:
        return "\n".join(expected["texts"])
    shown = expected["schema"] if kind == Expects.JSON else dict(expected)
    return json.dumps(shown, indent=2, ensure_ascii=False)
