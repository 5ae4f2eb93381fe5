from __future__ import annotations

from typing import Any

import pytest

from effects.facts import Counts, gather_facts
from tests.effects.acts import make_connection, make_operation
from tests.factories import make_agent, make_manifest

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("tools", "declared"),
    [
        ([{"name": "erp.pay"}], None),
        ([{"name": "erp.pay", "approval": "required"}], {"approval": "required"}),
        ([{"name": "erp.*", "approval": "required"}], {"approval": "required"}),
        (
            [{"name": "erp.*", "approval": "required"}, {"name": "erp.pay", "approval": "policy"}],
            {"approval": "required"},
        ),
        (
            [
                {"name": "erp.pay", "maxAmount": 5, "currency": "EUR"},
                {"name": "*", "maxAmount": 9, "currency": "USD"},
            ],
            {"max_amount": 5, "currency": "EUR"},
        ),
        ([{"name": "crm.*", "approval": "required"}, {"mcp": "com.acme/erp"}], None),
    ],
)
def test_policy_is_told_what_the_manifest_says_of_a_tool_by_name_or_pattern(
    tools: list[dict[str, Any]], declared: dict[str, Any] | None
) -> None:
    agent = make_agent("payer", stage="live", manifest=make_manifest("payer", tools=tools))
    operation = make_operation(make_connection("erp"), name="pay")
    facts = gather_facts(agent, operation, {}, Counts(0, 0, 0))
    assert facts["agent"].get("declared") == declared
