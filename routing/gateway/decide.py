"""Asking policy, once for each question it has not answered yet.

Owns the cache: by bundle and canonical facts, so it dies with the bundle. A decision that
says only that the judge could not be asked is never kept, and neither is a question so long
that an agent could fill the memory with them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import orjson

from kernel.canonical import canonical, digest_bytes
from policy.decision import Decision
from routing.gateway.ports import Judge

KEPT: Final = 20_000
LONGEST_KEPT: Final = 4096  # bytes of a question
LONG_KEPT: Final = 100

_Question = tuple[str, bytes]


class Decider:
    """Decides without holding up the event loop."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._known: OrderedDict[_Question, Decision] = OrderedDict()
        self._asked: dict[_Question, asyncio.Future[Decision]] = {}
        self._written: OrderedDict[str, bytes] = OrderedDict()
        self._long: OrderedDict[str, bytes] = OrderedDict()  # few: agents could fill the memory
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="judge")

    async def decide(self, facts: dict[str, object]) -> Decision:
        """Return policy's decision on these facts."""
        written = orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)
        question = (self._judge.bundle_digest, written)
        if (known := self._known.get(question)) is not None:
            return known
        # Calls that ask the same at the same time wait for one answer.
        if (asked := self._asked.get(question)) is not None:
            return await asyncio.shield(asked)
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, self._judge.decide, facts)
        self._asked[question] = asked
        asked.add_done_callback(lambda done: self._keep(question, done))
        return await asyncio.shield(asked)

    def _keep(self, question: _Question, done: asyncio.Future[Decision]) -> None:
        self._asked.pop(question, None)
        if done.cancelled() or done.exception() is not None:
            return
        decision = done.result()
        if decision.is_lasting:
            self._keep_question(question[1], decision.input_digest)
        if len(question[1]) > LONGEST_KEPT:
            return
        if decision.is_lasting and decision.bundle_digest == question[0]:
            self._known[question] = decision
            if len(self._known) > KEPT:
                self._known.popitem(last=False)

    def _keep_question(self, written: bytes, digest: str) -> None:
        """Know what was asked by its digest, for whoever puts the decision on record."""
        body = written if digest_bytes(written) == digest else canonical(orjson.loads(written))
        is_long = len(body) > LONGEST_KEPT
        kept = self._long if is_long else self._written
        kept[digest] = body
        if len(kept) > (LONG_KEPT if is_long else KEPT):
            kept.popitem(last=False)

    def question(self, digest: str) -> bytes | None:
        """Return the facts of a digest that was asked about lately, in canonical form."""
        return self._written.get(digest) or self._long.get(digest)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
