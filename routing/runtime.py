"""The gateway's process: its ports filled with the real things, started and stopped in order.

Owns what is bound to what. No Django: the database is reached with psycopg, the secrets
through the broker, the policy through its judge, and each can be lost and found again
while the process lives.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog

from credentials.broker import SecretOpener
from kernel.keys import PepperRing
from kernel.sealing import RingFile
from ledger.awaiting import AwaitedReceipts
from ledger.datakeys import DataKeySource
from ledger.holds import Book
from ledger.journal import Journal
from ledger.subjects import SubjectTags
from policy.engine import Judge
from policy.remote import RemoteJudge
from policy.standing import StandingJudge
from routing.announcing import Announcing
from routing.code import code_version
from routing.door import Door
from routing.freshness import FreshSnapshots
from routing.gateway.access_log import AccessLog
from routing.gateway.app import Gateway, Parts
from routing.gateway.breaker import STATES, Breakers, Name, State
from routing.gateway.choice import Speeds
from routing.gateway.containment import Containment
from routing.gateway.decide import Decider
from routing.gateway.lend import Lender
from routing.gateway.metrics import Figure, Metrics
from routing.gateway.open_calls import SWEEP_SECONDS, OpenCalls, Patience
from routing.gateway.passages import passage_to
from routing.gateway.pipeline import Pipeline
from routing.gateway.probe import VendorProbe
from routing.gateway.protection import read_protection
from routing.gateway.recording.attempt import Attempt, Outcome
from routing.gateway.recording.recorder import Recorder
from routing.gateway.recording.setups import Setups
from routing.gateway.relay import Relays
from routing.gateway.reporting.desk import Desk
from routing.gateway.reporting.doors import Reporting
from routing.gateway.reporting.pace import A_MINUTE, Pace
from routing.gateway.screening import DataScreen
from routing.gateway.shadow import ShadowRunner
from routing.gateway.shifting import breakers_of
from routing.gateway.snapshot import Snapshot
from routing.gateway.tools.judging import ToolScreen
from routing.gateway.tools.stage import tool_stage
from routing.gateway.tracing import Tracer
from routing.gateway.trial import Trials
from routing.gateway.upstream import HttpUpstream
from routing.internal import InternalKeys
from routing.otlp import OtlpExporter, OtlpSettings
from routing.policy_in_force import PolicyInForce
from routing.reported import ReportedSteps
from routing.stored import RunBeginnings, StoredResponseIndex

logger = structlog.get_logger("unsprawl.gateway")

PAYLOAD_RING: Final = "payload"
VENDOR_RING: Final = "vendor"
BUDGETS: Final = Book(windows="routing_budgetwindow", limits="routing_budget")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a gateway process is told. Its repr shows no address."""

    database_url: str = field(repr=False)
    keys_dir: Path
    bundle_dir: Path | None = None  # an operator's own; without one the activation in force
    opa_url: str = ""
    portal_url: str = ""
    patience: Patience = field(default_factory=Patience)
    logs_requests: bool = True
    otlp: OtlpSettings | None = None
    traces_kept: float = 1.0
    protection: Path | None = None  # the file of an installation's own patterns and defaults
    reports_a_minute: int = A_MINUTE
    door_bind: str = "127.0.0.1"
    door_port: int = 0
    door_host: str = ""  # under which other processes reach it; empty: as it is bound

    @property
    def follows_activations(self) -> bool:
        return not self.opa_url and self.bundle_dir is None

    def fixed_judge(self) -> Judge | RemoteJudge:
        """Build the operator's own bundle, unless their server decides. Raises: BundleUnusable."""
        if self.opa_url or self.bundle_dir is None:
            return RemoteJudge(self.opa_url)
        return Judge(self.bundle_dir)


