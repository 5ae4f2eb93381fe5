"""A database that refuses to forget: payloads by month, refusals, and what ends a payload.

Triggers are the seat-belt (a superuser can take it off), grants the lock: see
`ledger.grants`. Hand-written SQL; each piece may be run again over itself.

The application's role destroys and drops through three functions that run as the owner and
check everything themselves; what it asks for in another way is refused. Lock numbers are
advisory: 7301 keys in use, 7302 holds, 7303 the shred journal's next line.
"""

from django.db import migrations

PAYLOAD = """
CREATE TABLE IF NOT EXISTS ledger_payload (
    entry_id text NOT NULL,
    recorded_at timestamptz NOT NULL,
    dek_id text NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    CONSTRAINT ledger_payload_pkey PRIMARY KEY (entry_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
ALTER TABLE ledger_payload ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
CREATE TABLE IF NOT EXISTS ledger_payload_default PARTITION OF ledger_payload DEFAULT;
"""

REFUSE = """
CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_append_only',
              HINT = 'What is recorded stays. Record a further entry instead.';
END $$;
"""

# Row triggers of a partitioned table are cloned to its partitions, statement triggers are
# not; so payloads are guarded by row, and against TRUNCATE by a trigger on every partition.
PAYLOAD_REFUSALS = """
CREATE OR REPLACE TRIGGER ledger_payload_append_only BEFORE UPDATE OR DELETE ON ledger_payload
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE OR REPLACE TRIGGER ledger_payload_no_truncate BEFORE TRUNCATE ON ledger_payload
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE OR REPLACE TRIGGER ledger_payload_no_truncate BEFORE TRUNCATE ON ledger_payload_default
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""

# Only ever inserted.
APPEND_ONLY = (
    "ledger_entry",
    "ledger_artifact",  # what entries name by digest, kept once
    "ledger_epoch",
    "ledger_suspension",
    "ledger_leaf",
    "ledger_tile",
    "ledger_checkpoint",
    "ledger_checkpointsignature",
    "ledger_sequencerreport",  # what the sequencer says of itself, kept as it was said
    "ledger_retentionfloor",
    "ledger_retentionage",
    "ledger_droppedmonth",
)


def no_truncate(table: str) -> str:
    return f"""
CREATE OR REPLACE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""


REFUSALS = "".join(
    f"""
CREATE OR REPLACE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""
    + no_truncate(table)
    for table in APPEND_ONLY
) + "".join(
    f"""
CREATE OR REPLACE TRIGGER {table}_kept BEFORE {verbs} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""
    + no_truncate(table)
    for table, verbs in (
        ("ledger_datakey", "DELETE"),
        ("ledger_retiredringkey", "UPDATE OR DELETE"),
        ("ledger_legalhold", "DELETE"),
        ("ledger_shredding", "DELETE"),
    )
)

DATA_KEYS = """
CREATE OR REPLACE FUNCTION ledger_is_owner() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class
    WHERE oid = 'public.ledger_datakey'::regclass
$$;

-- A data key is sealed anew when its ring rotates, and shredded once. Nothing else, and a
-- shredded key never comes back; its tombstone may be named later, once.
CREATE OR REPLACE FUNCTION ledger_datakey_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.dek_id, NEW.scope, NEW.data_class, NEW.created_at)
          IS DISTINCT FROM (OLD.dek_id, OLD.scope, OLD.data_class, OLD.created_at)
       OR (OLD.state <> 'active' AND (
          (NEW.state, NEW.wrapped_key, NEW.ring_key_id, NEW.shredded_at)
          IS DISTINCT FROM (OLD.state, OLD.wrapped_key, OLD.ring_key_id, OLD.shredded_at)
          OR OLD.shredded_by IS NOT NULL OR NEW.shredded_by IS NULL))
       OR (NEW.state = 'active' AND NEW.shredded_by IS NOT NULL) THEN
        RAISE EXCEPTION 'data key % can be sealed anew or shredded, nothing else', OLD.dek_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_datakey_guard';
    END IF;
    IF NEW.state <> 'active' AND NOT ledger_is_owner() THEN
        RAISE EXCEPTION 'data key % is shredded by ledger_shred alone', OLD.dek_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_datakey_guard';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER ledger_datakey_guard BEFORE UPDATE ON ledger_datakey
    FOR EACH ROW EXECUTE FUNCTION ledger_datakey_guard();

-- A payload whose key is unknown or shredded could never be read: the writer must learn it.
-- The shared lock orders payloads against the destruction of keys that are still in use: a
-- payload is either there before its key goes, or its writer sees the destruction.
CREATE OR REPLACE FUNCTION ledger_payload_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7301);
    IF EXISTS (
        SELECT FROM added LEFT JOIN ledger_datakey kept USING (dek_id)
        WHERE kept.state IS DISTINCT FROM 'active'
    ) THEN
        RAISE EXCEPTION 'a payload is encrypted under a data key that is not active'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_payload_key_active';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER ledger_payload_key_guard AFTER INSERT ON ledger_payload
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_payload_key_guard();

-- The lock orders this check against the retirement of a key: whoever seals to it is either
-- seen by the rotation, or sees the retirement and is refused.
CREATE OR REPLACE FUNCTION ledger_refuse_retired_ring_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    named text := coalesce(TG_ARGV[0], to_jsonb(NEW) ->> 'ring');
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext('unsprawl.ring'), hashtext(named));
    IF EXISTS (
        SELECT FROM ledger_retiredringkey
        WHERE ring = named AND ring_key_id = NEW.ring_key_id
    ) THEN
        RAISE EXCEPTION 'key % of ring % is retired; seal to the active key', NEW.ring_key_id, named
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_ring_key_retired';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER ledger_datakey_ring BEFORE INSERT OR UPDATE OF ring_key_id ON ledger_datakey
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_retired_ring_key('payload');

CREATE INDEX IF NOT EXISTS ledger_datakey_agent_idx ON ledger_datakey (split_part(scope, '/', 1));
CREATE INDEX IF NOT EXISTS ledger_datakey_tag_idx ON ledger_datakey (split_part(scope, '/', 2))
    WHERE split_part(scope, '/', 2) <> '';
CREATE INDEX IF NOT EXISTS ledger_datakey_age_idx ON ledger_datakey (data_class, created_at)
    WHERE state = 'active';
"""

