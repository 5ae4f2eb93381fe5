"""Every refusal has one code, says whose it is, and is explained in docs/errors.md."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from collections.abc import Iterator

from config.places import BASE_DIR
from kernel.errors import DomainError

PACKAGES = (
    "config", "fleet", "outlets", "effects", "routing", "rules", "approvals", "registry",
    "credentials", "ledger", "policy", "kernel",
)  # fmt: skip
CODE = re.compile(r"[a-z]+\.[a-z][a-z0-9_]*")


def modules_with_codes() -> Iterator[str]:
    for package in PACKAGES:
        for file in sorted((BASE_DIR / package).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            if any(isinstance(node, ast.ClassDef) and has_code(node) for node in tree.body):
                yield ".".join(file.relative_to(BASE_DIR).with_suffix("").parts)


def has_code(node: ast.ClassDef) -> bool:
    return any(
        isinstance(line, ast.Assign)
        and isinstance(line.targets[0], ast.Name)
        and line.targets[0].id == "code"
        and isinstance(line.value, ast.Constant)
        for line in node.body
    )


def refusals() -> list[type[DomainError]]:
    for module in modules_with_codes():
        importlib.import_module(module)
    found, waiting = [], [DomainError]
    while waiting:
        one = waiting.pop()
        waiting += one.__subclasses__()
        if "code" in vars(one) and one.__module__.split(".")[0] in PACKAGES:
            found.append(one)
    return sorted(found, key=lambda one: one.code)


def documented() -> dict[str, int]:
    text = (BASE_DIR / "docs/errors.md").read_text(encoding="utf-8")
    rows = re.findall(r"^### ([a-z_.0-9]+)\n+\*\*(\d{3})\*\*", text, re.MULTILINE)
    return {code: int(status) for code, status in rows}


def test_every_code_names_its_package() -> None:
    strange = [
        f"{one.__module__}.{one.__name__}: {one.code}"
        for one in refusals()
        if not CODE.fullmatch(one.code) or one.code.split(".")[0] != one.__module__.split(".")[0]
    ]
    assert strange == []


def test_no_two_refusals_share_a_code() -> None:
    counted = Counter(one.code for one in refusals())
    assert [code for code, times in counted.items() if times > 1] == []


def test_every_refusal_has_a_title_and_a_status_of_its_family() -> None:
    for one in refusals():
        assert one.title, one
        assert 400 <= one.status <= 599, one


def test_every_code_is_explained_with_its_status() -> None:
    """A heading for each code, with the status below it: add what is missing to docs/errors.md."""
    explained = documented()
    expected = {one.code: one.status for one in refusals()}
    missing = [f"### {code}\n\n**{expected[code]}**" for code in expected.keys() - explained.keys()]
    assert sorted(missing) == []
    assert {code: explained[code] for code in expected} == expected


def test_nothing_is_explained_that_does_not_exist() -> None:
    assert sorted(documented().keys() - {one.code for one in refusals()}) == []


def test_the_codes_of_one_page_are_in_order() -> None:
    text = (BASE_DIR / "docs/errors.md").read_text(encoding="utf-8")
    for part in text.split("\n## ")[1:]:
        codes = re.findall(r"^### ([a-z_.0-9]+)$", part, re.MULTILINE)
        assert codes == sorted(codes)


def test_every_rule_of_the_shipped_policy_is_explained() -> None:
    text = (BASE_DIR / "docs/errors.md").read_text(encoding="utf-8")
    rego = (BASE_DIR / "policy/bundles/base/calls.rego").read_text(encoding="utf-8")
    python = (BASE_DIR / "policy/decision.py").read_text(encoding="utf-8")
    rules = {
        *re.findall(r'"rule": "([a-z_.]+)"', rego),
        *re.findall(r'"(policy\.[a-z_]+)"', python),
    }
    assert len(rules) > 10
    assert sorted(rules - set(re.findall(r"^\| `([a-z_.]+)` \|", text, re.MULTILINE))) == []
