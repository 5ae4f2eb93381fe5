"""A check in Rego: a module of its own, judged like the policy and as pure as that.

The module is ``package unsprawl.check`` and says ``passed``; ``reason`` may say why not.
It sees what the policy sees of an action. It runs in a child process under a deadline,
behind the same lint, and whatever is not a clean yes is a no.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from policy.bundle import Bundle, digest_files, pack_files
from policy.chamber import BUILD_SECONDS
from policy.decision import CHECK
from policy.engine import Judge
from policy.errors import BundleUnusable
from policy.lint import lint

ENTRYPOINT: Final = "unsprawl/check/answer"
MOST_BYTES: Final = 32 * 1024
# Each is a process; a check that was put aside starts again when it is asked.
MOST_JUDGES: Final = 4
_ANSWER: Final = """package unsprawl.check

default answer := {
	"allow": false,
	"ask": false,
	"rule": "check.not_passed",
	"reason": "it says no",
	"constraints": {},
}

answer := {
	"allow": true,
	"ask": false,
	"rule": "check.passed",
	"reason": "it passes",
	"constraints": {},
} if {
	passed == true
}

answer := {
	"allow": false,
	"ask": false,
	"rule": "check.not_passed",
	"reason": reason,
	"constraints": {},
} if {
	not passed == true
	is_string(reason)
	count(reason) > 0
	count(reason) <= 300
}
"""


class _Judges:
    """The judges of this process, one for each module, the last used kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Judge] = OrderedDict()

    def of(self, bundle: Bundle) -> Judge:
        """Return the judge of a module, built when it is new. Raises: BundleUnusable."""
        with self._lock:
            if (judge := self._kept.get(bundle.digest)) is None:
                judge = self._kept[bundle.digest] = Judge(bundle, entrypoint=ENTRYPOINT)
            self._kept.move_to_end(bundle.digest)
            while len(self._kept) > MOST_JUDGES:
                self._kept.popitem(last=False)[1].close()
            return judge

    def forget(self) -> None:
        """Let go of what belongs to the process that this one was forked from."""
        self._lock = threading.Lock()
        while self._kept:
            self._kept.popitem()[1].abandon()

    def close(self) -> None:
        with self._lock:
            while self._kept:
                self._kept.popitem()[1].close()


_judges: Final = _Judges()
atexit.register(_judges.close)
os.register_at_fork(after_in_child=_judges.forget)


def fault_of(module: object) -> str:
    """Say what keeps a module from being judged by; empty when nothing does."""
    if not isinstance(module, str) or not module.strip():
        return "is a Rego module, as text"
    if len(module.encode()) > MOST_BYTES:
        return f"has more than {MOST_BYTES} bytes"
    problems = lint(_bundle(module), ENTRYPOINT)
    if problems:
        return f"is refused: {problems[0]}"
    if not module.lstrip().startswith("package unsprawl.check\n"):
        return "begins with `package unsprawl.check`"
    return ""


def judge(module: str, facts: Mapping[str, Any]) -> str:
    """Return why the action does not pass; empty when it does."""
    try:
        decision = _judges.of(_bundle(module)).decide({**facts, "question": CHECK})
    except BundleUnusable:
        return f"the module does not build within {BUILD_SECONDS:.0f} s"
    return "" if decision.allow else decision.reason


def close() -> None:
    """End the judges of this process; for tests and orderly ends."""
    _judges.close()


def _bundle(module: str) -> Bundle:
    files = {"answer.rego": _ANSWER, "check.rego": module}
    raw = {name: text.encode() for name, text in files.items()} | {"data.json": b"{}"}
    return Bundle(files, b"{}", digest_files(raw), pack_files(raw))
