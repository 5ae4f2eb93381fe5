"""Connections and operations over REST. A secret goes in by its own address and never out."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from effects.actions import connections as act
from effects.actions.operations import WantedOperation, add_operation, dry_run, retire_operation
from effects.models import Connection, Operation
from effects.queries.connections import (
    connection_for,
    connections_for,
    operation_for,
    operations_for,
    secret_shown,
)
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of


class ConnectionInput(Input):
    """A system that actions may go to. `settings` are the adapter's, without any secret."""

    name = Text(max_length=63)
    adapter = Text(max_length=63)
    title = Text(max_length=120, required=False, allow_blank=True, default="")
    settings = serializers.DictField(required=False, default=dict)
    credential = serializers.ChoiceField(
        choices=Connection.Credential.choices, required=False, default="none"
    )
    credential_settings = serializers.DictField(required=False, default=dict)
    secret = Text(max_length=16_384, required=False, allow_blank=True, default="", write_only=True)
    allow_private = serializers.BooleanField(required=False, default=False)


class ConnectionChangeInput(Input):
    """What may be changed; the name and the adapter stay."""

    title = Text(max_length=120, required=False)
    settings = serializers.DictField(required=False)
    credential = serializers.ChoiceField(choices=Connection.Credential.choices, required=False)
    credential_settings = serializers.DictField(required=False)
    allow_private = serializers.BooleanField(required=False)


class ConnectionSecretInput(Input):
    """A secret, which nobody reads back."""

    value = Text(max_length=16_384, write_only=True)


class ConnectionReasonInput(Input):
    """Why, for the record."""

    reason = Text(max_length=1000)


class ConnectionOutput(serializers.Serializer[Any]):
    """A connection; of its secret only that there is one."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    title = serializers.CharField()
    adapter = serializers.CharField()
    settings = serializers.DictField()
    credential = serializers.CharField()
    credential_settings = serializers.DictField()
    secret = serializers.SerializerMethodField()
    allow_private = serializers.BooleanField()
    revision = serializers.IntegerField()
    tested_at = serializers.DateTimeField(allow_null=True)
    test_result = serializers.CharField()
    added_by = serializers.CharField()
    added_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()
    disabled_at = serializers.DateTimeField(allow_null=True)

    def get_secret(self, connection: Connection) -> dict[str, Any] | None:
        found = secret_shown(connection)
        if found is None:
            return None
        return {"id": found.public_id, "version": found.version, "set_at": found.created_at}


class OperationInput(Input):
    """One thing that may be done at a connection; a name that is there gets a new version."""

    name = Text(max_length=63)
    title = Text(max_length=120, required=False, allow_blank=True, default="")
    description = Text(max_length=2000, required=False, allow_blank=True, default="")
    effect = serializers.ChoiceField(choices=Operation.Effect.choices)
    is_reversible = serializers.BooleanField(required=False, default=False)
    idempotency = serializers.ChoiceField(choices=Operation.Idempotency.choices)
    arguments_schema = serializers.DictField()
    template = serializers.DictField()
    lookup = serializers.DictField(required=False, default=dict)
    checks = serializers.ListField(required=False, default=list)


class DryRunInput(Input):
    """An operation as it may become, and arguments to try it with."""

    operation = OperationInput()
    arguments = serializers.DictField()


class OperationOutput(serializers.Serializer[Any]):
    """An operation; `target` is how agents name it."""

    id = serializers.CharField(source="public_id")
    connection = serializers.CharField(source="connection.name")
    name = serializers.CharField()
    target = serializers.CharField()
    version = serializers.IntegerField()
    title = serializers.CharField()
    description = serializers.CharField()
    effect = serializers.CharField()
    is_reversible = serializers.BooleanField()
    idempotency = serializers.CharField()
    arguments_schema = serializers.DictField()
    template = serializers.DictField()
    lookup = serializers.DictField()
    checks = serializers.ListField()
    digest = serializers.CharField()
    added_by = serializers.CharField()
    added_at = serializers.DateTimeField()
    retired_at = serializers.DateTimeField(allow_null=True)


class DryRunOutput(serializers.Serializer[Any]):
    """What would be on the wire, part by part; a secret is a gap in it."""

    parts = serializers.ListField(child=serializers.DictField())
    digest = serializers.CharField()


_CONNECTIONS: Final = Listing(
    ListQuery, search=("name", "title", "adapter"), ordering=("added_at", "name")
)
_OPERATIONS: Final = Listing(ListQuery, search=("name", "title"), ordering=("added_at", "name"))


def said(body: type[Input], request: Request) -> dict[str, Any]:
    """Return the body's values. Raises ValidationError naming each wrong field."""
    checked = body(data=request.data)
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values


