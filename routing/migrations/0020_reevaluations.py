"""Re-evaluations of runs: what was asked for, and how far it has come."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('routing', '0019_erasures'),
    ]

    operations = [
        migrations.CreateModel(
            name='Reevaluation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('public_id', models.TextField(unique=True)),
                ('run_id', models.TextField()),
                ('new_run_id', models.TextField(unique=True)),
                ('agent_id', models.TextField()),
                ('target', models.TextField()),
                ('state', models.TextField(choices=[('running', 'Running'), ('done', 'Done'), ('cancelled', 'Cancelled')], default='running')),
                ('steps', models.PositiveIntegerField()),
                ('done', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('estimate_micros', models.BigIntegerField(blank=True, null=True)),
                ('requested_by', models.TextField()),
                ('requested_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'indexes': [models.Index(fields=['run_id', '-id'], name='routing_reevaluation_run_idx'), models.Index(condition=models.Q(('state', 'running')), fields=['id'], name='routing_reevaluation_open_idx')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('state', 'running')), models.Q(models.Q(('state', 'running'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='routing_reevaluation_ended_iff_over')],
            },
        ),
    ]
