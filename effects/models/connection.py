"""Where actions go: a connection to one system, and the operations that may be done there.

The destination is the connection's, never the request's: an agent chooses an operation and its
arguments, and nothing else. An operation is immutable; a change is a further version of it.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from kernel.refs import Ref


class Connection(models.Model):
    """One system outside, its adapter, its address; its secret is sealed elsewhere."""

    class Adapter(models.TextChoices):
        HTTP = "http", "HTTP"
        POSTGRESQL = "postgresql", "PostgreSQL"
        SMTP = "smtp", "E-mail (SMTP)"
        SLACK = "slack", "Slack message"
        # Nothing is sent: people decide, and the agent does it itself, once.
        AGENT = "agent", "Done by the agent"

    class Credential(models.TextChoices):
        NONE = "none"
        STATIC = "static", "Static secret"
        POSTGRESQL_ROLE = "postgresql_role", "Dynamic PostgreSQL role"
        OAUTH_CLIENT = "oauth_client", "OAuth client credentials"
        TOKEN_EXCHANGE = "token_exchange", "RFC 8693 token exchange"

    public_id = models.TextField(unique=True)  # con_…
    name = models.SlugField(unique=True, max_length=63)
    title = models.TextField()
    adapter = models.TextField()  # one of the above, or of UNSPRAWL_ADAPTERS
    settings = models.JSONField(default=dict)  # as the adapter documents them; no secret
    credential = models.TextField(choices=Credential.choices, default=Credential.NONE)
    credential_settings = models.JSONField(default=dict)  # as the lease documents them; no secret
    # Plain http and addresses inside, as an administrator of the platform decided.
    allow_private = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(default=1)  # counts every change; part of every action
    added_by = models.TextField()
    added_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True, blank=True)
    # The worker alone opens the secret, so it tries a connection when somebody asks.
    test_asked_at = models.DateTimeField(null=True, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_result = models.TextField(blank=True, default="")  # "ok", or what went wrong

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(adapter="agent") | Q(credential="none"),
                name="effects_connection_agent_has_no_secret",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ref(self) -> Ref:
        return Ref("connection", self.public_id)

    @property
    def adapter_title(self) -> str:
        """How people know its kind; an adapter of the installation's own has its name."""
        return dict(self.Adapter.choices).get(self.adapter, self.adapter)


class Operation(models.Model):
    """One thing that may be done at a connection: a template, and the arguments it takes."""

    class Effect(models.TextChoices):
        READ = "read"
        WRITE = "write"
        MESSAGE = "message"
        MONEY = "money"
        DELETE = "delete"

    class Idempotency(models.TextChoices):
        NATIVE = "native", "The system knows our key"
        LOOKUP = "lookup", "The effect can be looked up"
        NONE = "none", "Neither"

    public_id = models.TextField(unique=True)  # opn_…
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="operations")
    name = models.SlugField(max_length=63)
    version = models.PositiveIntegerField()
    title = models.TextField()
    description = models.TextField(blank=True, default="")
    effect = models.TextField(choices=Effect.choices)
    is_reversible = models.BooleanField()
    idempotency = models.TextField(choices=Idempotency.choices)
    arguments_schema = models.JSONField()  # JSON Schema 2020-12 of an object
    template = models.JSONField()  # as the adapter documents it
    lookup = models.JSONField(default=dict)  # a template that reads whether it was done
    checks = models.JSONField(default=list)  # evaluation gates, each passed before anyone is asked
    digest = models.TextField()  # of all of the above, canonical
    added_by = models.TextField()
    added_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "name", "version"], name="effects_operation_one_per_version"
            ),
            models.UniqueConstraint(
                fields=["connection", "name"],
                condition=Q(retired_at__isnull=True),
                name="effects_operation_one_current",
            ),
        ]

    def __str__(self) -> str:
        return self.target

    @property
    def target(self) -> str:
        """How agents name it: ``connection.operation``."""
        return f"{self.connection.name}.{self.name}"

    @property
    def ref(self) -> Ref:
        return Ref("operation", self.public_id)
