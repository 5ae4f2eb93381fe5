"""People, teams, their roles and their tokens. An agent is never a person."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from kernel.refs import Ref


class Role(models.TextChoices):
    """What a person may do beyond owning agents. Employee is everybody's."""

    EMPLOYEE = "employee"
    APPROVER = "approver"
    SECURITY = "security"
    PLATFORM = "platform"
    AUDITOR = "auditor"


def employee_only() -> list[str]:
    """Give a new person the role that everybody has."""
    return [Role.EMPLOYEE.value]


class Team(models.Model):
    """A department or group that agents belong to and costs are counted for."""

    public_id = models.TextField(unique=True)  # team_…
    slug = models.SlugField(unique=True, max_length=64)
    name = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class People(BaseUserManager["Person"]):
    """Django's manager for people; new people come from `registry.actions.people`."""

    def get_by_natural_key(self, username: str | None) -> Person:
        return self.get(email__iexact=username or "")


class Person(AbstractBaseUser, PermissionsMixin):
    """Somebody with an account: signs in, owns agents, decides reviews."""

    public_id = models.TextField(unique=True)  # per_…
    email = models.EmailField(max_length=254, unique=True)
    name = models.TextField(blank=True, default="")
    team = models.ForeignKey(
        Team, null=True, blank=True, on_delete=models.PROTECT, related_name="people"
    )
    roles = ArrayField(models.TextField(choices=Role.choices), default=employee_only)
    time_zone = models.TextField(default="UTC")
    created_at = models.DateTimeField()
    deactivated_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[People] = People()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name_plural = "people"
        constraints = [
            models.UniqueConstraint(Lower("email"), name="registry_person_one_per_email"),
            models.CheckConstraint(
                condition=Q(roles__contained_by=[role.value for role in Role]),
                name="registry_person_known_roles",
            ),
        ]
        indexes = [GinIndex(fields=["roles"], name="registry_person_roles_idx")]

    def __str__(self) -> str:
        return self.name or self.email

    @property
    def ref(self) -> Ref:
        return Ref("person", self.public_id)

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        return self.deactivated_at is None

    @property
    def is_staff(self) -> bool:
        return self.is_active and Role.PLATFORM in self.roles

    def has_role(self, *roles: Role) -> bool:
        return self.is_active and any(role in self.roles for role in roles)

    # The admin shows governed models read-only and its buttons call actions, so the role
    # is the whole permission; there are no per-model grants.
    def has_perm(self, perm: str, obj: Any = None) -> bool:
        return self.is_staff

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_staff


class PersonToken(models.Model):
    """An API token with one person's rights, narrowed to some of their roles, that expires."""

    public_id = models.TextField(unique=True)  # tok_…
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="tokens")
    name = models.TextField()
    pepper_id = models.TextField()
    digest = models.BinaryField(unique=True)  # HMAC of the whole token
    roles = ArrayField(models.TextField(choices=Role.choices))
    # The token it was issued with: revoking that one revokes this one too.
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=F("created_at")),
                name="registry_persontoken_expires_later",
            ),
            models.CheckConstraint(
                condition=Q(roles__contained_by=[role.value for role in Role]),
                name="registry_persontoken_known_roles",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.public_id} of {self.person}"
