"""What is remembered: entries, their payloads apart, the keys that open them, the writers.

Rows here are only ever inserted (grants and triggers refuse the rest); evidence holds
references as text, never foreign keys, so nothing that is deleted can take it along.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from ledger.retention.models import (
    DroppedMonth as DroppedMonth,
)
from ledger.retention.models import (
    LegalHold as LegalHold,
)
from ledger.retention.models import (
    RetentionAge as RetentionAge,
)
from ledger.retention.models import (
    RetentionFloor as RetentionFloor,
)
from ledger.retention.models import (
    Shredding as Shredding,
)

if TYPE_CHECKING:
    _IntField = models.Field[int, int]
else:
    _IntField = models.Field


_NAMED_BY_BYTES = "'sha256:' || encode(sha256(body), 'hex')"


class Xid8Field(_IntField):
    """PostgreSQL's 64-bit transaction id: the order in which commits became visible."""

    def db_type(self, connection: object) -> str:
        return "xid8"


# Two of three entries are calls, and nobody asks for them by the model they were for.
NOT_A_CALL: Final = ~Q(kind__in=["intent", "result"])


class Entry(models.Model):
    """One thing that happened. The header's bytes are the record, the columns an index of it."""

    class Kind(models.TextChoices):
        INTENT = "intent"
        RESULT = "result"
        DECISION = "decision"
        PROPOSAL = "proposal"
        REVIEW = "review"
        EFFECT = "effect"
        CHANGE = "change"
        ACCESS = "access"
        REPORT = "report"  # an agent's word for what it did; never ours for what we saw

    id = models.BigAutoField(primary_key=True)
    # Entries commit out of the order of their ids; (xid, id) below the snapshot horizon
    # is the order that a sequencer may rely on.
    xid = Xid8Field(db_default=RawSQL("pg_current_xact_id()", ()), editable=False)
    entry_id = models.TextField()
    stream = models.TextField()
    writer = models.TextField()
    seq = models.BigIntegerField()
    prev_hash = models.BinaryField()
    header = models.BinaryField()
    leaf_hash = models.BinaryField()
    kind = models.TextField(choices=Kind.choices)
    verb = models.TextField()
    actor = models.TextField()
    subject = models.TextField()
    agent_id = models.TextField(default="", blank=True)
    intent_id = models.TextField(null=True, blank=True)  # noqa: DJ001  absent is not empty: partial unique
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [
            # Not unique=True: that makes a second index, for patterns, at every insert.
            models.UniqueConstraint(fields=["entry_id"], name="ledger_entry_one_id"),
            models.UniqueConstraint(
                fields=["stream", "writer", "seq"], name="ledger_entry_one_place_in_chain"
            ),
            models.UniqueConstraint(
                fields=["intent_id"],
                condition=Q(kind="result"),
                name="ledger_entry_one_result_per_intent",
            ),
            models.CheckConstraint(condition=Q(seq__gte=1), name="ledger_entry_seq_from_one"),
            models.CheckConstraint(
                condition=Q(kind="result", intent_id__isnull=False) | ~Q(kind="result"),
                name="ledger_entry_result_names_intent",
            ),
        ]
        indexes = [
            models.Index(fields=["xid", "id"], name="ledger_entry_sequence_idx"),
            models.Index(
                fields=["subject", "-id"], condition=NOT_A_CALL, name="ledger_entry_subject_idx"
            ),
            models.Index(fields=["agent_id", "-id"], name="ledger_entry_agent_idx"),
            models.Index(fields=["stream", "id"], name="ledger_entry_stream_idx"),
            # Entries arrive in the order of time, so a few bytes a megabyte find a period.
            BrinIndex(fields=["recorded_at"], name="ledger_entry_when_idx", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.verb}"


class Payload(models.Model):
    """The bytes an entry speaks of, encrypted, by month: droppable with proofs intact."""

    entry_id = models.TextField(primary_key=True)
    recorded_at = models.DateTimeField()
    dek_id = models.TextField()
    nonce = models.BinaryField()
    ciphertext = models.BinaryField()

    class Meta:
        managed = False  # partitioned by RANGE (recorded_at) in migration 0002
        db_table = "ledger_payload"

    def __str__(self) -> str:
        return f"payload of {self.entry_id}"


class DataKey(models.Model):
    """A key that encrypts payloads of one scope and data class, sealed to the payload ring."""

    class State(models.TextChoices):
        ACTIVE = "active"
        SHREDDED = "shredded"

    dek_id = models.TextField(primary_key=True)
    scope = models.TextField()
    data_class = models.TextField()
    ring_key_id = models.TextField()
    wrapped_key = models.BinaryField(null=True)
    state = models.TextField(choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField()
    shredded_at = models.DateTimeField(null=True, blank=True)
    # The tombstone: the entry that names this key among those destroyed with it.
    shredded_by = models.TextField(null=True, blank=True)  # noqa: DJ001  absent is not empty

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="active", wrapped_key__isnull=False, shredded_at__isnull=True)
                | Q(state="shredded", wrapped_key__isnull=True, shredded_at__isnull=False),
                name="ledger_datakey_shredded_iff_gone",
            )
        ]
        indexes = [models.Index(fields=["scope", "data_class"], name="ledger_datakey_scope_idx")]

    def __str__(self) -> str:
        return self.dek_id


