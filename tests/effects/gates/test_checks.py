"""What an operation may demand of an action, and what is refused as no check at all."""

from __future__ import annotations

from typing import Any

import pytest

from effects.gates.checks import gates_for, read_checks
from effects.gates.errors import CheckInvalid, CheckUnknown
from effects.models import Connection, Operation

SMALL = {
    "name": "small",
    "kind": "json_schema",
    "schema": {"properties": {"amount": {"maximum": 500}}},
}
MODULE = {
    "name": "own-team",
    "kind": "rego",
    "module": "package unsprawl.check\n\npassed if input.agent.team == input.action.team\n",
}
KNOWN = {
    "name": "known",
    "kind": "reference",
    "operation": "erp.find-vendor",
    "arguments": {"id": "/vendor/id"},
}
OPINION = {
    "name": "second",
    "kind": "second_opinion",
    "agent": "second-opinion",
    "route": "sandbox",
    "criteria": ["The text threatens somebody."],
}


def operation_with(*checks: Any) -> Operation:
    return Operation(connection=Connection(name="erp"), name="pay", checks=list(checks))


def test_a_check_of_each_kind_is_read() -> None:
    checks = read_checks([SMALL, MODULE, KNOWN, OPINION])
    assert [check.is_fast for check in checks] == [True, True, False, False]


@pytest.mark.parametrize(
    ("wrong", "member"),
    [
        ("small", "checks"),
        ([7], "checks[0]"),
        ([SMALL] * 11, "checks"),
        ([SMALL, SMALL], "name"),
        ([SMALL | {"kind": "guess"}], "checks[0].kind"),
        ([SMALL | {"name": "Very Small"}], "checks[0].name"),
        ([SMALL | {"shcema": {}}], "checks[0].shcema"),
        ([SMALL | {"reason": 7}], "checks[0].reason"),
        ([SMALL | {"only_when_named": "yes"}], "checks[0].only_when_named"),
        ([SMALL | {"schema": {"type": "no such"}}], "checks[0].schema"),
        ([SMALL | {"schema": {"pattern": r"(a)\1"}}], "checks[0].schema"),
        ([MODULE | {"module": ""}], "checks[0].module"),
        ([MODULE | {"module": "package other\n\npassed if true\n"}], "checks[0].module"),
        (
            [MODULE | {"module": 'package unsprawl.check\n\npassed if http.send({"url": "x"})\n'}],
            "checks[0].module",
        ),
        ([MODULE | {"module": "package unsprawl.check\n\ndefault passed := true\n"}],
         "checks[0].module"),
        ([KNOWN | {"operation": "erp"}], "checks[0].operation"),
        ([KNOWN | {"expect": "maybe"}], "checks[0].expect"),
        ([KNOWN | {"arguments": {"id": "vendor"}}], "checks[0].arguments"),
        ([OPINION | {"criteria": []}], "checks[0].criteria"),
        ([OPINION | {"agent": ""}], "checks[0].agent"),
    ],
)  # fmt: skip
def test_what_could_not_judge_is_refused_by_its_member(wrong: object, member: str) -> None:
    with pytest.raises(CheckInvalid) as refused:
        read_checks(wrong)
    assert refused.value.facts["member"] == member


def test_the_policy_adds_the_checks_it_names() -> None:
    operation = operation_with(SMALL, OPINION | {"only_when_named": True})
    assert [one.name for one in gates_for(operation, {})] == ["small"]
    named = gates_for(operation, {"checks": ["second"]})
    assert [one.name for one in named] == ["small", "second"]


def test_a_check_that_the_operation_lacks_is_no_check_that_passes() -> None:
    with pytest.raises(CheckUnknown, match=r"erp\.pay"):
        gates_for(operation_with(SMALL), {"checks": ["second"]})