class Connections(APIView):
    """The connections, and the way to add one."""

    @extend_schema(
        operation_id="connections_list", parameters=[ListQuery], responses=page_of(ConnectionOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _CONNECTIONS.read(request), connections_for(actor_of(request))
        return _CONNECTIONS.answer(
            request, rows, lambda page: ConnectionOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="connections_add", request=ConnectionInput, responses={201: ConnectionOutput}
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        wanted = act.WantedConnection(**said(ConnectionInput, request))
        return Response(ConnectionOutput(act.add_connection(wanted, actor=actor)).data, status=201)


class OneConnection(APIView):
    """One connection, by name or id."""

    @extend_schema(operation_id="connections_read", responses=ConnectionOutput)
    def get(self, request: Request, connection: str) -> Response:
        return Response(ConnectionOutput(connection_for(actor_of(request), connection)).data)

    @extend_schema(
        operation_id="connections_change", request=ConnectionChangeInput, responses=ConnectionOutput
    )
    def patch(self, request: Request, connection: str) -> Response:
        actor = actor_of(request)
        changed = act.change_connection(
            connection, said(ConnectionChangeInput, request), actor=actor
        )
        return Response(ConnectionOutput(changed).data)


class ConnectionSecret(APIView):
    """The secret of a connection. There is no way to read it."""

    @extend_schema(
        operation_id="connections_secret", request=ConnectionSecretInput, responses={204: None}
    )
    def put(self, request: Request, connection: str) -> Response:
        value = said(ConnectionSecretInput, request)["value"]
        act.set_connection_secret(connection, value, actor=actor_of(request))
        return Response(status=204)


class ConnectionTest(APIView):
    """Have the worker try a connection; read it again for the result."""

    @extend_schema(operation_id="connections_test", request=None, responses={202: ConnectionOutput})
    def post(self, request: Request, connection: str) -> Response:
        tried = act.ask_for_test(connection, actor=actor_of(request))
        return Response(ConnectionOutput(tried).data, status=202)


class ConnectionDisable(APIView):
    """Send nothing there any more."""

    @extend_schema(
        operation_id="connections_disable",
        request=ConnectionReasonInput,
        responses=ConnectionOutput,
    )
    def post(self, request: Request, connection: str) -> Response:
        actor = actor_of(request)
        reason = said(ConnectionReasonInput, request)["reason"]
        stopped = act.disable_connection(connection, actor=actor, reason=reason)
        return Response(ConnectionOutput(stopped).data)


class ConnectionEnable(APIView):
    """Let actions go there again."""

    @extend_schema(operation_id="connections_enable", request=None, responses=ConnectionOutput)
    def post(self, request: Request, connection: str) -> Response:
        enabled = act.enable_connection(connection, actor=actor_of(request))
        return Response(ConnectionOutput(enabled).data)


class Operations(APIView):
    """The operations of a connection, and the way to add one or a further version."""

    @extend_schema(
        operation_id="operations_list", parameters=[ListQuery], responses=page_of(OperationOutput)
    )
    def get(self, request: Request, connection: str) -> Response:
        asked, rows = _OPERATIONS.read(request), operations_for(actor_of(request), connection)
        return _OPERATIONS.answer(
            request, rows, lambda page: OperationOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="operations_add", request=OperationInput, responses={201: OperationOutput}
    )
    def post(self, request: Request, connection: str) -> Response:
        actor = actor_of(request)
        wanted = WantedOperation(**said(OperationInput, request))
        made = add_operation(connection, wanted, actor=actor)
        return Response(OperationOutput(made).data, status=201)


class OneOperation(APIView):
    """One operation; deleting it retires it."""

    @extend_schema(operation_id="operations_read", responses=OperationOutput)
    def get(self, request: Request, connection: str, operation: str) -> Response:
        return Response(
            OperationOutput(operation_for(actor_of(request), connection, operation)).data
        )

    @extend_schema(operation_id="operations_retire", request=None, responses={204: None})
    def delete(self, request: Request, connection: str, operation: str) -> Response:
        actor = actor_of(request)
        retire_operation(connection, operation, actor=actor, reason="retired over REST")
        return Response(status=204)


class DryRun(APIView):
    """What an operation would put on the wire; nothing is sent or kept."""

    @extend_schema(operation_id="operations_dry_run", request=DryRunInput, responses=DryRunOutput)
    def post(self, request: Request, connection: str) -> Response:
        actor = actor_of(request)
        found = connection_for(actor, connection)
        given = said(DryRunInput, request)
        plan = dry_run(
            found, WantedOperation(**given["operation"]), given["arguments"], actor=actor
        )
        parts = [{"name": name, "text": text} for name, text in plan.parts]
        return Response({"parts": parts, "digest": plan.digest})


urlpatterns = [
    path("connections", Connections.as_view(), name="connections"),
    path("connections/<str:connection>", OneConnection.as_view(), name="connection"),
    path(
        "connections/<str:connection>/secret", ConnectionSecret.as_view(), name="connection-secret"
    ),
    path("connections/<str:connection>/test", ConnectionTest.as_view(), name="connection-test"),
    path(
        "connections/<str:connection>/disable",
        ConnectionDisable.as_view(),
        name="connection-disable",
    ),
    path(
        "connections/<str:connection>/enable", ConnectionEnable.as_view(), name="connection-enable"
    ),
    path("connections/<str:connection>/dry-run", DryRun.as_view(), name="operation-dry-run"),
    path("connections/<str:connection>/operations", Operations.as_view(), name="operations"),
    path(
        "connections/<str:connection>/operations/<str:operation>",
        OneOperation.as_view(),
        name="operation",
    ),
]
