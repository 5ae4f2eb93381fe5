from django.db import migrations, models

GUARDS = """
-- A secret's identity and ciphertext never change: only its wrapping, when the ring rotates,
-- and its end.
CREATE FUNCTION credentials_secret_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER credentials_secret_guard BEFORE UPDATE ON credentials_secret
    FOR EACH ROW EXECUTE FUNCTION credentials_secret_guard();
CREATE TRIGGER credentials_secret_ring BEFORE INSERT OR UPDATE OF ring_key_id ON credentials_secret
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse_retired_ring_key();
"""

GUARDS_REVERSE = """
DROP TRIGGER credentials_secret_ring ON credentials_secret;
DROP TRIGGER credentials_secret_guard ON credentials_secret;
DROP FUNCTION credentials_secret_guard();
"""


class Migration(migrations.Migration):

    dependencies = [("credentials", "0001_initial"), ("ledger", "0002_append_only")]

    operations = [
        migrations.CreateModel(
            name="RingRotation",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ring", models.TextField(choices=[("vendor", "Vendor"), ("tool", "Tool"), ("payload", "Payload")])),
                ("ring_key_id", models.TextField()),
                ("started_by", models.TextField()),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("ring", "ring_key_id"), name="credentials_ringrotation_one_per_key"),
                    models.UniqueConstraint(condition=models.Q(("finished_at__isnull", True)), fields=("ring",), name="credentials_ringrotation_one_at_a_time"),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, GUARDS_REVERSE),
    ]
