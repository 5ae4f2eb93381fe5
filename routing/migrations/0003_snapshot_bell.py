"""Every change to a table that a gateway snapshot reads rings its bell, raw SQL included.

An update rings only when a column changed that a snapshot could read: a note of when a key
was last used must not make every gateway reload. The comparison takes all columns but the
named ones, so that a column added later rings without another migration.
"""

from django.db import migrations

WATCHED = {
    "registry_agent": (),
    "registry_agentkey": ("last_used_at",),
    "registry_person": ("last_login", "password", "time_zone"),
    "routing_vendor": ("last_tested_at", "last_test"),
    "routing_model": (),
    "routing_route": (),
    "routing_routetarget": (),
    "credentials_secret": (),
}

FUNCTION = """
CREATE FUNCTION unsprawl_ring_snapshot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_LEVEL = 'ROW' AND to_jsonb(NEW) - TG_ARGV = to_jsonb(OLD) - TG_ARGV THEN
        RETURN NULL;
    END IF;
    -- Equal messages of one transaction are delivered once.
    PERFORM pg_notify('unsprawl_snapshot', TG_TABLE_NAME);
    RETURN NULL;
END
$$;
"""


def triggers(table: str, quiet: tuple[str, ...]) -> str:
    names = ", ".join(f"'{column}'" for column in quiet)
    return f"""
CREATE TRIGGER {table}_rings_rows AFTER INSERT OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION unsprawl_ring_snapshot();
CREATE TRIGGER {table}_rings_change AFTER UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION unsprawl_ring_snapshot({names});
"""


def drops(table: str) -> str:
    return f"""
DROP TRIGGER IF EXISTS {table}_rings_rows ON {table};
DROP TRIGGER IF EXISTS {table}_rings_change ON {table};
"""


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0002_catalogue_detail_and_use"),
        ("registry", "0001_initial"),
        ("credentials", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(
            FUNCTION + "".join(triggers(table, quiet) for table, quiet in WATCHED.items()),
            "".join(drops(table) for table in WATCHED)
            + "DROP FUNCTION IF EXISTS unsprawl_ring_snapshot();",
        )
    ]
