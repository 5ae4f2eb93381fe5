"""The bell of the gateways, names of routes told apart, and room in the windows of budgets.

Every change to a table that a gateway snapshot reads rings its bell, raw SQL included. An
update rings only when a column changed that a snapshot could read: a note of when a key was
last used must not make every gateway reload. The comparison takes all columns but the named
ones, so that a column added later rings without another migration. A table added later gets
its triggers from `ringing`. Each piece may be run again over itself.
"""

from django.db import migrations

BELL = """
CREATE OR REPLACE FUNCTION unsprawl_ring_snapshot() RETURNS trigger LANGUAGE plpgsql AS $$
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

# What rings, and which of its columns do not.
WATCHED = {
    "registry_agent": (),
    "registry_agentkey": ("last_used_at",),
    "registry_person": ("last_login", "password", "time_zone"),
    "routing_vendor": ("last_tested_at", "last_test"),
    "routing_model": (),
    "routing_route": (),
    "routing_routetarget": (),
    "credentials_secret": (),
    "routing_budget": (),
    # What was proven of a stop is for people.
    "routing_stop": ("last_report",),
    "routing_delegationend": (),
    # An activation or a grant that begins or ends.
    "rules_activation": (),
    "rules_grant": (),
    # What is said of a shift is for people; what a gateway reads is who moves whereto, and how
    # many.
    "routing_shift": (
        "subject", "reason", "set_by", "begun_at", "changed_at", "ended_by", "ended_reason",
    ),
}


def ringing(table: str, quiet: tuple[str, ...]) -> str:
    names = ", ".join(f"'{column}'" for column in quiet)
    return f"""
CREATE OR REPLACE TRIGGER {table}_rings_rows AFTER INSERT OR DELETE OR TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION unsprawl_ring_snapshot();
CREATE OR REPLACE TRIGGER {table}_rings_change AFTER UPDATE ON {table}
    FOR EACH ROW EXECUTE FUNCTION unsprawl_ring_snapshot({names});
"""


APART = """
CREATE OR REPLACE FUNCTION routing_route_names_apart() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Two that are told apart one after the other, never both before either is seen.
    PERFORM pg_advisory_xact_lock(hashtext('routing_route_names_apart'));
    IF NEW.name = ANY(NEW.aliases) OR EXISTS (
        SELECT 1 FROM routing_route AS other WHERE other.id <> NEW.id AND (
            other.name = ANY(NEW.aliases) OR NEW.name = ANY(other.aliases)
            OR other.aliases && NEW.aliases)
    ) THEN
        RAISE EXCEPTION 'a route is called by one of these names already'
            USING ERRCODE = 'unique_violation', CONSTRAINT = 'routing_route_names_apart';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER routing_route_names_apart
    BEFORE INSERT OR UPDATE OF name, aliases ON routing_route
    FOR EACH ROW EXECUTE FUNCTION routing_route_names_apart();
"""

# Windows are updated with every commit: room beside each keeps the index out of it.
WINDOWS = "ALTER TABLE routing_budgetwindow SET (fillfactor = 60);"

# Triggers go with their functions.
REVERSE = """
DROP FUNCTION routing_route_names_apart() CASCADE;
DROP FUNCTION unsprawl_ring_snapshot() CASCADE;
ALTER TABLE routing_budgetwindow RESET (fillfactor);
"""


class Migration(migrations.Migration):

    dependencies = [
        ("routing", "0001_initial"),
        ("registry", "0001_initial"),
        ("credentials", "0001_initial"),
        ("rules", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(
            BELL + "".join(ringing(*watched) for watched in WATCHED.items()) + APART + WINDOWS,
            REVERSE,
        )
    ]