PARTITIONS = """
-- Makes the partitions of this month (UTC) and of so many months ahead; returns how many are
-- new. A month whose rows already lie in the default partition stays there.
CREATE OR REPLACE FUNCTION ledger_ensure_partitions(months int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    starts timestamp;
    named text;
    made int := 0;
BEGIN
    IF months IS NULL OR months < 0 OR months > 240 THEN
        RAISE EXCEPTION 'months must be from 0 to 240' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR ahead IN 0..months LOOP
        starts := date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => ahead);
        named := 'ledger_payload_' || to_char(starts, 'YYYY_MM');
        CONTINUE WHEN to_regclass(named) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF ledger_payload FOR VALUES FROM (%L) TO (%L)',
                named, starts || '+00', (starts + make_interval(months => 1)) || '+00');
            EXECUTE format(
                'CREATE TRIGGER ledger_payload_no_truncate BEFORE TRUNCATE ON %I
                 FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()', named);
            made := made + 1;
        EXCEPTION WHEN check_violation THEN
            RAISE NOTICE '% stays in the default partition', named;
        END;
    END LOOP;
    RETURN made;
END $$;
"""

SUSPENSION = """
-- After a restore nobody may go on as if nothing had been lost: only a further epoch ends it.
CREATE OR REPLACE FUNCTION ledger_refuse_while_suspended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ledger_suspension
        WHERE epoch_id = (SELECT number FROM ledger_epoch ORDER BY number DESC LIMIT 1)
    ) THEN
        RAISE EXCEPTION 'nothing may be recorded until an operator opens a further epoch'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_suspended';
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER ledger_entry_not_while_suspended BEFORE INSERT ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_while_suspended();
"""

AGES = """
CREATE OR REPLACE FUNCTION ledger_floor_days() RETURNS int LANGUAGE sql STABLE AS $$
    SELECT greatest(184, coalesce(max(days), 184)) FROM ledger_retentionfloor
$$;

-- The age of a data class as it is in force, or nothing where it is kept without end.
CREATE OR REPLACE FUNCTION ledger_age_days(class text) RETURNS int LANGUAGE sql STABLE AS $$
    WITH told AS (
        SELECT days FROM ledger_retentionage
        WHERE data_class IN (class, '') AND effective_at <= now()
        ORDER BY data_class = class AND class <> '' DESC, id DESC LIMIT 1
    )
    SELECT CASE WHEN days IS NOT NULL THEN greatest(days, ledger_floor_days()) END FROM told
$$;

CREATE OR REPLACE FUNCTION ledger_floor_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.days < ledger_floor_days() THEN
        RAISE EXCEPTION 'the floor is % days and only rises', ledger_floor_days()
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_retention_floor';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER ledger_floor_rises BEFORE INSERT ON ledger_retentionfloor
    FOR EACH ROW EXECUTE FUNCTION ledger_floor_rises();

-- No age below the floor; a shorter one takes effect after seven days, in which it is seen.
CREATE OR REPLACE FUNCTION ledger_age_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.days < ledger_floor_days() THEN
        RAISE EXCEPTION 'payloads are kept for % days at least', ledger_floor_days()
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_retention_floor';
    END IF;
    IF NEW.days IS NOT NULL AND NEW.effective_at < now() + interval '7 days' - interval '1 minute'
       AND NEW.days < coalesce(ledger_age_days(NEW.data_class), 2147483647) THEN
        RAISE EXCEPTION 'a shorter age takes effect after seven days'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_retention_notice';
    END IF;
    IF NEW.set_at NOT BETWEEN now() - interval '1 hour' AND now() + interval '1 minute' THEN
        RAISE EXCEPTION 'an age is set now'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_retention_notice';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER ledger_age_guard BEFORE INSERT ON ledger_retentionage
    FOR EACH ROW EXECUTE FUNCTION ledger_age_guard();
"""

