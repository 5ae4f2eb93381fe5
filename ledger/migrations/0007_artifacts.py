"""What entries name by digest, kept once: only ever inserted."""

import django.db.models.expressions
from django.db import migrations, models


REFUSALS = """
CREATE TRIGGER ledger_artifact_append_only BEFORE UPDATE OR DELETE ON ledger_artifact
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_artifact_no_truncate BEFORE TRUNCATE ON ledger_artifact
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""
REFUSALS_REVERSE = """
DROP TRIGGER ledger_artifact_append_only ON ledger_artifact;
DROP TRIGGER ledger_artifact_no_truncate ON ledger_artifact;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0006_report_kind'),
    ]

    operations = [
        migrations.CreateModel(
            name='Artifact',
            fields=[
                ('digest', models.TextField(primary_key=True, serialize=False)),
                ('kind', models.TextField(choices=[('policy_bundle', 'Policy Bundle'), ('decision_input', 'Decision Input'), ('call_setup', 'Call Setup')])),
                ('body', models.BinaryField()),
                ('kept_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('digest', django.db.models.expressions.RawSQL("'sha256:' || encode(sha256(body), 'hex')", (), models.TextField()))), name='ledger_artifact_named_by_its_bytes')],
            },
        ),
        migrations.RunSQL(REFUSALS, REFUSALS_REVERSE),
    ]
