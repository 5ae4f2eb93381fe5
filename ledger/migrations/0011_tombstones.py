"""A tombstone is of the commit that it speaks of: no older entry stands for a new destruction."""

from django.db import migrations

BODY = """
CREATE OR REPLACE FUNCTION ledger_must_be_recorded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.entry IS NOT NULL AND NOT EXISTS (
        SELECT FROM ledger_entry WHERE entry_id = NEW.entry AND verb = TG_ARGV[0]{more}
    ) THEN
        RAISE EXCEPTION '% names entry %, and there is no such % entry',
            TG_TABLE_NAME, NEW.entry, TG_ARGV[0]
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_must_be_recorded';
    END IF;
    RETURN NULL;
END $$;
"""
OF_THIS_COMMIT = """
          AND xid = pg_current_xact_id()"""


class Migration(migrations.Migration):

    dependencies = [("ledger", "0010_retention_guards")]

    operations = [
        migrations.RunSQL(BODY.format(more=OF_THIS_COMMIT), BODY.format(more="")),
    ]
