"""The people of the stories about worth, and three agents of which two do one job."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from registry.models import Agent
    from tests.factories import Cast

GERMAN = "Ordnet Eingangsrechnungen einer Kostenstelle zu."


@pytest.fixture
def cast(db: None) -> Cast:
    from tests.factories import make_cast

    return make_cast()


@pytest.fixture
def alike(cast: Cast) -> list[Agent]:
    from tests.factories import make_agent

    return [
        make_agent(
            name, owner=owner, stage="live", title=title, description=text,
            tools=["erp-read"], backup_owner=cast.sue,
        )
        for name, owner, title, text in (
            ("bill-sorter", cast.alice, "Invoice sorter", "Sorts invoices by cost centre."),
            ("rechnungen", cast.bob, "Rechnungssortierer", GERMAN),
            ("shift-bot", cast.mallory, "Shift planner", "Plans shifts for the warehouse staff."),
        )
    ]  # fmt: skip
