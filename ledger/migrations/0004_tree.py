"""The tree over the entries, its checkpoints, its epochs; all of it only ever inserted."""

import django.db.models.deletion
import ledger.models
from django.db import migrations, models


TABLES = (
    "ledger_epoch", "ledger_suspension", "ledger_leaf", "ledger_tile",
    "ledger_checkpoint", "ledger_checkpointsignature",
)

REFUSALS = "".join(
    f"""
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""
    for table in TABLES
)
REFUSALS_REVERSE = "".join(
    f"""
DROP TRIGGER {table}_append_only ON {table};
DROP TRIGGER {table}_no_truncate ON {table};
"""
    for table in TABLES
)

SUSPENSION = """
-- After a restore nobody may go on as if nothing had been lost: only a further epoch ends it.
CREATE FUNCTION ledger_refuse_while_suspended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM ledger_suspension
        WHERE epoch_id = (SELECT number FROM ledger_epoch ORDER BY number DESC LIMIT 1)
    ) THEN
        RAISE EXCEPTION 'nothing may be recorded until an operator opens a further epoch'
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_suspended';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_entry_not_while_suspended BEFORE INSERT ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_while_suspended();
"""
SUSPENSION_REVERSE = """
DROP TRIGGER ledger_entry_not_while_suspended ON ledger_entry;
DROP FUNCTION ledger_refuse_while_suspended();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ledger', '0003_when_recorded'),
    ]

    operations = [
        migrations.CreateModel(
            name='Epoch',
            fields=[
                ('number', models.IntegerField(primary_key=True, serialize=False)),
                ('origin', models.TextField(unique=True)),
                ('public_key', models.BinaryField()),
                ('system_identifier', models.BigIntegerField()),
                ('first_entry', models.BigIntegerField()),
                ('opened_at', models.DateTimeField()),
                ('reason', models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name='Leaf',
            fields=[
                ('pk', models.CompositePrimaryKey('epoch', 'index', blank=True, editable=False, primary_key=True, serialize=False)),
                ('epoch', models.IntegerField()),
                ('index', models.BigIntegerField()),
                ('entry', models.BigIntegerField()),
                ('leaf_hash', models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name='Tile',
            fields=[
                ('pk', models.CompositePrimaryKey('epoch', 'level', 'index', blank=True, editable=False, primary_key=True, serialize=False)),
                ('epoch', models.IntegerField()),
                ('level', models.SmallIntegerField()),
                ('index', models.BigIntegerField()),
                ('hashes', models.BinaryField()),
            ],
        ),
        migrations.CreateModel(
            name='Checkpoint',
            fields=[
                ('pk', models.CompositePrimaryKey('epoch', 'size', blank=True, editable=False, primary_key=True, serialize=False)),
                ('epoch', models.IntegerField()),
                ('size', models.BigIntegerField()),
                ('root', models.BinaryField()),
                ('xid', ledger.models.Xid8Field()),
                ('entry', models.BigIntegerField()),
                ('sequenced_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('size__gte', 1)), name='ledger_checkpoint_not_empty')],
            },
        ),
        migrations.CreateModel(
            name='CheckpointSignature',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('epoch', models.IntegerField()),
                ('size', models.BigIntegerField()),
                ('signer', models.TextField()),
                ('is_witness', models.BooleanField()),
                ('line', models.TextField()),
                ('signed_at', models.DateTimeField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('epoch', 'size', 'signer'), name='ledger_signature_one_per_signer')],
            },
        ),
        migrations.CreateModel(
            name='Suspension',
            fields=[
                ('epoch', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, serialize=False, to='ledger.epoch')),
                ('found', models.TextField()),
                ('suspended_at', models.DateTimeField()),
            ],
        ),
        migrations.AddConstraint(
            model_name='epoch',
            constraint=models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='ledger_epoch_from_one'),
        ),
        migrations.AddConstraint(
            model_name='epoch',
            constraint=models.CheckConstraint(condition=models.Q(('number', 1), models.Q(('reason', ''), _negated=True), _connector='OR'), name='ledger_epoch_says_why'),
        ),
        migrations.AddConstraint(
            model_name='leaf',
            constraint=models.UniqueConstraint(fields=('entry',), name='ledger_leaf_one_place_per_entry'),
        ),
        migrations.AddConstraint(
            model_name='leaf',
            constraint=models.CheckConstraint(condition=models.Q(('index__gte', 0)), name='ledger_leaf_index_from_zero'),
        ),
        migrations.RunSQL(REFUSALS, REFUSALS_REVERSE),
        migrations.RunSQL(SUSPENSION, SUSPENSION_REVERSE),
    ]
