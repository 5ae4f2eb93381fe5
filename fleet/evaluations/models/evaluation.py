"""An evaluation: which cases are asked of which models again, how far that is, what came of it.

Rows hold figures and flags. What was said lies in the ledger's payloads, where it is sealed,
counted and erased. The askings that wait are the queue: a killed worker loses none.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fleet.evaluations.models.golden import GoldenCase
from kernel.refs import Ref
from registry.models import Agent
from routing.models import Model


class Evaluation(models.Model):
    """One comparison of candidates with the model that an agent is served by."""

    class State(models.TextChoices):
        RUNNING = "running"
        PASSED = "passed"  # at least one candidate passed; each arm says its own
        FAILED = "failed"
        INCONCLUSIVE = "inconclusive"
        CANCELLED = "cancelled"

    class Phase(models.TextChoices):
        ASKING = "asking", "Asking"
        JUDGING = "judging", "Judging"
        COMPARING = "comparing", "Comparing"
        OVER = "over", "Over"

    OVER = (State.PASSED, State.FAILED, State.INCONCLUSIVE)

    public_id = models.TextField(unique=True)  # evl_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="evaluations")
    version_digest = models.TextField(blank=True, default="")  # of the manifest in force
    baseline = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="+")
    baseline_name = models.TextField()  # vendor/model
    subject = models.TextField(blank=True, default="")  # for what it was begun: a move, …
    criteria = models.JSONField()
    criteria_digest = models.TextField()
    seed = models.TextField()
    runs = models.PositiveIntegerField()  # of the sample
    strata = models.JSONField(default=list)
    excluded = models.JSONField(default=dict)  # why, and how many
    # Entries that are not what was recorded: they are no evidence, and nothing passes beside them.
    altered = models.JSONField(default=list)
    sample_digest = models.TextField()
    estimate_micros = models.BigIntegerField(null=True, blank=True)  # null: a price is unknown
    estimate_seconds = models.PositiveIntegerField(default=0)
    cap_micros = models.BigIntegerField(null=True, blank=True)  # null: the agent's budgets alone
    state = models.TextField(choices=State.choices, default=State.RUNNING)
    phase = models.TextField(choices=Phase.choices, default=Phase.ASKING)
    held_up = models.TextField(blank=True, default="")  # the code of what it waits for
    cut_short = models.TextField(blank=True, default="")  # why not everything was asked
    contracts_entry = models.TextField(blank=True, default="")  # ent_… with the inferred contracts
    digest = models.TextField(blank=True, default="")  # of the report
    requested_by = models.TextField()
    requested_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state="running", ended_at__isnull=True)
                | ~Q(state="running") & Q(ended_at__isnull=False),
                name="evaluations_evaluation_ended_iff_over",
            ),
            models.CheckConstraint(
                condition=Q(state__in=("running", "cancelled"), digest="")
                | ~Q(state__in=("running", "cancelled")) & ~Q(digest=""),
                name="evaluations_evaluation_report_has_digest",
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "-id"], name="evaluations_eval_agent_idx"),
            models.Index(
                fields=["id"], condition=Q(state="running"), name="evaluations_eval_open_idx"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("evaluation", self.public_id)


class Arm(models.Model):
    """One target that the cases are asked of: a candidate, the baseline again, a judge."""

    class Kind(models.TextChoices):
        AGAIN = "again", "The baseline once more"
        CANDIDATE = "candidate", "Candidate"
        JUDGE = "judge", "Judge"
        JUDGE_BACK = "judge_back", "Judge, the other way round"
        EMBEDDING = "embedding", "Embeddings"

    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="arms")
    kind = models.TextField(choices=Kind.choices)
    model = models.ForeignKey(
        Model, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    target = models.TextField()  # vendor/model, or a route's name
    judged = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="judges"
    )
    run_id = models.TextField(unique=True)  # the run that its calls go into
    label = models.TextField()
    estimate_micros = models.BigIntegerField(null=True, blank=True)
    verdict = models.TextField(blank=True, default="")  # of a candidate: passed, failed, …
    figures = models.JSONField(default=list)  # axis by axis, once it is over

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(kind__in=("again", "candidate")) | Q(model__isnull=False),
                name="evaluations_arm_names_its_model",
            ),
            models.UniqueConstraint(
                fields=["evaluation", "kind", "target"],
                condition=Q(judged__isnull=True),
                name="evaluations_arm_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"


class Case(models.Model):
    """One question of the sample: a recorded step of a run, or a golden case."""

    class Kind(models.TextChoices):
        RECORDED = "recorded"
        GOLDEN = "golden"

    public_id = models.TextField(unique=True)  # cas_…
    evaluation = models.ForeignKey(Evaluation, on_delete=models.CASCADE, related_name="cases")
    kind = models.TextField(choices=Kind.choices)
    golden = models.ForeignKey(
        GoldenCase, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    run_id = models.TextField(blank=True, default="")
    entry_id = models.TextField()  # ent_… whose payload is asked
    stratum = models.TextField(blank=True, default="")
    route = models.TextField()
    operation = models.TextField()
    # How the baseline did on the day: figures of the recorded call.
    status = models.TextField(blank=True, default="")
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cost_micros = models.BigIntegerField(null=True, blank=True)
    duration_ms = models.PositiveIntegerField(null=True, blank=True)
    unread = models.TextField(blank=True, default="")  # why it could not be asked after all

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["evaluation", "entry_id"], name="evaluations_case_once"
            ),
            models.CheckConstraint(
                condition=Q(kind="golden", golden__isnull=False)
                | Q(kind="recorded", golden__isnull=True) & ~Q(run_id=""),
                name="evaluations_case_of_run_or_golden",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id


class Asking(models.Model):
    """One case asked of one arm, once; compared, it says how the answers differ."""

    class State(models.TextChoices):
        WAITING = "waiting"
        ANSWERED = "answered"
        FAILED = "failed"  # the vendor failed, or nobody would serve it
        REFUSED = "refused"  # policy, a stop or a budget of the agent did not let it through
        GONE = "gone"  # what was to be asked can be read no more

    arm = models.ForeignKey(Arm, on_delete=models.CASCADE, related_name="askings")
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="askings")
    state = models.TextField(choices=State.choices, default=State.WAITING)
    entry_id = models.TextField(blank=True, default="")  # ent_… of the call that was made
    error = models.TextField(blank=True, default="")
    asked_at = models.DateTimeField(null=True, blank=True)
    outcome = models.JSONField(null=True, blank=True)  # flags and figures, never what was said
    badness = models.FloatField(default=0.0)  # the worst difference stands first

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["arm", "case"], name="evaluations_asking_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", asked_at__isnull=True)
                | ~Q(state="waiting") & Q(asked_at__isnull=False),
                name="evaluations_asking_asked_iff_stamped",
            ),
        ]
        indexes = [
            models.Index(
                fields=["arm", "id"],
                condition=Q(state="waiting"),
                name="evaluations_asking_queue_idx",
            ),
            models.Index(fields=["arm", "-badness", "id"], name="evaluations_asking_worst_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.case_id} of {self.arm_id}"
