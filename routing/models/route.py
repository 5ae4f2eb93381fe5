"""Task routes: the names agents call instead of models."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from routing.models.vendor import Model


class Route(models.Model):
    """A task's name and what may serve it, in order of priority, then by weight."""

    public_id = models.TextField(unique=True)  # rte_…
    name = models.TextField(unique=True)  # what the agent sends as "model"
    # Further names; a trigger keeps names and further names of all routes apart.
    aliases = ArrayField(models.TextField(), default=list, db_default=[], blank=True)
    title = models.TextField(blank=True, default="")
    constraints = models.JSONField(default=dict)  # regions, data classes, …
    options = models.JSONField(default=dict, db_default={})  # how far it goes for an answer
    revision = models.PositiveIntegerField(default=1)
    disabled_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(name__regex=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$"),
                name="routing_route_plain_name",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> Ref:
        return Ref("route", self.public_id)


class RouteTarget(models.Model):
    """One model that may serve a route: lower priority first, weight shares among equals."""

    route = models.ForeignKey(Route, on_delete=models.CASCADE, related_name="targets")
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="targets")
    region = models.TextField(blank=True, default="")
    weight = models.PositiveIntegerField(default=100)
    priority = models.PositiveSmallIntegerField(default=0)
    # Takes this share of runs before the others do, and no other; null: an ordinary target.
    canary_percent = models.PositiveSmallIntegerField(null=True, blank=True)
    first_byte_ms = models.PositiveIntegerField(null=True, blank=True)  # null: as the route says
    # May be chosen by price or speed: somebody, or an evaluation, said that it is good enough.
    passed_eval_at = models.DateTimeField(null=True, blank=True)
    passed_eval_reason = models.TextField(blank=True, default="", db_default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["route", "model", "region"], name="routing_routetarget_once"
            ),
            models.CheckConstraint(
                condition=Q(weight__gte=1, weight__lte=10000), name="routing_routetarget_weight"
            ),
            models.CheckConstraint(
                condition=Q(canary_percent__isnull=True) | Q(canary_percent__lte=100),
                name="routing_routetarget_percent",
            ),
            models.CheckConstraint(
                condition=Q(passed_eval_at__isnull=True, passed_eval_reason="")
                | Q(passed_eval_at__isnull=False) & ~Q(passed_eval_reason=""),
                name="routing_routetarget_passed_iff_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.route} → {self.model}"
