"""A secret that is sealed stays as it is, and none is sealed to a key that is retired.

Each piece may be run again over itself.
"""

from django.db import migrations

GUARDS = """
-- A secret's identity and ciphertext never change: only its wrapping, when the ring rotates,
-- and its end.
CREATE OR REPLACE FUNCTION credentials_secret_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.public_id, NEW.ring, NEW.holder, NEW.version, NEW.nonce, NEW.ciphertext,
        NEW.created_by, NEW.created_at)
       IS DISTINCT FROM
       (OLD.public_id, OLD.ring, OLD.holder, OLD.version, OLD.nonce, OLD.ciphertext,
        OLD.created_by, OLD.created_at)
       OR (OLD.retired_at IS NOT NULL AND NEW.retired_at IS DISTINCT FROM OLD.retired_at) THEN
        RAISE EXCEPTION 'secret % is sealed: only its wrapping and its end may change', OLD.public_id
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'credentials_secret_guard';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER credentials_secret_guard BEFORE UPDATE ON credentials_secret
    FOR EACH ROW EXECUTE FUNCTION credentials_secret_guard();
CREATE OR REPLACE TRIGGER credentials_secret_ring BEFORE INSERT OR UPDATE OF ring_key_id ON credentials_secret
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_retired_ring_key();
"""

REVERSE = """
DROP TRIGGER credentials_secret_ring ON credentials_secret;
DROP FUNCTION credentials_secret_guard() CASCADE;
"""


class Migration(migrations.Migration):

    dependencies = [("credentials", "0001_initial"), ("ledger", "0002_guards")]

    operations = [migrations.RunSQL(GUARDS, REVERSE)]
