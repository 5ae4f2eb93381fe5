"""A whole run replayed: every attempt and every refusal, in order, touching nothing outside.

Owns which bundle judges what: the one that the record names, from its own bytes. No Django,
no database: what is replayed was read before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import orjson

from policy.bundle import Bundle
from policy.decision import UNAVAILABLE, UNCLEAN
from policy.engine import Judge
from policy.errors import BundleUnusable
from routing.gateway.decide import Decider
from routing.gateway.recording.setups import Setup, read_setup
from routing.gateway.replaying.attempt import Bench, Missing, decided_alike, replay_attempt
from routing.gateway.replaying.guard import no_network
from routing.gateway.replaying.recorded import RecordedEntry, RecordedRun
from routing.gateway.replaying.report import CallReplay, Report, Step, compared

_DEADLINE_SECONDS: Final = 5.0  # nobody waits for a replay as a call does


class Replayer:
    """Replays runs. Close it: it holds the judges of the bundles it met."""

    def __init__(self, code: str) -> None:
        self._code = code
        self._judges: dict[str, Judge] = {}
        self._deciders: dict[str, Decider] = {}
        self._setups: dict[str, Setup] = {}
        self._runner = asyncio.Runner(loop_factory=asyncio.SelectorEventLoop)

    def __enter__(self) -> Replayer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._runner.close()
        for decider in self._deciders.values():
            decider.close()
        for judge in self._judges.values():
            judge.close()

    def replay(self, run: RecordedRun) -> Report:
        """Carry a run out once more, and compare every step with its record."""
        with no_network() as tries:
            calls = self._runner.run(self._calls(run))
            skipped = len(run.entries) - len(calls) - len(run.results)
            return Report(run.run_id, self._code, tuple(calls), skipped, tries.count)

    async def _calls(self, run: RecordedRun) -> list[CallReplay]:
        results, made = run.results, []
        for entry in run.calls():
            code, steps = "", []
            try:
                if entry.kind == "intent":
                    bench = self._bench(entry, run)
                    code = bench.setup.code
                    steps = await replay_attempt(entry, results.get(entry.entry_id), bench)
                else:
                    steps = [await self._refusal(entry, run)]
            except Missing as missing:
                steps = [missing.step]
            made.append(CallReplay(entry.entry_id, entry.verb, code, tuple(steps)))
        return made

    def _bench(self, intent: RecordedEntry, run: RecordedRun) -> Bench:
        digest = intent.text("setup")
        setup = self._setups.get(digest)
        if setup is None:
            body = run.artifacts.get(digest)
            if body is None:
                raise Missing("setup", "the configuration it was made under is not on record")
            try:
                setup = self._setups[digest] = read_setup(body)
            except (ValueError, KeyError, TypeError) as error:
                raise Missing("setup", f"its configuration cannot be read: {error}") from None
        return Bench(setup, self._decider(intent, run), run.artifacts)

    def _decider(self, entry: RecordedEntry, run: RecordedRun) -> Decider:
        digest = entry.text("bundle")
        if (known := self._deciders.get(digest)) is not None:
            return known
        body = run.artifacts.get(digest)
        if body is None:
            where = "by a server elsewhere" if digest.startswith("opa:") else "by a bundle"
            raise Missing("decision", f"it was decided {where} whose bytes are not on record")
        try:
            judge = Judge(Bundle.unpack(body), deadline_seconds=_DEADLINE_SECONDS)
        except BundleUnusable as error:
            raise Missing("decision", f"its bundle cannot be used by this code: {error}") from None
        self._judges[digest] = judge
        made = self._deciders[digest] = Decider(judge)
        return made

    async def _refusal(self, entry: RecordedEntry, run: RecordedRun) -> Step:
        if entry.verb == "call.over_budget":
            return _budget(entry)
        if not entry.text("input"):
            why = f"the call was refused as {entry.text('error')}, and nothing of it is kept"
            raise Missing("screening", why)
        if entry.text("rule") in {UNAVAILABLE, UNCLEAN}:
            raise Missing("decision", "policy gave no clean answer then")
        body = run.artifacts.get(entry.text("input"))
        if body is None:
            raise Missing("decision", "what policy was asked is not on record")
        decision = await self._decider(entry, run).decide(orjson.loads(body))
        return decided_alike(entry, decision, entry.text("answer"))


def _budget(entry: RecordedEntry) -> Step:
    """Judge again what a budget had no room for, by the figures on record."""
    spent, held, asked, cap = (
        value if isinstance(value := entry.facts.get(name), int) else None
        for name in ("spent", "held", "asked", "cap")
    )
    if asked is None:
        return Step("budget")  # without a price nothing fits
    fits = (spent or 0) + (held or 0) + asked <= (cap or 0)
    return compared("budget", "room in the budget", "none", "some" if fits else "none")


def replay_all(runs: Iterable[RecordedRun], code: str) -> list[Report]:
    """Replay runs one after the other."""
    with Replayer(code) as replayer:
        return [replayer.replay(run) for run in runs]
