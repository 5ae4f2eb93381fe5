"""An activation or a grant that begins or ends rings the bell of the gateways, raw SQL included."""

from importlib import import_module

from django.db import migrations

_bell = import_module("routing.migrations.0003_snapshot_bell")
WATCHED = ("rules_activation", "rules_grant")


class Migration(migrations.Migration):
    dependencies = [
        ("routing", "0021_reevaluations_that_failed"),
        ("rules", "0002_grants"),
    ]

    operations = [
        migrations.RunSQL(
            "".join(_bell.triggers(table, ()) for table in WATCHED),
            "".join(_bell.drops(table) for table in WATCHED),
        )
    ]
