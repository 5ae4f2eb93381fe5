"""A stop that is placed or lifted rings the bell of the gateways, raw SQL included."""

from importlib import import_module

from django.db import migrations

_bell = import_module("routing.migrations.0003_snapshot_bell")
# What was proven of a stop is for people.
QUIET = ("last_report",)


class Migration(migrations.Migration):
    dependencies = [("routing", "0010_stops")]

    operations = [
        migrations.RunSQL(
            _bell.triggers("routing_stop", QUIET),
            _bell.drops("routing_stop"),
        )
    ]
