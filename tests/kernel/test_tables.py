from __future__ import annotations

import pytest
from django.db import connection, models
from django.db.migrations.operations import CreateModel
from django.db.migrations.state import ProjectState

from kernel.tables import CreateTables


def _shelf_and_book() -> list[CreateModel]:
    shelf = CreateModel("Shelf", [("id", models.BigAutoField(primary_key=True))])
    book = CreateModel(
        "Book",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("shelf", models.ForeignKey("kept.shelf", models.PROTECT, related_name="books")),
        ],
    )
    return [shelf, book]


def test_the_state_is_that_of_the_same_models_one_by_one() -> None:
    at_once, one_by_one = ProjectState(), ProjectState()
    assert at_once.apps.get_models() == []  # rendered, as Django does before it migrates
    CreateTables(_shelf_and_book()).state_forwards("kept", at_once)
    for model in _shelf_and_book():
        model.state_forwards("kept", one_by_one)
    assert at_once == one_by_one
    assert at_once.apps.get_model("kept", "Shelf")._meta.get_field("books").is_relation


@pytest.mark.django_db
def test_tables_are_made_with_what_holds_between_them_and_go_again() -> None:
    before, after = ProjectState(), ProjectState()
    tables = CreateTables(_shelf_and_book())
    tables.state_forwards("kept", after)
    with connection.schema_editor(atomic=False) as editor:
        tables.database_forwards("kept", editor, before, after)
    with connection.cursor() as cursor:
        made = connection.introspection.table_names(cursor)
        assert {"kept_shelf", "kept_book"} <= set(made)
        relations = connection.introspection.get_relations(cursor, "kept_book")
        assert relations == {"shelf_id": ("id", "kept_shelf")}
    with connection.schema_editor(atomic=False) as editor:
        tables.database_backwards("kept", editor, after, before)
    with connection.cursor() as cursor:
        assert not {"kept_shelf", "kept_book"} & set(connection.introspection.table_names(cursor))
