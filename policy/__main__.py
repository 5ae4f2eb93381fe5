"""``python -m policy check DIR`` and ``python -m policy test DIR``: a bundle before it is used.

``check`` lints and builds, as a process that starts with the bundle would. ``test`` runs
the unit tests beside the rules in a second engine, which is installed for development only.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from policy.bundle import BASE, DATA_FILE, Bundle, is_test
from policy.engine import CALLS, Judge
from policy.errors import BundleUnusable
from policy.lint import lint


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when the bundle holds, 1 when it does not, 2 when it could not be tested."""
    parser = argparse.ArgumentParser(prog="python -m policy", description=__doc__)
    parser.add_argument("what", choices=["check", "test"])
    parser.add_argument("directory", type=Path, nargs="?", default=BASE)
    chosen = parser.parse_args(arguments)
    return {"check": check, "test": test}[chosen.what](chosen.directory)


def check(directory: Path) -> int:
    """Lint the bundle and build it in a child process."""
    try:
        bundle = Bundle.load(directory)
        problems = lint(bundle, CALLS)
        for problem in problems:
            _say(str(problem))
        if problems:
            return 1
        with Judge(directory) as judge:
            _say(f"{directory.name}: good, {judge.bundle_digest}")
    except BundleUnusable as error:
        _say(error.detail)
        return 1
    return 0


def test(directory: Path) -> int:
    """Run every rule named ``test_…`` of the bundle's unit tests."""
    try:
        from regorus import Engine
    except ImportError:
        _say("not tested: the second engine is not installed (requirements-dev.txt)")
        return 2
    engine = Engine()
    try:
        names = _add_files(engine, directory)
    except RuntimeError as error:
        _say(_first_lines(error))
        return 1
    failed = [name for name in names if not _holds(engine, name)]
    for name in failed:
        _say(f"failed: {name}")
    _say(f"{directory.name}: {len(names) - len(failed)} of {len(names)} unit tests hold")
    return 1 if failed or not names else 0


def _add_files(engine: Any, directory: Path) -> list[str]:
    names = []
    engine.add_data_json((directory / DATA_FILE).read_text(encoding="utf-8"))
    for path in sorted(directory.glob("*.rego")):
        package = engine.add_policy(path.name, path.read_text(encoding="utf-8"))
        if is_test(path):
            names += [f"{package}.{name}" for name in test_names(path)]
    return names


def _holds(engine: Any, name: str) -> bool:
    try:
        return engine.eval_rule(name) is True
    except RuntimeError as error:
        _say(_first_lines(error))
        return False


def _first_lines(error: RuntimeError) -> str:
    return str(error).partition("Stack backtrace")[0].strip()


def test_names(path: Path) -> list[str]:
    """Return the names of the test rules in a file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in lines if line.startswith("test_")]


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
