"""Payloads by month, and a database that refuses to forget.

Triggers are the seat-belt (a superuser can take it off), grants the lock: see
`ledger.grants`. Hand-written SQL, each piece with its reverse.
"""

from django.db import migrations, models

PAYLOAD = """
CREATE TABLE ledger_payload (
    entry_id text NOT NULL,
    recorded_at timestamptz NOT NULL,
    dek_id text NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    CONSTRAINT ledger_payload_pkey PRIMARY KEY (entry_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
ALTER TABLE ledger_payload ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
CREATE TABLE ledger_payload_default PARTITION OF ledger_payload DEFAULT;
"""

REFUSALS = """
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_append_only',
              HINT = 'What is recorded stays. Record a further entry instead.';
END $$;

CREATE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_entry_no_truncate BEFORE TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

-- Row triggers of a partitioned table are cloned to its partitions, statement triggers are
-- not; so rows are guarded by row, and TRUNCATE by a trigger on every partition.
CREATE TRIGGER ledger_payload_append_only BEFORE UPDATE OR DELETE ON ledger_payload
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_payload_no_truncate BEFORE TRUNCATE ON ledger_payload
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_payload_no_truncate BEFORE TRUNCATE ON ledger_payload_default
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

CREATE TRIGGER ledger_datakey_kept BEFORE DELETE ON ledger_datakey
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_datakey_no_truncate BEFORE TRUNCATE ON ledger_datakey
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_retiredringkey_kept BEFORE UPDATE OR DELETE ON ledger_retiredringkey
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_retiredringkey_no_truncate BEFORE TRUNCATE ON ledger_retiredringkey
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""

REFUSALS_REVERSE = """
DROP TRIGGER ledger_entry_append_only ON ledger_entry;
DROP TRIGGER ledger_entry_no_truncate ON ledger_entry;
DROP TRIGGER ledger_payload_append_only ON ledger_payload;
DROP TRIGGER ledger_payload_no_truncate ON ledger_payload;
DROP TRIGGER ledger_datakey_kept ON ledger_datakey;
DROP TRIGGER ledger_datakey_no_truncate ON ledger_datakey;
DROP TRIGGER ledger_retiredringkey_kept ON ledger_retiredringkey;
DROP TRIGGER ledger_retiredringkey_no_truncate ON ledger_retiredringkey;
DROP FUNCTION ledger_refuse() CASCADE;
"""

DATA_KEYS = """
-- A data key is sealed anew when its ring rotates, and shredded once. Nothing else, and a
-- shredded key never comes back.
CREATE FUNCTION ledger_datakey_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'active'
       OR (NEW.dek_id, NEW.scope, NEW.data_class, NEW.created_at)
          IS DISTINCT FROM (OLD.dek_id, OLD.scope, OLD.data_class, OLD.created_at) THEN
        RAISE EXCEPTION 'data key % can be sealed anew or shredded, nothing else', OLD.dek_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_datakey_guard';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_datakey_guard BEFORE UPDATE ON ledger_datakey
    FOR EACH ROW EXECUTE FUNCTION ledger_datakey_guard();

-- A payload whose key is unknown or shredded could never be read: the writer must learn it.
CREATE FUNCTION ledger_payload_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM added LEFT JOIN ledger_datakey kept USING (dek_id)
        WHERE kept.state IS DISTINCT FROM 'active'
    ) THEN
        RAISE EXCEPTION 'a payload is encrypted under a data key that is not active'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_payload_key_active';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_payload_key_guard AFTER INSERT ON ledger_payload
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_payload_key_guard();

-- The lock orders this check against the retirement of a key: whoever seals to it is either
-- seen by the rotation, or sees the retirement and is refused.
CREATE FUNCTION ledger_refuse_retired_ring_key() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER ledger_datakey_ring BEFORE INSERT OR UPDATE OF ring_key_id ON ledger_datakey
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_retired_ring_key('payload');
"""

DATA_KEYS_REVERSE = """
DROP TRIGGER ledger_datakey_ring ON ledger_datakey;
DROP FUNCTION ledger_refuse_retired_ring_key();
DROP TRIGGER ledger_payload_key_guard ON ledger_payload;
DROP FUNCTION ledger_payload_key_guard();
DROP TRIGGER ledger_datakey_guard ON ledger_datakey;
DROP FUNCTION ledger_datakey_guard();
"""

PARTITIONS = """
-- Makes the partitions of this month (UTC) and of so many months ahead; returns how many are
-- new. A month whose rows already lie in the default partition stays there.
CREATE FUNCTION ledger_ensure_partitions(months int) RETURNS int LANGUAGE plpgsql AS $$
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


class Migration(migrations.Migration):

    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="RetiredRingKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ring", models.TextField()),
                ("ring_key_id", models.TextField()),
                ("retired_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("ring", "ring_key_id"), name="ledger_retiredringkey_once")
                ],
            },
        ),
        migrations.RunSQL(PAYLOAD, "DROP TABLE ledger_payload;"),
        migrations.RunSQL(REFUSALS, REFUSALS_REVERSE),
        migrations.RunSQL(DATA_KEYS, DATA_KEYS_REVERSE),
        migrations.RunSQL(PARTITIONS, "DROP FUNCTION ledger_ensure_partitions(int);"),
    ]
