"""Whom a review is put to: an audience of roles, teams and people, in place of one role.

What the database refuses follows: a decision is to one digest, one human counts once
whichever account they use, and a review is escalated once and not before its time.
"""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.functions.comparison
from django.conf import settings
from django.db import migrations, models

MAILBOX = """
CREATE FUNCTION approvals_mailbox(email text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
AS $$ SELECT lower(regexp_replace(email, '\\+[^@]*@', '@')) $$;
"""

# What is fixed by trigger is filled with the triggers off, for these two statements alone.
FILL = """
ALTER TABLE approvals_review DISABLE TRIGGER approvals_review_guard;
UPDATE approvals_review
   SET audience = ARRAY['role:' || required_role],
       asked_by = (SELECT 'person:' || public_id FROM registry_person WHERE id = requester_id),
       about_agent = CASE WHEN subject LIKE 'agent:%' THEN substr(subject, 7) ELSE '' END,
       stakes = CASE WHEN kind = 'erasure' THEN 'high' ELSE 'usual' END;
ALTER TABLE approvals_review ENABLE TRIGGER approvals_review_guard;
ALTER TABLE approvals_reviewdecision DISABLE TRIGGER approvals_reviewdecision_guard;
UPDATE approvals_reviewdecision d SET digest = r.digest
  FROM approvals_review r WHERE r.id = d.review_id;
ALTER TABLE approvals_reviewdecision ENABLE TRIGGER approvals_reviewdecision_guard;
"""

EMPTY = """
ALTER TABLE approvals_review DISABLE TRIGGER approvals_review_guard;
UPDATE approvals_review SET required_role = COALESCE(
  (SELECT substr(ref, 6) FROM unnest(audience) ref WHERE ref LIKE 'role:%' LIMIT 1), 'security');
ALTER TABLE approvals_review ENABLE TRIGGER approvals_review_guard;
"""

GUARDS = """
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
"""

EARLIER_GUARDS = """
CREATE OR REPLACE FUNCTION approvals_review_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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


CREATE OR REPLACE FUNCTION approvals_reviewdecision_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


class Migration(migrations.Migration):

    dependencies = [
        ('approvals', '0006_alter_review_kind'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(MAILBOX, 'DROP FUNCTION approvals_mailbox(text)'),
        migrations.RemoveConstraint(
            model_name='reviewdecision',
            name='approvals_reviewdecision_one_each',
        ),
        migrations.RemoveIndex(
            model_name='review',
            name='approvals_review_inbox_idx',
        ),
        migrations.AddField(
            model_name='review',
            name='about_agent',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='review',
            name='asked_by',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='review',
            name='audience',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='review',
            name='edited_digest',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='review',
            name='escalate_to',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), blank=True, default=list, size=None),
        ),
        migrations.AddField(
            model_name='review',
            name='escalated_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='review',
            name='escalates_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='review',
            name='operation',
            field=models.TextField(blank=True, default=''),
        ),
        migrations.AddField(
            model_name='review',
            name='stakes',
            field=models.TextField(choices=[('usual', 'Usual'), ('high', 'High')], default='usual'),
        ),
        migrations.AddField(
            model_name='reviewdecision',
            name='digest',
            field=models.TextField(default=''),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='reviewdecision',
            name='is_edited',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='reviewdecision',
            name='on_behalf_of',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.RunSQL(GUARDS, EARLIER_GUARDS),
        migrations.RunSQL(FILL, EMPTY),
        migrations.RemoveField(
            model_name='review',
            name='required_role',
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(condition=models.Q(('state', 'open')), fields=['expires_at', 'public_id'], name='approvals_review_inbox_idx'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=django.contrib.postgres.indexes.GinIndex(condition=models.Q(('state', 'open')), fields=['audience'], name='approvals_review_audience_idx'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(condition=models.Q(('escalates_at__isnull', False), ('state', 'open')), fields=['escalates_at'], name='approvals_review_escalates_idx'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(fields=['about_agent', '-created_at'], name='approvals_review_agent_idx'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('audience__len__gt', 0)), name='approvals_review_asks_somebody'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('escalate_to__len', 0), ('escalates_at__isnull', True)), models.Q(('escalate_to__len__gt', 0), ('escalates_at__isnull', False)), _connector='OR'), name='approvals_review_escalates_to_somebody'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('escalated_at__isnull', True), ('escalates_at__isnull', False), _connector='OR'), name='approvals_review_escalated_only_as_asked'),
        ),
        migrations.AddConstraint(
            model_name='reviewdecision',
            constraint=models.UniqueConstraint(fields=('review', 'decider', 'digest'), name='approvals_reviewdecision_one_each'),
        ),
        migrations.AddConstraint(
            model_name='reviewdecision',
            constraint=models.UniqueConstraint(models.F('review'), models.F('digest'), django.db.models.functions.comparison.Coalesce('on_behalf_of', 'decider'), name='approvals_reviewdecision_one_per_right'),
        ),
        migrations.AddConstraint(
            model_name='reviewdecision',
            constraint=models.CheckConstraint(condition=models.Q(('on_behalf_of', models.F('decider')), _negated=True), name='approvals_reviewdecision_not_for_oneself'),
        ),
    ]
