"""What the sequencer says of itself, kept as it was said."""

from django.db import migrations, models

REFUSALS = """
CREATE TRIGGER ledger_sequencerreport_append_only BEFORE UPDATE OR DELETE ON ledger_sequencerreport
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_sequencerreport_no_truncate BEFORE TRUNCATE ON ledger_sequencerreport
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""
REFUSALS_REVERSE = """
DROP TRIGGER ledger_sequencerreport_append_only ON ledger_sequencerreport;
DROP TRIGGER ledger_sequencerreport_no_truncate ON ledger_sequencerreport;
"""



class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0007_artifacts'),
    ]

    operations = [
        migrations.CreateModel(
            name='SequencerReport',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('about', models.TextField(choices=[('sequencer', 'Sequencer'), ('witness', 'Witness')])),
                ('state', models.TextField(choices=[('running', 'Running'), ('behind', 'Behind'), ('halted', 'Halted')])),
                ('found', models.TextField(blank=True)),
                ('reported_at', models.DateTimeField()),
            ],
            options={
                'indexes': [models.Index(fields=['about', '-id'], name='ledger_report_newest_idx')],
                'constraints': [models.CheckConstraint(condition=models.Q(('state', 'running'), models.Q(('found', ''), _negated=True), _connector='OR'), name='ledger_sequencerreport_says_what')],
            },
        ),
        migrations.RunSQL(REFUSALS, REFUSALS_REVERSE),
    ]
