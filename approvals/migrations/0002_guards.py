"""What must never be, refused by the database: a changed question, one's own matter decided,
a yes without its quorum, an answer taken back.

A decision is to one digest, one human counts once whichever account they use, and a review is
escalated once and not before its time. Each piece may be run again over itself.
"""

from django.db import migrations

MAILBOX = """
CREATE OR REPLACE FUNCTION approvals_mailbox(email text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
AS $$ SELECT lower(regexp_replace(email, '\\+[^@]*@', '@')) $$;
"""

REVIEWS = """
CREATE OR REPLACE FUNCTION approvals_review_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  approvals integer;
  rejections integer;
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF NOT EXISTS (SELECT 1 FROM registry_agent
                   WHERE is_demo AND public_id = OLD.about_agent) THEN
      RAISE EXCEPTION 'a review is kept'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approvals_review_is_kept';
    END IF;
    RETURN OLD;
  END IF;
  IF (NEW.public_id, NEW.kind, NEW.subject, NEW.subject_name, NEW.digest, NEW.question,
      NEW.justification, NEW.evidence, NEW.requester_id, NEW.asked_by, NEW.about_agent,
      NEW.operation, NEW.stakes, NEW.excluded, NEW.audience, NEW.escalates_at,
      NEW.escalate_to, NEW.quorum, NEW.created_at)
     IS DISTINCT FROM
     (OLD.public_id, OLD.kind, OLD.subject, OLD.subject_name, OLD.digest, OLD.question,
      OLD.justification, OLD.evidence, OLD.requester_id, OLD.asked_by, OLD.about_agent,
      OLD.operation, OLD.stakes, OLD.excluded, OLD.audience, OLD.escalates_at,
      OLD.escalate_to, OLD.quorum, OLD.created_at) THEN
    RAISE EXCEPTION 'a question is never changed'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_review_question_is_fixed';
  END IF;
  IF OLD.state <> 'open'
     AND (NEW.state, NEW.settled_at, NEW.expires_at, NEW.edited_digest, NEW.escalated_at)
         IS DISTINCT FROM
         (OLD.state, OLD.settled_at, OLD.expires_at, OLD.edited_digest, OLD.escalated_at)
     OR OLD.redeemed_at IS NOT NULL AND NEW.redeemed_at IS DISTINCT FROM OLD.redeemed_at THEN
    RAISE EXCEPTION 'a settled review stays settled, and is redeemed once'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_review_settled_once';
  END IF;
  IF NEW.escalated_at IS DISTINCT FROM OLD.escalated_at
     AND (OLD.escalated_at IS NOT NULL OR NEW.escalates_at > statement_timestamp()) THEN
    RAISE EXCEPTION 'a review is escalated once, and not before its time'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_review_escalated_once';
  END IF;
  IF OLD.state = 'open' AND NEW.state IN ('approved', 'rejected') THEN
    -- One human counts once, whichever of their accounts they came with; and only an
    -- approval of what is approved counts.
    SELECT count(DISTINCT approvals_mailbox(p.email)) FILTER (
             WHERE d.decision = 'approve'
               AND d.digest = COALESCE(NULLIF(NEW.edited_digest, ''), NEW.digest)),
           count(*) FILTER (WHERE d.decision = 'reject')
      INTO approvals, rejections
      FROM approvals_reviewdecision d JOIN registry_person p ON p.id = d.decider_id
      WHERE d.review_id = NEW.id;
    IF NEW.state = 'approved' AND (approvals < NEW.quorum OR rejections > 0)
       OR NEW.state = 'rejected' AND rejections = 0 THEN
      RAISE EXCEPTION 'a review ends as its deciders say'
        USING ERRCODE = 'integrity_constraint_violation',
              CONSTRAINT = 'approvals_review_ends_as_decided';
    END IF;
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER approvals_review_guard
  BEFORE UPDATE OR DELETE ON approvals_review
  FOR EACH ROW EXECUTE FUNCTION approvals_review_guard();
"""

DECISIONS = """
CREATE OR REPLACE FUNCTION approvals_reviewdecision_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  asked approvals_review%ROWTYPE;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    RAISE EXCEPTION 'a decision is never changed'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_reviewdecision_is_fixed';
  END IF;
  IF TG_OP = 'DELETE' THEN
    IF NOT EXISTS (SELECT 1 FROM approvals_review r
                   JOIN registry_agent a ON a.public_id = r.about_agent
                   WHERE r.id = OLD.review_id AND a.is_demo) THEN
      RAISE EXCEPTION 'a decision is kept'
        USING ERRCODE = 'integrity_constraint_violation',
              CONSTRAINT = 'approvals_reviewdecision_is_kept';
    END IF;
    RETURN OLD;
  END IF;
  SELECT * INTO asked FROM approvals_review WHERE id = NEW.review_id;
  -- By mailbox: a second account of somebody who is barred is barred as they are, and a
  -- stand-in has no right that the absent person would not have.
  IF EXISTS (
    SELECT 1 FROM registry_person barred JOIN registry_person here
           ON approvals_mailbox(barred.email) = approvals_mailbox(here.email)
     WHERE (barred.id = asked.requester_id OR barred.public_id = ANY (asked.excluded))
       AND here.id IN (NEW.decider_id, NEW.on_behalf_of_id)
  ) THEN
    RAISE EXCEPTION 'nobody decides their own matter'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_reviewdecision_four_eyes';
  END IF;
  IF asked.state <> 'open' OR asked.expires_at <= statement_timestamp() THEN
    RAISE EXCEPTION 'only an open review is decided'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_reviewdecision_while_open';
  END IF;
  IF NEW.digest <> COALESCE(NULLIF(asked.edited_digest, ''), asked.digest) THEN
    RAISE EXCEPTION 'an answer is to what is asked now'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_reviewdecision_of_what_is_asked';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER approvals_reviewdecision_guard
  BEFORE INSERT OR UPDATE OR DELETE ON approvals_reviewdecision
  FOR EACH ROW EXECUTE FUNCTION approvals_reviewdecision_guard();
"""

# An answer in somebody's place needs that place: an absence in force that names both.
ABSENCES = """
CREATE OR REPLACE FUNCTION approvals_reviewdecision_lent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (
    SELECT 1 FROM approvals_absence
     WHERE person_id = NEW.on_behalf_of_id AND stand_in_id = NEW.decider_id
       AND ended_at IS NULL AND starts_at <= statement_timestamp()
       AND ends_at > statement_timestamp()
  ) THEN
    RAISE EXCEPTION 'nobody answers in the place of somebody who is not away'
      USING ERRCODE = 'integrity_constraint_violation',
            CONSTRAINT = 'approvals_reviewdecision_while_absent';
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER approvals_reviewdecision_lent
  AFTER INSERT ON approvals_reviewdecision
  FOR EACH ROW WHEN (NEW.on_behalf_of_id IS NOT NULL)
  EXECUTE FUNCTION approvals_reviewdecision_lent();
"""

# Triggers go with their functions.
REVERSE = """
DROP FUNCTION approvals_reviewdecision_lent() CASCADE;
DROP FUNCTION approvals_reviewdecision_guard() CASCADE;
DROP FUNCTION approvals_review_guard() CASCADE;
DROP FUNCTION approvals_mailbox(text);
"""


class Migration(migrations.Migration):

    dependencies = [("approvals", "0001_initial"), ("registry", "0001_initial")]

    operations = [migrations.RunSQL(MAILBOX + REVIEWS + DECISIONS + ABSENCES, REVERSE)]