HOLDS = """
-- A hold is ended once, and nothing else of it changes.
CREATE OR REPLACE FUNCTION ledger_legalhold_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7302);  -- whoever destroys now is done, or sees this hold
    IF TG_OP = 'UPDATE' AND (OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
       OR (NEW.id, NEW.public_id, NEW.scope, NEW.subject, NEW.starts_at, NEW.ends_at, NEW.reason,
           NEW.placed_by, NEW.placed_at, NEW.entry)
       IS DISTINCT FROM (OLD.id, OLD.public_id, OLD.scope, OLD.subject, OLD.starts_at, OLD.ends_at,
           OLD.reason, OLD.placed_by, OLD.placed_at, OLD.entry)) THEN
        RAISE EXCEPTION 'hold % can be ended once, nothing else', OLD.public_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_legalhold_guard';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'a hold begins in force'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_legalhold_guard';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER ledger_legalhold_guard BEFORE INSERT OR UPDATE ON ledger_legalhold
    FOR EACH ROW EXECUTE FUNCTION ledger_legalhold_guard();

CREATE OR REPLACE FUNCTION ledger_shredding_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.entry IS NOT NULL OR NEW.entry IS NULL
       OR (NEW.shred_id, NEW.why, NEW.keys, NEW.line, NEW.line_sha256, NEW.shredded_at)
       IS DISTINCT FROM (OLD.shred_id, OLD.why, OLD.keys, OLD.line, OLD.line_sha256,
           OLD.shredded_at) THEN
        RAISE EXCEPTION 'shredding % gets its tombstone once, nothing else', OLD.shred_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_append_only';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER ledger_shredding_guard BEFORE UPDATE ON ledger_shredding
    FOR EACH ROW EXECUTE FUNCTION ledger_shredding_guard();
"""

# A tombstone is of the commit that it speaks of: no older entry stands for a new destruction.
RECORDED = """
-- Nothing of this happens off the record: at the commit the entry it names is there.
CREATE OR REPLACE FUNCTION ledger_must_be_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.entry IS NOT NULL AND NOT EXISTS (
        SELECT FROM ledger_entry WHERE entry_id = NEW.entry AND verb = TG_ARGV[0]
          AND xid = pg_current_xact_id()
    ) THEN
        RAISE EXCEPTION '% names entry %, and there is no such % entry',
            TG_TABLE_NAME, NEW.entry, TG_ARGV[0]
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_must_be_recorded';
    END IF;
    RETURN NULL;
END $$;
""" + "".join(
    f"""
DROP TRIGGER IF EXISTS {table}_recorded ON {table};
CREATE CONSTRAINT TRIGGER {table}_recorded AFTER INSERT ON {table}
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION ledger_must_be_recorded('{verb}');
"""
    for table, verb in (
        ("ledger_retentionage", "retention.set"),
        ("ledger_legalhold", "hold.placed"),
        ("ledger_droppedmonth", "payloads.dropped"),
        ("ledger_shredding", "datakey.shredded"),
    )
)

