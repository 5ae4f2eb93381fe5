"""Targets and the copies that are sent to them by the clock: set up, ended, watched."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from django.db import IntegrityError, transaction

from credentials.actions import retire_secret, seal_secret
from credentials.addresses import Target as Address
from credentials.egress import GuardedClient
from credentials.queries import secret_of
from kernel import clock
from kernel.db import refused_as, ring
from kernel.refs import new_id
from ledger.exports.planning import period_after
from ledger.exports.scope import Period
from ledger.exports.snapshot import snapshot
from ledger.record import record
from ledger.verbs import Verb
from outlets.errors import ReasonMissing, ScheduleGoesOn, TargetNotUsable
from outlets.models import Export, Schedule, Target
from outlets.queries.secrets import RING
from outlets.queries.targets import GRACE, next_after
from outlets.targets.s3 import is_bucket, is_key
from registry.actors import Actor
from registry.models import Role

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_FOLDER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_REGION: Final = re.compile(r"[a-z0-9-]{0,40}")
_ACCESS_KEY: Final = re.compile(r"[A-Za-z0-9._/+=-]{3,200}")
LONGEST_LOCK: Final = 3653


@dataclass(frozen=True, slots=True)
class WantedTarget:
    """What somebody asks of a target."""

    name: str
    kind: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    bucket: str = ""
    access_key: str = ""
    secret: str = field(default="", repr=False)
    lock_days: int = 0


@transaction.atomic
def add_target(wanted: WantedTarget, *, actor: Actor) -> Target:
    """Allow copies to be sent to a place; the platform role answers for its address.

    Records: target.added, secret.sealed. Raises: RoleMissing, TargetNotUsable, AddressRefused,
    SecretNotUsable.
    """
    actor.require(Role.PLATFORM)
    _check(wanted)
    taken = TargetNotUsable(f"There is a target named {wanted.name!r} already.")
    with refused_as({"outlets_target_name_key": taken}):
        target = Target.objects.create(
            public_id=new_id("tgt"),
            name=wanted.name,
            kind=wanted.kind,
            prefix=wanted.prefix,
            endpoint=wanted.endpoint,
            region=wanted.region,
            bucket=wanted.bucket,
            access_key=wanted.access_key,
            lock_days=wanted.lock_days,
            allow_private=True,
            added_by=str(actor.ref),
            added_at=clock.now(),
        )
    if wanted.secret:
        seal_secret(target.ref, wanted.secret, ring=RING, actor=actor.ref)
    record(
        Verb.TARGET_ADDED,
        target.ref,
        actor=actor.ref,
        facts={
            "name": target.name,
            "kind": target.kind,
            "endpoint": target.endpoint,
            "bucket": target.bucket,
            "prefix": target.prefix,
            "lock_days": target.lock_days,
        },
    )
    return target


@transaction.atomic
def remove_target(target: Target, *, actor: Actor) -> None:
    """Send nothing there any more; what lies there stays.

    Records: target.removed, secret.retired. Raises: RoleMissing, ScheduleGoesOn.
    """
    actor.require(Role.PLATFORM)
    if target.schedules.filter(ended_at__isnull=True).exists():
        raise ScheduleGoesOn
    now = clock.now()
    if Target.objects.filter(pk=target.pk, removed_at__isnull=True).update(
        removed_at=now, name=f"{target.name} ({target.public_id})"
    ):
        if secret_of(target.ref) is not None:
            retire_secret(target.ref, actor=actor.ref, reason="the target was removed")
        record(Verb.TARGET_REMOVED, target.ref, actor=actor.ref)


@transaction.atomic
def add_schedule(
    target: Target, every: str, *, actor: Actor, payloads: bool, reason: str
) -> Schedule:
    """Send everything new to a target every day or month; the first copy begins at the start.

    Records: schedule.added. Raises: RoleMissing, ReasonMissing.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    why = reason.replace("\x00", "").strip()[:1000]
    if not why:
        raise ReasonMissing
    now = clock.now()
    schedule = Schedule.objects.create(
        public_id=new_id("sch"),
        target=target,
        every=every,
        with_payloads=payloads,
        reason=why,
        next_at=now,
        added_by=str(actor.ref),
        added_at=now,
    )
    facts: dict[str, str | int | bool | list[str] | None] = {
        "target": target.public_id, "every": every, "payloads": payloads, "reason": why,
    }  # fmt: skip
    record(Verb.SCHEDULE_ADDED, schedule.ref, actor=actor.ref, facts=facts)
    ring("outlets.follow_schedules")
    return schedule


