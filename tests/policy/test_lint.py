from __future__ import annotations

import pytest

from policy.bundle import BASE, Bundle
from policy.engine import CALLS
from policy.lint import lint, lint_module


def test_the_shipped_bundle_has_no_problem() -> None:
    assert lint(Bundle.load(BASE), CALLS) == []


@pytest.mark.parametrize(
    "source",
    [
        "x := 1 if input.a",
        'x := "http.send(1) with input" # opa.runtime() with',
        "x := `with http.send(`",
        "own(a) := a + 1\n\nx := own(2)",
        "default x := false",
        "default route_constraints := {}\n\nx := true",
        'x := concat(", ", sort(input.l))',
        "x if {\n\tinput.a\n}",
        "x contains y if {\n\tsome y in input.l\n}",
        "x := (1 + 2) * count(input.l)",
        'x if input.a in ["a", "b"]\n\ny := 1 if not (input.b)',
    ],
)
def test_plain_rules_are_no_problem(source: str) -> None:
    assert lint_module("a.rego", source) == []


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("x := http.send({})", "http.send"),
        ("x := opa.runtime()", "opa.runtime"),
        ("x := time.now_ns()", "time.now_ns"),
        ("x := net.cidr_contains(input.a, input.b)", "net.cidr_contains"),
        ("x := rand.intn(input.a, 3)", "rand.intn"),
        ('x := sprintf("%s", [input.a])', "sprintf"),
        ("x := http.send ({})", "http.send"),
        ("x := count_(input.l)", "count_"),
        ("x := 1 if input.a with input as {}", "with"),
        ("x := 1 if input.a with data.settings as {}", "with"),
        ("import data.other", "import"),
        ("default allow := true", "default"),
        ("default allow = true", "default"),
        ('default answer := {"allow": true}', "default"),
        ('default answer := {\n\t"allow": true,\n}', "default"),
        ("default allow :=\ntrue", "default"),
        ("allow {\n\tinput.a\n}", "without `if`"),
        ('x := $"hello {input.a}"', "template"),
    ],
)
def test_what_a_bundle_may_not_contain_is_named_with_its_place(source: str, says: str) -> None:
    problems = lint_module("a.rego", f"package a\n\n{source}\n")
    assert problems, source
    assert says in problems[0].what
    assert problems[0].line in {3, 4}
    assert str(problems[0]).startswith("a.rego:3: ")


@pytest.mark.parametrize("source", ["package a\n\nx := 1", "package unsprawl.calls\n\nx := 1"])
def test_a_bundle_that_answers_nothing_is_refused(source: str) -> None:
    problems = lint(Bundle({"a.rego": source}, b"{}", ""), CALLS)
    assert [problem.what for problem in problems] == [f"no module defines {CALLS}"]
