"""Rotas of teams and covers: who is called when one of the team's agents fails.

A rota is never changed: the one that begins later takes over from the one before, so what was
agreed for the past stands. One without people ends it.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from fleet.health.rota import Pattern, Stand
from kernel.refs import Ref
from registry.models import Person, Team


class Rota(models.Model):
    """People of a team who take turns from a day on, in a time zone of the rota's own."""

    public_id = models.TextField(unique=True)  # rot_…
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    people = ArrayField(models.TextField(), default=list, blank=True)  # per_…, in order
    zone = models.TextField()
    starts_on = models.DateField()  # the first handover; the weekday of all others follows
    handover_time = models.TimeField()
    length_days = models.PositiveSmallIntegerField()
    minutes = models.PositiveSmallIntegerField()  # until the next is called
    starts_at = models.DateTimeField()  # the first handover, in UTC
    set_by = models.TextField()
    set_at = models.DateTimeField()
    # Another one was set that begins no later: this one never came into force, or was corrected.
    replaced_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "starts_at"],
                condition=Q(replaced_at__isnull=True),
                name="health_rota_one_from_a_moment",
            ),
            models.CheckConstraint(
                condition=Q(length_days__gte=1, length_days__lte=92),
                name="health_rota_length_of_a_shift",
            ),
            models.CheckConstraint(
                condition=Q(minutes__gte=1, minutes__lte=1440), name="health_rota_minutes_of_a_day"
            ),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("rota", self.public_id)

    @property
    def pattern(self) -> Pattern:
        return Pattern(
            tuple(self.people), self.zone, self.starts_on, self.handover_time, self.length_days
        )


class Cover(models.Model):
    """One person has a team's duty for a stretch, whatever the rota says."""

    public_id = models.TextField(unique=True)  # cov_…
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    # Instead of this person only; without one, instead of whoever has it.
    instead_of = models.ForeignKey(
        Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    set_by = models.TextField()
    set_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # taken back, or ended before its time

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="health_cover_ends_later"
            ),
            models.CheckConstraint(
                condition=Q(instead_of__isnull=True) | ~Q(person=F("instead_of")),
                name="health_cover_by_another",
            ),
        ]
        indexes = [models.Index(fields=["team", "ends_at"], name="health_cover_team_idx")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def ref(self) -> Ref:
        return Ref("cover", self.public_id)

    @property
    def stand(self) -> Stand:
        """Say when it holds; the people are loaded with it."""
        ends = min(self.ends_at, self.ended_at) if self.ended_at is not None else self.ends_at
        instead = self.instead_of.public_id if self.instead_of is not None else ""
        return Stand(self.person.public_id, self.starts_at, ends, instead)
