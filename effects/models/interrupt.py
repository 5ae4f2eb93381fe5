"""A graph that stopped to ask, and whether it was given its answer."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref
from registry.models import Agent


class Interrupt(models.Model):
    """One interrupt of a graph: its calls in their order, each a proposal; answered once."""

    public_id = models.TextField(unique=True)  # itr_…
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="interrupts")
    graph_id = models.TextField()  # the interrupt's id in the graph
    request_digest = models.TextField()  # an id stands for one request
    is_single = models.BooleanField()  # per call: one decision; else a list of them
    # In order: {"proposal": prp_…, "name": the tool, "allowed": the decisions the graph takes}
    calls = models.JSONField()
    created_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)
    taken_by = models.TextField(blank=True, default="")  # as the graph names itself

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agent", "graph_id"], name="effects_interrupt_one_per_id"
            ),
            models.CheckConstraint(
                condition=Q(taken_at__isnull=False) | Q(taken_by=""),
                name="effects_interrupt_taker_took",
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("interrupt", self.public_id)
