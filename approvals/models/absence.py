"""Who is away, until when, and who decides in their place."""

from __future__ import annotations

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, BigIntegerRangeField, DateTimeRangeField
from django.db import models
from django.db.models import F, Func, Q, Value

from kernel.refs import Ref
from registry.models import Person


class Absence(models.Model):
    """A time in which somebody's right to decide is used by one other person, and no further."""

    public_id = models.TextField(unique=True)  # abs_…
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="absences")
    stand_in = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="standing_in")
    # What is put to the person by name goes along by itself; roles are lent one by one.
    roles = ArrayField(models.TextField(), default=list, blank=True)
    reason = models.TextField(blank=True, default="")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # earlier than was said
    ended_by = models.TextField(blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="approvals_absence_ends_later"
            ),
            models.CheckConstraint(
                condition=~Q(person=F("stand_in")), name="approvals_absence_stand_in_is_another"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, ended_by="")
                | (Q(ended_at__isnull=False) & ~Q(ended_by="")),
                name="approvals_absence_ended_iff_signed",
            ),
            # One stand-in at a time: a right is used by one human beside its owner.
            ExclusionConstraint(
                name="approvals_absence_one_at_a_time",
                expressions=[
                    (
                        Func(
                            F("person"),
                            F("person"),
                            Value("[]"),
                            function="int8range",
                            output_field=BigIntegerRangeField(),
                        ),
                        "&&",
                    ),
                    (
                        Func(
                            F("starts_at"),
                            F("ends_at"),
                            function="tstzrange",
                            output_field=DateTimeRangeField(),
                        ),
                        "&&",
                    ),
                ],
                condition=Q(ended_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(
                fields=["stand_in", "ends_at"],
                condition=Q(ended_at__isnull=True),
                name="approvals_absence_stand_in_idx",
            )
        ]

    def __str__(self) -> str:
        return f"{self.person} away until {self.ends_at:%Y-%m-%d}"

    @property
    def ref(self) -> Ref:
        return Ref("absence", self.public_id)
