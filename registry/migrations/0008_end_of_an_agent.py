"""An announced end, its successor, and the ways back: kept before the day, restored within 30."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

_FUNCTION = """
CREATE OR REPLACE FUNCTION registry_agent_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (NEW.public_id, NEW.name) IS DISTINCT FROM (OLD.public_id, OLD.name) THEN
    RAISE EXCEPTION 'an agent keeps its name and id'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agent_keeps_its_name';
  END IF;
  IF NEW.is_demo <> OLD.is_demo AND OLD.stage <> 'draft' THEN
    RAISE EXCEPTION 'what has run is not turned into demo data'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agent_demo_from_the_start';
  END IF;
  IF NEW.stage <> OLD.stage AND (OLD.stage, NEW.stage) NOT IN (
      ('draft', 'in_review'),
      ('in_review', 'draft'), ('in_review', 'soft_launch'),
      ('soft_launch', 'live'), ('soft_launch', 'deprecated'), ('soft_launch', 'retired'),
      ('live', 'soft_launch'), ('live', 'deprecated'), ('live', 'retired'),
      {back}('deprecated', 'retired')) THEN
    RAISE EXCEPTION 'no agent goes from % to %', OLD.stage, NEW.stage
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agent_stage_follows';
  END IF;
  {late}
  RETURN NEW;
END $$;
"""
_BACK = (
    "('deprecated', 'soft_launch'), ('deprecated', 'live'), ('retired', 'soft_launch'),\n      "
)
_LATE = """IF OLD.stage = 'retired' AND NEW.stage <> 'retired'
     AND OLD.retired_at < now() - interval '30 days' THEN
    RAISE EXCEPTION 'a retired agent comes back within 30 days'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agent_restored_in_time';
  END IF;"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0007_demotion")]
    operations = [
        migrations.AddField("agent", "ends_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "agent",
            "successor",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="predecessors",
                to="registry.agent",
            ),
        ),
        migrations.AddConstraint(
            "agent",
            models.CheckConstraint(
                condition=models.Q(ends_at__isnull=True)
                | models.Q(stage__in=["deprecated", "retired"]),
                name="registry_agent_ends_once_announced",
            ),
        ),
        migrations.AddConstraint(
            "agent",
            models.CheckConstraint(
                condition=models.Q(successor__isnull=True) | ~models.Q(successor=models.F("id")),
                name="registry_agent_successor_is_another",
            ),
        ),
        migrations.RunSQL(
            _FUNCTION.replace("{back}", _BACK).replace("{late}", _LATE),
            _FUNCTION.replace("{back}", "").replace("{late}", ""),
        ),
    ]
