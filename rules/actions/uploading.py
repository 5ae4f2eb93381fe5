"""Taking a bundle in: linted, built, and its cases run in the engine that would judge by it.

What the lint refuses or the engine does not build is not kept, and the sentence says where.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from approvals.actions.texts import clean_text
from policy import bundle as packing
from policy.bundle import CASES_FILE, is_test_name
from policy.cases import read_cases, run_cases
from policy.engine import CALLS
from policy.errors import BundleUnusable
from policy.lint import lint
from registry.actors import Actor
from registry.models import Role
from rules.actions.adding import Sources, add_bundle
from rules.errors import BundleRefused
from rules.models import Bundle
from rules.uploads import check_names


def upload_bundle(
    files: Mapping[str, bytes], *, title: str, actor: Actor, note: str = ""
) -> Bundle:
    """Keep a bundle that somebody wrote; it judges nothing before it is activated.

    Records: policy.added. Raises: RoleMissing, BundleRefused, BundleKnown, TextUnusable.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    check_names(files)
    sources, checked = check_bundle(files)
    return add_bundle(
        sources,
        title=clean_text(title, "title") or "Untitled policy",
        note=clean_text(note, "note"),
        origin=Bundle.Origin.UPLOADED,
        checked=checked,
        actor=actor,
    )


def check_bundle(files: Mapping[str, bytes]) -> tuple[Sources, dict[str, object]]:
    """Lint, build and test some files. Raises: BundleRefused, with every problem and its line."""
    tests = {name: raw for name, raw in files.items() if is_test_name(name)}
    try:
        judging = packing.Bundle.of({name: raw for name, raw in files.items() if name not in tests})
        cases = read_cases(tests[CASES_FILE]) if CASES_FILE in tests else []
    except BundleUnusable as error:
        raise BundleRefused(error.detail) from None
    if problems := lint(judging, CALLS):
        raise BundleRefused(
            f"The rules are refused: {problems[0]}"
            + (f" (and {len(problems) - 1} more)." if len(problems) > 1 else "."),
            problems=[asdict(problem) for problem in problems[:100]],
        )
    try:
        tested = run_cases(judging, cases)
    except BundleUnusable as error:
        raise BundleRefused(error.detail) from None
    return Sources(judging, tests), asdict(tested)
