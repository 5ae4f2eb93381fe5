"""An agent may go back from live to soft launch: demoted by rule, promoted anew by people."""

from __future__ import annotations

from django.db import migrations

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
      {backwards}('live', 'deprecated'), ('live', 'retired'),
      ('deprecated', 'retired')) THEN
    RAISE EXCEPTION 'no agent goes from % to %', OLD.stage, NEW.stage
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agent_stage_follows';
  END IF;
  RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("registry", "0006_agent_order")]
    operations = [
        migrations.RunSQL(
            _FUNCTION.replace("{backwards}", "('live', 'soft_launch'), "),
            _FUNCTION.replace("{backwards}", ""),
        )
    ]
