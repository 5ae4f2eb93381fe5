"""Keeping a bundle: its rules, its data and its tests, under the digest of what judges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.db import transaction

from kernel import clock
from kernel.db import refused_as
from kernel.refs import new_id
from ledger.artifacts import POLICY_BUNDLE
from ledger.record import record
from ledger.shared import keep_artifact
from ledger.verbs import Verb
from policy import bundle as packing
from registry.actors import Actor
from registry.models import Role
from rules.errors import BundleKnown
from rules.models import Bundle


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of a bundle: what judges, and beside it what tests that."""

    judging: packing.Bundle
    tests: dict[str, bytes] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        return self.judging.digest


def read_directory(directory: Path) -> Sources:
    """Read the files of a bundle from a directory. Raises: BundleUnusable."""
    return Sources(packing.Bundle.load(directory), packing.load_tests(directory))


@transaction.atomic
def add_bundle(
    sources: Sources,
    *,
    title: str,
    origin: str,
    actor: Actor,
    note: str = "",
    checked: Mapping[str, object] | None = None,
) -> Bundle:
    """Keep a bundle; it judges nothing before it is activated.

    Records: policy.added. Raises: RoleMissing, BundleKnown.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    bundle = Bundle(
        public_id=new_id("pol"),
        digest=sources.digest,
        title=title,
        note=note,
        origin=origin,
        packed=sources.judging.packed,
        tests=packing.pack_files(sources.tests),
        checked=dict(checked or {}),
        added_by=str(actor.ref),
        added_at=clock.now(),
    )
    known = BundleKnown("A bundle of exactly these rules and settings is kept already.")
    with refused_as({"rules_bundle_digest_key": known}):
        bundle.save(force_insert=True)
    keep_artifact(POLICY_BUNDLE, sources.judging.packed)
    facts = {"bundle": bundle.digest, "title": title, "origin": origin}
    record(Verb.POLICY_ADDED, bundle.ref, actor=actor.ref, facts=facts)
    return bundle