SHREDDING = """
-- Which holds cover which of these keys. A key is used for an hour; its time is taken wider.
CREATE OR REPLACE FUNCTION ledger_held(keys text[]) RETURNS TABLE (dek_id text, hold text)
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    SELECT k.dek_id, h.public_id
    FROM ledger_datakey k JOIN ledger_legalhold h ON h.ended_at IS NULL AND (
        h.scope = 'everything'
        OR (h.scope = 'agent' AND split_part(k.scope, '/', 1) = h.subject)
        OR (h.scope = 'data_subject' AND split_part(k.scope, '/', 2) = h.subject)
        OR (h.scope = 'period' AND k.created_at < h.ends_at + interval '10 minutes'
            AND k.created_at > h.starts_at - interval '2 hours'))
    WHERE k.dek_id = ANY (keys)
    UNION
    SELECT p.dek_id, h.public_id
    FROM ledger_legalhold h
    JOIN ledger_entry e ON e.stream = h.subject
    JOIN ledger_payload p ON p.entry_id = e.entry_id AND p.recorded_at = e.recorded_at
    WHERE h.scope = 'run' AND h.ended_at IS NULL AND p.dek_id = ANY (keys)
$$;

-- Locks those of these keys that may be destroyed now, and returns them in order. The locks
-- last to the commit: no hold comes in between, and no payload under a key in use.
CREATE OR REPLACE FUNCTION ledger_shreddable(keys text[], reason text) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
BEGIN
    IF reason IS NULL OR reason NOT IN ('request', 'age') OR cardinality(keys) > 500 THEN
        RAISE EXCEPTION 'keys are destroyed by request or by age, 500 at a time'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM pg_advisory_xact_lock(7303);
    PERFORM pg_advisory_xact_lock_shared(7302);
    IF EXISTS (
        SELECT FROM ledger_datakey k
        WHERE k.dek_id = ANY (keys) AND k.created_at > now() - interval '1 day'
    ) THEN
        PERFORM pg_advisory_xact_lock(7301);
    END IF;
    RETURN QUERY
        SELECT k.dek_id FROM ledger_datakey k
        WHERE k.dek_id = ANY (keys) AND k.state = 'active'
          AND (reason <> 'age' OR k.created_at + interval '2 hours'
               + make_interval(days => ledger_age_days(k.data_class)) <= now())
          AND NOT EXISTS (SELECT FROM ledger_held(keys) h WHERE h.dek_id = k.dek_id)
        ORDER BY k.dek_id COLLATE "C" FOR UPDATE OF k;
END $$;

-- Destroys keys: all that are named, or none. The tombstone must be there at the commit.
CREATE OR REPLACE FUNCTION ledger_shred(
    shred text, tombstone text, reason text, keys text[], line bigint, line_sha256 bytea
) RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
DECLARE
    told int := 0;
    place text;
BEGIN
    IF tombstone IS NULL OR cardinality(keys) = 0
       OR (SELECT count(*) FROM ledger_shreddable(keys, reason)) <> cardinality(keys) THEN
        RAISE EXCEPTION 'of these keys some may not be destroyed'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_not_shreddable';
    END IF;
    INSERT INTO ledger_shredding (shred_id, why, keys, line, line_sha256, entry, shredded_at)
        VALUES (shred, reason, cardinality(keys), line, line_sha256, tombstone, now());
    UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now(),
        shredded_by = tombstone
        WHERE dek_id = ANY (keys) AND state = 'active';
    FOR place IN SELECT DISTINCT scope FROM ledger_datakey WHERE dek_id = ANY (keys) LOOP
        told := told + 1;
        PERFORM pg_notify('unsprawl_shred', CASE WHEN told > 20 THEN '*' ELSE place END);
    END LOOP;
    RETURN cardinality(keys);
END $$;

-- Destroys again what the journal says was destroyed, whatever a hold or an age says now. A key
-- that this database never had is noted as destroyed, so that it can never come.
CREATE OR REPLACE FUNCTION ledger_shred_again(shred text, keys text[], line bigint, line_sha256 bytea)
RETURNS SETOF text LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    done text[];
BEGIN
    PERFORM pg_advisory_xact_lock(7301);
    WITH gone AS (
        UPDATE ledger_datakey SET state = 'shredded', wrapped_key = NULL, shredded_at = now()
        WHERE dek_id = ANY (keys) AND state = 'active' RETURNING dek_id
    ), never AS (
        INSERT INTO ledger_datakey
            (dek_id, scope, data_class, ring_key_id, state, created_at, shredded_at)
        SELECT named, '', '', '', 'shredded', now(), now() FROM unnest(keys) AS named
        WHERE NOT EXISTS (SELECT FROM ledger_datakey k WHERE k.dek_id = named)
        RETURNING dek_id
    )
    SELECT array_agg(dek_id ORDER BY dek_id COLLATE "C")
        FROM (SELECT dek_id FROM gone UNION ALL SELECT dek_id FROM never) AS changed INTO done;
    INSERT INTO ledger_shredding (shred_id, why, keys, line, line_sha256, shredded_at)
        VALUES (shred, 'journal', coalesce(cardinality(done), 0), line, line_sha256, now());
    PERFORM pg_notify('unsprawl_shred', '*');
    RETURN QUERY SELECT unnest(done);
END $$;
"""