@transaction.atomic
def end_schedule(schedule: Schedule, *, actor: Actor) -> None:
    """Send no further copies.

    Records: schedule.ended. Raises: RoleMissing.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    rows = Schedule.objects.filter(pk=schedule.pk, ended_at__isnull=True)
    if rows.update(ended_at=clock.now()):
        record(Verb.SCHEDULE_ENDED, schedule.ref, actor=actor.ref)


def follow_schedules(*, actor: Actor) -> int:
    """Ask for the copies that are due, and say which are late; return how many were asked for.

    Records: schedule.late, once for each time a schedule falls behind.
    """
    asked = 0
    for schedule in Schedule.objects.filter(ended_at__isnull=True).select_related("target"):
        if schedule.next_at <= clock.now():
            asked += _ask(schedule, actor)
        _note_lateness(schedule, actor)
    return asked


def _ask(schedule: Schedule, actor: Actor) -> int:
    reached = {int(epoch): size for epoch, size in schedule.reached.items()}
    with snapshot() as database:
        has_news = not period_after(database, reached).is_empty
    try:
        with transaction.atomic():
            moved = Schedule.objects.filter(pk=schedule.pk, next_at=schedule.next_at).update(
                next_at=next_after(schedule.every, clock.now())
            )
            if not moved or not has_news:
                return 0
            Export.objects.create(
                public_id=new_id("exp"),
                scope=Period(()).document(),
                title=f"What is new since the last copy, to {schedule.target.name}",
                with_payloads=schedule.with_payloads,
                reason=schedule.reason,
                asked_by=str(actor.ref),
                asked_at=clock.now(),
                target=schedule.target,
                schedule=schedule,
            )
            ring("outlets.make_exports")
    except IntegrityError:
        return 0  # the copy before is still under way; it is asked for again when that is out
    return 1


def _note_lateness(schedule: Schedule, actor: Actor) -> None:
    oldest = (
        Export.objects.filter(schedule=schedule)
        .exclude(state__in=[Export.State.READY, Export.State.EXPIRED])
        .order_by("-asked_at")
        .first()
    )
    done = Export.objects.filter(schedule=schedule, state=Export.State.READY)
    if oldest is None or done.filter(asked_at__gt=oldest.asked_at).exists():
        return
    if clock.now() - oldest.asked_at < GRACE[schedule.every]:
        return
    with transaction.atomic():
        rows = Schedule.objects.filter(pk=schedule.pk, late_since__isnull=True)
        if rows.update(late_since=oldest.asked_at):
            facts: dict[str, str | int | bool | list[str] | None] = {
                "target": schedule.target.public_id,
                "export": oldest.public_id,
                "failure": oldest.failure,
            }
            record(Verb.SCHEDULE_LATE, schedule.ref, actor=actor.ref, facts=facts)


def _check(wanted: WantedTarget) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise TargetNotUsable("A name has 2 to 63 small letters, digits and hyphens.")
    if not 0 <= wanted.lock_days <= LONGEST_LOCK:
        raise TargetNotUsable(f"A lock holds 0 to {LONGEST_LOCK} days.")
    if wanted.kind == Target.Kind.DIRECTORY:
        if wanted.endpoint or wanted.bucket or wanted.secret or wanted.lock_days:
            raise TargetNotUsable("A directory has a prefix and nothing else.")
        if wanted.prefix and not _FOLDER.fullmatch(wanted.prefix):
            raise TargetNotUsable("A folder's name has small letters, digits and hyphens.")
        return
    if wanted.kind != Target.Kind.S3:
        raise TargetNotUsable("A target is a directory or s3.")
    _check_s3(wanted)


def _check_s3(wanted: WantedTarget) -> None:
    address = Address.parse(wanted.endpoint, allow_private=True)
    GuardedClient(allow_private=True).check(wanted.endpoint)
    if address.path != "/" or address.query is not None:
        raise TargetNotUsable("The endpoint is a scheme and a host, without a path.")
    if not is_bucket(wanted.bucket):
        raise TargetNotUsable("This is no bucket's name.")
    if wanted.prefix and not (is_key(wanted.prefix) and wanted.prefix.endswith("/")):
        raise TargetNotUsable("A prefix has letters, digits, . _ - and /, and ends with /.")
    if not _REGION.fullmatch(wanted.region):
        raise TargetNotUsable("This is no region's name.")
    if not _ACCESS_KEY.fullmatch(wanted.access_key) or not wanted.secret:
        raise TargetNotUsable("Give the id of an access key and its secret.")
