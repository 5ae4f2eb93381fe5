"""What is kept of an agent's system prompts: a sketch that compares, and that nobody can read."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from registry.models import Agent


class PromptSketch(models.Model):
    """A MinHash of the shingles of an agent's recorded system prompts, under a key of ours."""

    agent = models.OneToOneField(Agent, primary_key=True, on_delete=models.CASCADE)
    sketch = ArrayField(models.BigIntegerField())
    shingles = models.PositiveIntegerField()
    # The data keys of the payloads it was made from: once one is destroyed, it goes too.
    data_keys = ArrayField(models.TextField())
    newest_entry = models.TextField()  # ent_…; nothing newer, nothing to do
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"sketch of {self.agent_id}"