class PepperFile:
    """The peppers as their file says, read again when a snapshot brings keys of another one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ring = PepperRing.load(path)

    def current(self) -> PepperRing:
        return self._ring

    def keep_up(self, snapshot: Snapshot) -> None:
        named = {key.pepper_id for key in snapshot.keys.values()}
        if named - self._ring.peppers.keys():
            with contextlib.suppress(OSError, ValueError, KeyError):
                self._ring = PepperRing.load(self._path)


class GatewayProcess:
    """Everything that lives as long as the process does."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._exporter = None if settings.otlp is None else OtlpExporter(settings.otlp)
        self.tracer = Tracer(self._exporter, settings.traces_kept)
        self._peppers = PepperFile(settings.keys_dir / "pepper.json")
        self._lender = Lender(SecretOpener(settings.keys_dir, VENDOR_RING))
        self._open_calls = OpenCalls(settings.patience)
        self._breakers = Breakers(on_change=_tell_of_breaker)
        self._name = process_name()
        self._journal = Journal(
            settings.database_url,
            process=self._name,
            book=BUDGETS,
            before_epoch=self._know_again,
        )
        self._keys = DataKeySource(RingFile(settings.keys_dir, PAYLOAD_RING).current)
        self._snapshots = FreshSnapshots(
            settings.database_url, on_change=self._take, on_shred=self._forget_keys
        )
        self._protection = read_protection(settings.protection)
        self._recorder = Recorder(
            self._journal,
            self._keys,
            on_outcome=self._note_outcome,
            setups=Setups(code_version(), self._protection.said),
        )
        self._speeds = Speeds()
        self._shadows = ShadowRunner(told=metrics.note_shadow)
        self._stored = StoredResponseIndex(settings.database_url)
        self._begun = RunBeginnings(settings.database_url)
        self._receipts = AwaitedReceipts(settings.database_url)
        self._reported = ReportedSteps(settings.database_url)
        self._judge: Judge | RemoteJudge | StandingJudge | None = None
        self._policy = PolicyInForce(settings.database_url)
        self._decider: Decider | None = None
        self._upstream: HttpUpstream | None = None
        self._parts: Parts | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._announcing = Announcing(settings.database_url, self._name)
        self._door: Door | None = None
        self._show(metrics)

    def _show(self, metrics: Metrics) -> None:
        if self._exporter is not None:
            metrics.watch_each(
                "spans",
                "Spans of traces by what became of them",
                ["outcome"],
                self._exporter.figures,
            )
        metrics.watch("open_calls", "Calls in flight", lambda: len(self._open_calls))
        metrics.watch("open_shadows", "Shadows in flight", lambda: len(self._shadows))
        metrics.watch("journal_waiting", "Entries not durable yet", lambda: self._journal.depth)
        metrics.watch("journal_batches", "Commits of the ledger", lambda: self._journal.batches)
        metrics.watch(
            "journal_seconds", "Time that commits have taken", lambda: self._journal.seconds
        )
        metrics.watch("journal_entries", "Entries recorded", lambda: self._journal.entries)
        metrics.watch(
            "journal_slow_batches",
            "Commits judged entry by entry, because a budget had no room for all",
            lambda: self._journal.slow_batches,
        )
        metrics.watch(
            "snapshot_age_seconds",
            "Time since the rules were known to be fresh",
            lambda: self._snapshots.age_seconds,
        )
        metrics.watch(
            "policy_fault",
            "Whether the policy in force does not judge here",
            lambda: int(bool(self._policy.fault)),
        )
        metrics.watch_each(
            "breaker_state",
            "Targets that have failed: 0 closed, 1 half open, 2 open",
            ["vendor", "model", "region"],
            self._breaker_figures,
        )

    async def start(self) -> None:
        """Bring everything up, side by side. Raises what keeps a part from starting."""
        self._upstream = upstream = HttpUpstream()
        if self._exporter is not None:
            await self._exporter.open()
        judge, _ = await asyncio.gather(self._seat_judge(), self._journal.open())
        self._judge, self._decider = judge, Decider(judge)
        self._recorder.artifacts.learn("input", self._decider.question)
        self._recorder.artifacts.learn("bundle", judge.packed_bundle)
        screen = DataScreen(self._protection)
        pipeline = Pipeline(
            snapshots=self._snapshots,
            peppers=self._peppers.current,
            decider=self._decider,
            lender=self._lender,
            recorder=self._recorder,
            upstream=upstream,
            open_calls=self._open_calls,
            breakers=self._breakers,
            speeds=self._speeds,
            shadows=self._shadows,
            stored=self._stored,
            begun=self._begun,
            receipts=self._receipts,
            tag_of=SubjectTags(self._settings.keys_dir).tag,
            portal=self._settings.portal_url,
            relays=Relays(
                screens=(ToolScreen(self._decider), screen),
                passage=passage_to,
                makers=(tool_stage, screen.stage),
            ),
        )
        probe = VendorProbe(
            snapshots=self._snapshots,
            internal_keys=InternalKeys.load(self._settings.keys_dir),
            lender=self._lender,
            recorder=self._recorder,
            upstream=upstream,
            open_calls=self._open_calls,
        )
        await self._open_door(probe.internal_keys)
        desk = Desk(
            self._recorder,
            self._reported,
            Pace(self._settings.reports_a_minute),
            self._metrics.note_report,
        )
        trials = Trials(pipeline, probe.internal_keys, Breakers(), Speeds())
        reporting = Reporting(pipeline, desk, screen.protection)
        self._parts = Parts(pipeline, probe, reporting, trials)
        self._sweeper = asyncio.create_task(self._keep_sweeping(), name="sweeper")
        gc.collect()
        gc.freeze()
        logger.info("gateway.ready", bundle=judge.bundle_digest)

    async def stop(self) -> None:
        """Take everything down; what was carried out is on record before this returns."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        await self._shadows.close()
        await self._recorder.pay_debts()
        await self._journal.close()
        await self._announcing.close()
        if self._door is not None:
            await self._door.close()
        await self._snapshots.close()
        await self._stored.close()
        await self._begun.close()
        await self._receipts.close()
        await self._reported.close()
        if self._upstream is not None:
            await self._upstream.close()
        if self._exporter is not None:
            await self._exporter.close()
        if self._decider is not None:
            self._decider.close()
        await self._policy.close()
        if self._judge is not None:
            await asyncio.to_thread(self._judge.close)

    def what_is_missing(self) -> list[str]:
        missing = []
        if self._snapshots.age_seconds > 1.0:
            missing.append("a fresh snapshot of the database")
        if not self._journal.is_up:
            missing.append(self._journal.why_down)
        if self._parts is None or (
            self._settings.follows_activations and not self._policy.judge.bundle_digest
        ):
            missing.append("the policy")
        return missing

    def parts(self) -> Parts:
        assert self._parts is not None  # noqa: S101  no request comes before the start
        return self._parts

    async def _seat_judge(self) -> Judge | RemoteJudge | StandingJudge:
        """Return who judges, once the rules are known. Raises: BundleUnusable."""
        if not self._settings.follows_activations:
            judge, _ = await asyncio.gather(
                asyncio.to_thread(self._settings.fixed_judge), self._snapshots.open()
            )
            return judge
        await self._snapshots.open()
        await self._policy.open()
        return self._policy.judge

    async def _open_door(self, keys: InternalKeys) -> None:
        """Listen for questions of the installation, and say where, before anything is served."""
        told = self._settings
        answers = Containment(
            gateway=self._name,
            writer=lambda: self._journal.writer,
            snapshots=self._snapshots,
            age_seconds=lambda: self._snapshots.age_seconds,
            open_calls=self._open_calls,
        )
        self._door = Door(keys, answers.answer)
        port = await self._door.open(told.door_bind, told.door_port)
        everywhere = told.door_bind in {"0.0.0.0", "::"}  # noqa: S104  an address to compare with
        host = told.door_host or (socket.gethostname() if everywhere else told.door_bind)
        await self._announcing.open(f"{host}:{port}")

    def _note_outcome(self, attempt: Attempt, outcome: Outcome) -> None:
        self._metrics.note_outcome(attempt.target, outcome)
        if attempt.subject.span is not None:
            self.tracer.note_attempt(attempt, outcome)

    def _forget_keys(self, scope: str) -> None:
        if scope == "*":
            self._keys.forget_all()
        else:
            self._keys.forget(scope)

    async def _know_again(self) -> None:
        # A writer that was closed by somebody else was closed for a reason: what was decided
        # before may not be recorded by its successor.
        await self._snapshots.known_since(time.monotonic())

    def _take(self, snapshot: Snapshot) -> None:
        self._peppers.keep_up(snapshot)
        self._policy.want(snapshot.bundle)
        self._lender.keep_only(snapshot)
        self._open_calls.review(snapshot)
        names = {
            target.breaker
            for route in snapshot.routes.values()
            for target in (*route.targets, route.shadow)
            if target is not None
        } | breakers_of(snapshot)
        self._breakers.keep_only(names)
        self._speeds.keep_only(names)

    def _breaker_figures(self) -> Iterator[Figure]:
        for name, state in self._breakers.states(time.monotonic()):
            yield (name.vendor, name.model, name.region), STATES.index(state)

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._open_calls.sweep(self._snapshots.age_seconds)
            if self._journal.is_up:
                await self._recorder.pay_debts()


def _tell_of_breaker(name: Name, state: State) -> None:
    tell = logger.info if state == "closed" else logger.warning
    tell(f"breaker.{state}", vendor=name.vendor, model=name.model, region=name.region)


def process_name() -> str:
    """Name this process in the ledger: unlike any other, also after a restart."""
    return f"gateway:{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def create_app(settings: Settings) -> Gateway:
    """Return the ASGI application of one gateway process."""
    metrics = Metrics()
    process = GatewayProcess(settings, metrics)
    log = AccessLog(sys.stderr.buffer if settings.logs_requests else None)
    return Gateway(process, process.parts, metrics, log, process.tracer)
