"""A quarter's list and what was answered to it are kept as they were: no change, no deletion.

Each piece may be run again over itself.
"""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION worth_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'a list is kept as it was shown'
    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'worth_kept_as_shown';
END $$;
CREATE OR REPLACE TRIGGER worth_quarter_kept BEFORE UPDATE OR DELETE ON worth_quarter
  FOR EACH ROW EXECUTE FUNCTION worth_kept();
CREATE OR REPLACE TRIGGER worth_listed_kept BEFORE UPDATE OR DELETE ON worth_listed
  FOR EACH ROW EXECUTE FUNCTION worth_kept();
CREATE OR REPLACE TRIGGER worth_answer_kept BEFORE UPDATE OR DELETE ON worth_answer
  FOR EACH ROW EXECUTE FUNCTION worth_kept();
"""


class Migration(migrations.Migration):

    dependencies = [("worth", "0001_worth_sums")]

    operations = [migrations.RunSQL(FORWARD, "DROP FUNCTION worth_kept() CASCADE;")]
