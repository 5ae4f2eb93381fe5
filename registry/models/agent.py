"""Agents, the immutable versions of their manifests, and which others they resemble."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Lower

from kernel.refs import Ref
from registry.models.person import Person, Team

# A retired agent may come back within this time; the database holds to it.
RESTORED_WITHIN: Final = timedelta(days=30)


class Agent(models.Model):
    """A piece of software that calls models on somebody's behalf. Never a user."""

    class Stage(models.TextChoices):
        DRAFT = "draft"
        IN_REVIEW = "in_review"
        SOFT_LAUNCH = "soft_launch"
        LIVE = "live"
        DEPRECATED = "deprecated"
        RETIRED = "retired"

    CALLABLE = (Stage.SOFT_LAUNCH, Stage.LIVE, Stage.DEPRECATED)

    public_id = models.TextField(unique=True)  # agt_…
    name = models.SlugField(unique=True, max_length=63)
    title = models.TextField()
    description = models.TextField()
    purpose = models.TextField(blank=True, default="")
    owner = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="owned_agents")
    backup_owner = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="backed_up_agents"
    )
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.PROTECT, related_name="agents"
    )
    on_call = models.TextField(blank=True, default="")
    cost_center = models.TextField(blank=True, default="")
    risk_tier = models.TextField(default="low")
    data_classes = ArrayField(models.TextField())
    tags = ArrayField(models.TextField(), default=list, blank=True)
    routes = ArrayField(models.TextField(), default=list, blank=True)  # of the current version
    tools = ArrayField(models.TextField(), default=list, blank=True)  # of the current version
    stage = models.TextField(choices=Stage.choices, default=Stage.DRAFT)
    stage_changed_at = models.DateTimeField()
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspended_reason = models.TextField(blank=True, default="")
    suspended_by = models.TextField(blank=True, default="")  # an owner may lift their own only
    killed_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)  # from then on it begins no new run
    successor = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="predecessors"
    )
    current_version = models.ForeignKey(
        "AgentVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    # What words are looked for in, kept by the database, under one index.
    searchable = models.GeneratedField(
        expression=Lower(
            Concat(
                *("name", Value(" "), "title", Value(" "), "description", Value(" "), "purpose"),
                output_field=models.TextField(),
            )
        ),
        output_field=models.TextField(),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(stage="retired", retired_at__isnull=False)
                | (~Q(stage="retired") & Q(retired_at__isnull=True)),
                name="registry_agent_retired_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(backup_owner__isnull=True) | ~Q(backup_owner=F("owner")),
                name="registry_agent_backup_is_another",
            ),
            models.CheckConstraint(
                condition=Q(stage__in=["draft", "in_review"]) | Q(current_version__isnull=False),
                name="registry_agent_running_has_version",
            ),
            models.CheckConstraint(
                condition=Q(suspended_at__isnull=False) | Q(suspended_reason="", suspended_by=""),
                name="registry_agent_suspended_iff_stamped",
            ),
            models.CheckConstraint(
                condition=Q(killed_at__isnull=True) | Q(suspended_at__isnull=False),
                name="registry_agent_killed_is_suspended",
            ),
            models.CheckConstraint(
                condition=Q(data_classes__len__gte=1), name="registry_agent_has_data_class"
            ),
            models.CheckConstraint(
                condition=Q(risk_tier__in=["low", "medium", "high"]),
                name="registry_agent_known_risk_tier",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(stage__in=["deprecated", "retired"]),
                name="registry_agent_ends_once_announced",
            ),
            models.CheckConstraint(
                condition=Q(successor__isnull=True) | ~Q(successor=F("id")),
                name="registry_agent_successor_is_another",
            ),
        ]
        indexes = [
            GinIndex(fields=["title"], opclasses=["gin_trgm_ops"], name="registry_agent_title_idx"),
            GinIndex(
                fields=["description"], opclasses=["gin_trgm_ops"], name="registry_agent_desc_idx"
            ),
            GinIndex(fields=["name"], opclasses=["gin_trgm_ops"], name="registry_agent_name_idx"),
            GinIndex(fields=["routes"], name="registry_agent_routes_idx"),
            GinIndex(fields=["tools"], name="registry_agent_tools_idx"),
            GinIndex(fields=["tags"], name="registry_agent_tags_idx"),
            GinIndex(
                fields=["searchable"], opclasses=["gin_trgm_ops"], name="registry_agent_search_idx"
            ),
            # The order in which the inventory is read, page by page.
            models.Index(Lower("title"), "public_id", name="registry_agent_in_order_idx"),
            models.Index(fields=["stage", "name"], name="registry_agent_stage_idx"),
            models.Index(fields=["-created_at", "-public_id"], name="registry_agent_newest_idx"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> Ref:
        return Ref("agent", self.public_id)

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None

    @property
    def is_callable(self) -> bool:
        return self.stage in self.CALLABLE and self.suspended_at is None and self.killed_at is None


class AgentVersion(models.Model):
    """One manifest as it was handed in: immutable, named by its digest, diffable with the last."""

    class State(models.TextChoices):
        PROPOSED = "proposed"
        ACCEPTED = "accepted"
        REJECTED = "rejected"
        SUPERSEDED = "superseded"

    public_id = models.TextField(unique=True)  # ver_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    version = models.TextField()
    manifest = models.JSONField()
    digest = models.TextField()
    state = models.TextField(choices=State.choices, default=State.PROPOSED)
    source = models.TextField()  # form, api, upload, command
    created_by = models.TextField()
    created_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "number"], name="registry_agentversion_one_per_number"
            ),
            models.UniqueConstraint(
                fields=["agent"],
                condition=Q(state="proposed"),
                name="registry_agentversion_one_proposed",
            ),
            models.UniqueConstraint(
                fields=["agent", "version"],
                condition=Q(state="accepted"),
                name="registry_agentversion_version_once",
            ),
            models.CheckConstraint(
                condition=Q(state="proposed", settled_at__isnull=True)
                | (~Q(state="proposed") & Q(settled_at__isnull=False)),
                name="registry_agentversion_settled_iff_stamped",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent} {self.version}"


class SimilarAgent(models.Model):
    """An agent that resembled another when that was registered: shown before any key was issued."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="similar")
    other = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="+")
    score = models.FloatField()  # 0 to 1
    reasons = ArrayField(models.TextField())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "other"], name="registry_similaragent_one_per_pair"
            )
        ]

    def __str__(self) -> str:
        return f"{self.agent} ~ {self.other}"
