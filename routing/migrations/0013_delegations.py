"""Delegations, their ends, which run worked for which, and the tools agents were seen with."""

from importlib import import_module

from django.db import migrations, models

_bell = import_module("routing.migrations.0003_snapshot_bell")


class Migration(migrations.Migration):

    dependencies = [
        ('routing', '0012_eval_gates'),
    ]

    operations = [
        migrations.CreateModel(
            name='DelegationEnd',
            fields=[
                ('delegation_id', models.TextField(primary_key=True, serialize=False)),
                ('until', models.DateTimeField()),
                ('ended_by', models.TextField()),
                ('ended_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Delegation',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('public_id', models.TextField(unique=True)),
                ('parent_id', models.TextField(blank=True, default='')),
                ('acting_for', models.TextField()),
                ('from_agent', models.TextField()),
                ('to_agent', models.TextField()),
                ('run_id', models.TextField()),
                ('depth', models.PositiveSmallIntegerField()),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['from_agent', '-created_at'], name='routing_delegation_from_idx'), models.Index(fields=['run_id'], name='routing_delegation_run_idx')],
                'constraints': [models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('created_at'))), name='routing_delegation_expires_later'), models.CheckConstraint(condition=models.Q(('depth__gte', 1), ('depth__lte', 5)), name='routing_delegation_known_depth')],
            },
        ),
        migrations.CreateModel(
            name='RunLink',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('child_run', models.TextField()),
                ('parent_run', models.TextField()),
                ('child_agent', models.TextField()),
                ('parent_agent', models.TextField()),
                ('delegation_id', models.TextField(blank=True, default='')),
                ('linked_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['parent_run'], name='routing_runlink_parent_idx')],
                'constraints': [models.UniqueConstraint(fields=('child_run', 'parent_run'), name='routing_runlink_one_per_pair'), models.CheckConstraint(condition=models.Q(('child_run', models.F('parent_run')), _negated=True), name='routing_runlink_of_two')],
            },
        ),
        migrations.CreateModel(
            name='ToolUse',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('agent_id', models.TextField()),
                ('tool', models.TextField()),
                ('use', models.TextField(choices=[('offered', 'Offered'), ('called', 'Called'), ('refused', 'Refused')])),
                ('day', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('agent_id', 'tool', 'use', 'day'), name='routing_tooluse_one_per_day'), models.CheckConstraint(condition=models.Q(('use__in', ['offered', 'called', 'refused'])), name='routing_tooluse_known_use')],
            },
        ),
        migrations.RunSQL(
            _bell.triggers("routing_delegationend", ()),
            _bell.drops("routing_delegationend"),
        ),
    ]
