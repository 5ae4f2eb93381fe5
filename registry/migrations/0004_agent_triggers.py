"""What must never be, refused by the database: a changed manifest, a stage that is skipped.

A manifest that was handed in is evidence of what people approved; the application's own
code is no more trusted with it than a person at a psql prompt.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION registry_agentversion_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
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

CREATE TRIGGER registry_agentversion_immutable
  BEFORE UPDATE OR DELETE ON registry_agentversion
  FOR EACH ROW EXECUTE FUNCTION registry_agentversion_immutable();

CREATE FUNCTION registry_agent_moves() RETURNS trigger LANGUAGE plpgsql AS $$
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
      ('live', 'deprecated'), ('live', 'retired'),
      ('deprecated', 'retired')) THEN
    RAISE EXCEPTION 'no agent goes from % to %', OLD.stage, NEW.stage
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'registry_agent_stage_follows';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER registry_agent_moves
  BEFORE UPDATE ON registry_agent
  FOR EACH ROW EXECUTE FUNCTION registry_agent_moves();
"""

BACKWARD = """
DROP TRIGGER registry_agent_moves ON registry_agent;
DROP FUNCTION registry_agent_moves();
DROP TRIGGER registry_agentversion_immutable ON registry_agentversion;
DROP FUNCTION registry_agentversion_immutable();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0003_agent_guards'),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