class Artifact(models.Model):
    """What entries name by its digest and many share: kept once, never changed, no payload."""

    class Kind(models.TextChoices):
        POLICY_BUNDLE = "policy_bundle"
        DECISION_INPUT = "decision_input"
        CALL_SETUP = "call_setup"

    digest = models.TextField(primary_key=True)  # sha256:<hex> of the body
    kind = models.TextField(choices=Kind.choices)
    body = models.BinaryField()
    kept_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    digest=RawSQL(
                        "'sha256:' || encode(sha256(body), 'hex')", (), models.TextField()
                    )
                ),
                name="ledger_artifact_named_by_its_bytes",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.digest}"


class ChainHead(models.Model):
    """The last link of a chain that many transactions extend; locked while one of them does."""

    stream = models.TextField()
    writer = models.TextField()
    seq = models.BigIntegerField()
    leaf_hash = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["stream", "writer"], name="ledger_chainhead_one_per_chain"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream}/{self.writer} at {self.seq}"


class Writer(models.Model):
    """A process that extends chains alone. Closing it fences it: it can record nothing more."""

    writer = models.TextField(primary_key=True)
    process = models.TextField()
    started_at = models.DateTimeField()
    heartbeat_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.writer


class RetiredRingKey(models.Model):
    """A key of a ring that seals nothing any more. The database takes no row sealed to it."""

    ring = models.TextField()
    ring_key_id = models.TextField()
    retired_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["ring", "ring_key_id"], name="ledger_retiredringkey_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.ring} {self.ring_key_id}"


class Epoch(models.Model):
    """One tree: its name, its key, where it begins. A restore or a change of key opens another."""

    number = models.IntegerField(primary_key=True)
    origin = models.TextField(unique=True)
    public_key = models.BinaryField()
    # The cluster whose transaction ids order this epoch's entries.
    system_identifier = models.BigIntegerField()
    # Entries from this id on come by (xid, id); what lay unsequenced below it came first.
    first_entry = models.BigIntegerField()
    opened_at = models.DateTimeField()
    reason = models.TextField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(number__gte=1), name="ledger_epoch_from_one"),
            models.CheckConstraint(
                condition=Q(number=1) | ~Q(reason=""), name="ledger_epoch_says_why"
            ),
        ]

    def __str__(self) -> str:
        return self.origin


class Suspension(models.Model):
    """Why nothing may be appended under an epoch. Only a further epoch ends it."""

    epoch = models.OneToOneField(Epoch, on_delete=models.PROTECT, primary_key=True)
    found = models.TextField()
    suspended_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"epoch {self.epoch_id}: {self.found}"


class Leaf(models.Model):
    """The place of an entry in its epoch's tree."""

    pk = models.CompositePrimaryKey("epoch", "index")
    epoch = models.IntegerField()
    index = models.BigIntegerField()
    entry = models.BigIntegerField()  # Entry.id
    leaf_hash = models.BinaryField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["entry"], name="ledger_leaf_one_place_per_entry"),
            models.CheckConstraint(condition=Q(index__gte=0), name="ledger_leaf_index_from_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.epoch}/{self.index}"


class Tile(models.Model):
    """A whole tile: 256 hashes of the tree's level 8 times ``level``. Partial ones are made."""

    pk = models.CompositePrimaryKey("epoch", "level", "index")
    epoch = models.IntegerField()
    level = models.SmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.epoch}: tile/{self.level}/{self.index}"


class Checkpoint(models.Model):
    """A size of the tree and its root, as committed; signed afterwards, never before."""

    pk = models.CompositePrimaryKey("epoch", "size")
    epoch = models.IntegerField()
    size = models.BigIntegerField()
    root = models.BinaryField()
    # Where the sequencer goes on: the last entry's place in the order of commits.
    xid = Xid8Field()
    entry = models.BigIntegerField()
    sequenced_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(size__gte=1), name="ledger_checkpoint_not_empty"),
        ]

    def __str__(self) -> str:
        return f"{self.epoch} at {self.size}"


class CheckpointSignature(models.Model):
    """A line under a checkpoint's note: the log's own, or a witness's."""

    id = models.BigAutoField(primary_key=True)
    epoch = models.IntegerField()
    size = models.BigIntegerField()
    signer = models.TextField()
    is_witness = models.BooleanField()
    line = models.TextField()
    signed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["epoch", "size", "signer"], name="ledger_signature_one_per_signer"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.signer} under {self.epoch} at {self.size}"


class SequencerReport(models.Model):
    """What the sequencer said of itself when it changed. The newest row of a subject holds."""

    class About(models.TextChoices):
        SEQUENCER = "sequencer"
        WITNESS = "witness"

    class State(models.TextChoices):
        RUNNING = "running"
        BEHIND = "behind"
        HALTED = "halted"

    id = models.BigAutoField(primary_key=True)
    about = models.TextField(choices=About.choices)
    state = models.TextField(choices=State.choices)
    found = models.TextField(blank=True)
    reported_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["about", "-id"], name="ledger_report_newest_idx")]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="running") | ~Q(found=""),
                name="ledger_sequencerreport_says_what",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.about} {self.state}"
