from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("routing", "0020_reevaluations")]

    operations = [
        migrations.AlterField(
            model_name="reevaluation",
            name="state",
            field=models.TextField(
                choices=[
                    ("running", "Running"),
                    ("done", "Done"),
                    ("cancelled", "Cancelled"),
                    ("failed", "Failed"),
                ],
                default="running",
            ),
        ),
    ]
