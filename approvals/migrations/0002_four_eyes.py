"""What must never be, refused by the database: a changed question, one's own matter decided,
a yes without its quorum, an answer taken back.
"""

from django.db import migrations

FORWARD = """
CREATE FUNCTION approvals_review_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  approvals integer;
  rejections integer;
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF NOT EXISTS (SELECT 1 FROM registry_agent
                   WHERE is_demo AND 'agent:' || public_id = OLD.subject) THEN
      RAISE EXCEPTION 'a review is kept'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approvals_review_is_kept';
    END IF;
    RETURN OLD;
  END IF;
  IF (NEW.public_id, NEW.kind, NEW.subject, NEW.subject_name, NEW.digest, NEW.question,
      NEW.justification, NEW.evidence, NEW.requester_id, NEW.excluded, NEW.required_role,
      NEW.quorum, NEW.created_at)
     IS DISTINCT FROM
     (OLD.public_id, OLD.kind, OLD.subject, OLD.subject_name, OLD.digest, OLD.question,
      OLD.justification, OLD.evidence, OLD.requester_id, OLD.excluded, OLD.required_role,
      OLD.quorum, OLD.created_at) THEN
    RAISE EXCEPTION 'a question is never changed'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_review_question_is_fixed';
  END IF;
  IF OLD.state <> 'open'
     AND (NEW.state, NEW.settled_at, NEW.expires_at)
         IS DISTINCT FROM (OLD.state, OLD.settled_at, OLD.expires_at)
     OR OLD.redeemed_at IS NOT NULL AND NEW.redeemed_at IS DISTINCT FROM OLD.redeemed_at THEN
    RAISE EXCEPTION 'a settled review stays settled, and is redeemed once'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_review_settled_once';
  END IF;
  IF OLD.state = 'open' AND NEW.state IN ('approved', 'rejected') THEN
    SELECT count(*) FILTER (WHERE decision = 'approve'),
           count(*) FILTER (WHERE decision = 'reject')
      INTO approvals, rejections
      FROM approvals_reviewdecision WHERE review_id = NEW.id;
    IF NEW.state = 'approved' AND (approvals < NEW.quorum OR rejections > 0)
       OR NEW.state = 'rejected' AND rejections = 0 THEN
      RAISE EXCEPTION 'a review ends as its deciders say'
        USING ERRCODE = 'integrity_constraint_violation',
              CONSTRAINT = 'approvals_review_ends_as_decided';
    END IF;
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER approvals_review_guard
  BEFORE UPDATE OR DELETE ON approvals_review
  FOR EACH ROW EXECUTE FUNCTION approvals_review_guard();

CREATE FUNCTION approvals_reviewdecision_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  asked approvals_review%ROWTYPE;
  who text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'a decision is never changed'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_reviewdecision_is_fixed';
  END IF;
  IF TG_OP = 'DELETE' THEN
    IF NOT EXISTS (SELECT 1 FROM approvals_review r
                   JOIN registry_agent a ON 'agent:' || a.public_id = r.subject
                   WHERE r.id = OLD.review_id AND a.is_demo) THEN
      RAISE EXCEPTION 'a decision is kept'
        USING ERRCODE = 'integrity_constraint_violation',
              CONSTRAINT = 'approvals_reviewdecision_is_kept';
    END IF;
    RETURN OLD;
  END IF;
  SELECT * INTO asked FROM approvals_review WHERE id = NEW.review_id;
  SELECT public_id INTO who FROM registry_person WHERE id = NEW.decider_id;
  IF asked.requester_id = NEW.decider_id OR who = ANY (asked.excluded) THEN
    RAISE EXCEPTION 'nobody decides their own matter'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_reviewdecision_four_eyes';
  END IF;
  IF asked.state <> 'open' OR asked.expires_at <= statement_timestamp() THEN
    RAISE EXCEPTION 'only an open review is decided'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_reviewdecision_while_open';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER approvals_reviewdecision_guard
  BEFORE INSERT OR UPDATE OR DELETE ON approvals_reviewdecision
  FOR EACH ROW EXECUTE FUNCTION approvals_reviewdecision_guard();
"""

BACKWARD = """
DROP TRIGGER approvals_reviewdecision_guard ON approvals_reviewdecision;
DROP FUNCTION approvals_reviewdecision_guard();
DROP TRIGGER approvals_review_guard ON approvals_review;
DROP FUNCTION approvals_review_guard();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0001_initial'),
        ('registry', '0002_sign_in_and_tokens'),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
