"""What must never be, refused by the database: a changed manifest, a stage that is skipped.

A manifest that was handed in is evidence of what people approved; the application's own
code is no more trusted with it than a person at a psql prompt. An agent may go back from live
to soft launch (demoted by rule, promoted anew by people), be kept before its announced end,
and be restored within 30 days after it. Each piece may be run again over itself.
"""

from django.db import migrations

VERSIONS = """
CREATE OR REPLACE FUNCTION registry_agentversion_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.state = 'accepted'
       AND NOT (SELECT is_demo FROM registry_agent WHERE id = OLD.agent_id) THEN
      RAISE EXCEPTION 'an accepted version is kept'
        USING ERRCODE = 'integrity_constraint_violation',
              CONSTRAINT = 'registry_agentversion_accepted_is_kept';
    END IF;
    RETURN OLD;
  END IF;
  IF (NEW.public_id, NEW.agent_id, NEW.number, NEW.version, NEW.manifest, NEW.digest, NEW.source,
      NEW.created_by, NEW.created_at)
     IS DISTINCT FROM
     (OLD.public_id, OLD.agent_id, OLD.number, OLD.version, OLD.manifest, OLD.digest, OLD.source,
      OLD.created_by, OLD.created_at) THEN
    RAISE EXCEPTION 'a version is never changed'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agentversion_immutable';
  END IF;
  IF OLD.state <> 'proposed' AND NEW.state <> OLD.state THEN
    RAISE EXCEPTION 'a settled version stays settled'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agentversion_settled_once';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER registry_agentversion_immutable
  BEFORE UPDATE OR DELETE ON registry_agentversion
  FOR EACH ROW EXECUTE FUNCTION registry_agentversion_immutable();
"""

STAGES = """
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
      ('deprecated', 'soft_launch'), ('deprecated', 'live'), ('retired', 'soft_launch'),
      ('deprecated', 'retired')) THEN
    RAISE EXCEPTION 'no agent goes from % to %', OLD.stage, NEW.stage
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agent_stage_follows';
  END IF;
  IF OLD.stage = 'retired' AND NEW.stage <> 'retired'
     AND OLD.retired_at < now() - interval '30 days' THEN
    RAISE EXCEPTION 'a retired agent comes back within 30 days'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agent_restored_in_time';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER registry_agent_moves
  BEFORE UPDATE ON registry_agent
  FOR EACH ROW EXECUTE FUNCTION registry_agent_moves();
"""

# Triggers go with their functions.
REVERSE = """
DROP FUNCTION registry_agent_moves() CASCADE;
DROP FUNCTION registry_agentversion_immutable() CASCADE;
"""


class Migration(migrations.Migration):

    dependencies = [("registry", "0001_initial")]

    operations = [migrations.RunSQL(VERSIONS + STAGES, REVERSE)]
