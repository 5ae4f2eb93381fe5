"""A field that takes several files at once."""

from __future__ import annotations

from typing import Any

from django import forms


class ManyFilesInput(forms.ClearableFileInput):
    """The browser's chooser, for more than one file."""

    allow_multiple_selected = True


class ManyFiles(forms.FileField):
    """At least one uploaded file; all of them are cleaned."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault(
            "widget", ManyFilesInput(attrs={"multiple": True, "accept": ".rego,.json,.zip"})
        )
        super().__init__(**kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        given = data if isinstance(data, list) else [data]
        cleaned = [super(ManyFiles, self).clean(each, initial) for each in given or [None]]
        return [each for each in cleaned if each is not None]
