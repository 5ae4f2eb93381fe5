"""An app's first tables, made in one step.

Django renders the models around each one that a migration makes, which for a hundred tables
takes longer than making them. Here a migration's models are rendered together, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.migrations.operations import CreateModel
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState


class CreateTables(Operation):
    """Make these models. For what is new: no row, no table and no state is there before."""

    serialization_expand_args = ["models"]  # noqa: RUF012  as Django declares it

    def __init__(self, models: Sequence[CreateModel]) -> None:
        self.models = list(models)

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        rendered = state.__dict__.pop("apps", None)
        for model in self.models:
            model.state_forwards(app_label, state)
        if rendered is not None:
            state.__dict__["apps"] = rendered
            made = [(app_label, model.name_lower) for model in self.models]
            state.reload_models(made, delay=True)

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        for model in self.models:
            model.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any
    ) -> None:
        for model in reversed(self.models):
            model.database_backwards(app_label, schema_editor, from_state, to_state)

    def describe(self) -> str:
        return f"Create {len(self.models)} models"
