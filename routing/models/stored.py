"""What a vendor keeps for an agent: so that nobody but that agent asks for it."""

from __future__ import annotations

from django.db import models


class StoredResponse(models.Model):
    """A response that a vendor keeps under its id, and the agent that got it."""

    response_id = models.TextField()
    agent_id = models.TextField()  # agt_…
    vendor_id = models.TextField()  # ven_…
    model = models.TextField()
    route = models.TextField()
    intent_id = models.TextField()  # ent_… of the call that made it
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["response_id", "agent_id"], name="routing_storedresponse_once"
            )
        ]

    def __str__(self) -> str:
        return self.response_id