MONTHS = """
CREATE OR REPLACE FUNCTION ledger_keep_months_ahead() RETURNS int LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '1s' AS $$
    SELECT ledger_ensure_partitions(12)
$$;

-- Drops the payloads of a month whose every key is destroyed, once the floor is behind it. A
-- hold keeps keys, and so the month. Writers wait half a second at most.
CREATE OR REPLACE FUNCTION ledger_drop_month(named text, tombstone text, OUT payloads bigint, OUT bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '500ms' AS $$
DECLARE
    part text := 'ledger_payload_' || replace(named, '-', '_');
    starts timestamptz;
    ends timestamptz;
    is_alive boolean;
BEGIN
    IF named IS NULL OR tombstone IS NULL OR named !~ '^[0-9]{4}-(0[1-9]|1[0-2])$'
       OR NOT EXISTS (
        SELECT FROM pg_inherits WHERE inhparent = 'public.ledger_payload'::regclass
          AND inhrelid = to_regclass('public.' || part)) THEN
        RAISE EXCEPTION 'there are no payloads of %', named
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_month_unknown';
    END IF;
    starts := (named || '-01 00:00:00+00')::timestamptz;
    ends := ((named || '-01')::date + interval '1 month')::timestamp AT TIME ZONE 'UTC';
    IF ends + make_interval(days => ledger_floor_days()) > now() THEN
        RAISE EXCEPTION 'payloads of % are kept for % days at least', named, ledger_floor_days()
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_retention_floor';
    END IF;
    EXECUTE format('LOCK TABLE %I IN SHARE MODE', part);
    EXECUTE format(
        'SELECT EXISTS (SELECT FROM %I JOIN ledger_datakey USING (dek_id) WHERE state = ''active'')',
        part) INTO is_alive;
    IF is_alive THEN
        RAISE EXCEPTION 'of the keys of % not all are destroyed', named
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_month_readable';
    END IF;
    EXECUTE format('SELECT count(*) FROM %I', part) INTO payloads;
    bytes := pg_total_relation_size(to_regclass('public.' || part));
    EXECUTE format('DROP TABLE %I', part);
    INSERT INTO ledger_droppedmonth (month, starts_at, ends_at, payloads, bytes, entry, dropped_at)
        VALUES (named, starts, ends, payloads, bytes, tombstone, now());
END $$;

REVOKE ALL ON FUNCTION ledger_shreddable(text[], text),
    ledger_shred(text, text, text, text[], bigint, bytea),
    ledger_shred_again(text, text[], bigint, bytea),
    ledger_keep_months_ahead(), ledger_drop_month(text, text) FROM PUBLIC;
"""

# Triggers go with their functions.
REVERSE = """
DROP FUNCTION ledger_drop_month(text, text);
DROP FUNCTION ledger_keep_months_ahead();
DROP FUNCTION ledger_shred_again(text, text[], bigint, bytea);
DROP FUNCTION ledger_shred(text, text, text, text[], bigint, bytea);
DROP FUNCTION ledger_shreddable(text[], text);
DROP FUNCTION ledger_held(text[]);
DROP FUNCTION ledger_must_be_recorded() CASCADE;
DROP FUNCTION ledger_shredding_guard() CASCADE;
DROP FUNCTION ledger_legalhold_guard() CASCADE;
DROP FUNCTION ledger_age_guard() CASCADE;
DROP FUNCTION ledger_floor_rises() CASCADE;
DROP FUNCTION ledger_age_days(text);
DROP FUNCTION ledger_floor_days();
DROP FUNCTION ledger_refuse_while_suspended() CASCADE;
DROP FUNCTION ledger_ensure_partitions(int);
DROP INDEX ledger_datakey_age_idx;
DROP INDEX ledger_datakey_tag_idx;
DROP INDEX ledger_datakey_agent_idx;
DROP FUNCTION ledger_refuse_retired_ring_key() CASCADE;
DROP FUNCTION ledger_payload_key_guard() CASCADE;
DROP FUNCTION ledger_datakey_guard() CASCADE;
DROP FUNCTION ledger_is_owner();
DROP FUNCTION ledger_refuse() CASCADE;
DROP TABLE ledger_payload;
"""


class Migration(migrations.Migration):

    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.RunSQL(
            PAYLOAD + REFUSE + PAYLOAD_REFUSALS + REFUSALS + DATA_KEYS + PARTITIONS + SUSPENSION
            + AGES + HOLDS + RECORDED + SHREDDING + MONTHS,
            REVERSE,
        )
    ]
