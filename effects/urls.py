"""The pages of what agents do outside."""

from __future__ import annotations

from django.urls import path

from effects.views import connections, leases, proposals, unknown

app_name = "effects"
urlpatterns = [
    path("effects/unknown/", unknown.unknown, name="unknown"),
    path("effects/unknown/<str:proposal>/", unknown.one, name="unknown-one"),
    path("effects/unknown/<str:proposal>/ask/", unknown.ask, name="unknown-ask"),
    path("connections/", connections.connections, name="connections"),
    path("connections/new/", connections.new, name="connection-new"),
    path("connections/<str:connection>/", connections.connection, name="connection"),
    path("connections/<str:connection>/secret/", connections.secret, name="connection-secret"),
    path("connections/<str:connection>/test/", connections.attempt, name="connection-test"),
    path("connections/<str:connection>/disable/", connections.disable, name="connection-disable"),
    path("connections/<str:connection>/enable/", connections.enable, name="connection-enable"),
    path(
        "connections/<str:connection>/operations/new/",
        connections.operation_new,
        name="operation-new",
    ),
    path(
        "connections/<str:connection>/operations/check/",
        connections.operation_check,
        name="operation-check",
    ),
    path(
        "connections/<str:connection>/operations/<str:operation>/",
        connections.operation,
        name="operation",
    ),
    path(
        "connections/<str:connection>/operations/<str:operation>/retire/",
        connections.operation_retire,
        name="operation-retire",
    ),
    path("leases/", leases.leases, name="leases"),
    path("leases/<str:lease>/", leases.lease, name="lease"),
    path("leases/<str:lease>/revoke/", leases.revoke, name="lease-revoke"),
    path("agents/<str:agent>/leases/revoke/", leases.revoke_all, name="agent-leases-revoke"),
    path("proposals/", proposals.proposals, name="proposals"),
    path("proposals/<str:proposal>/", proposals.proposal, name="proposal"),
    path("proposals/<str:proposal>/withdraw/", proposals.withdraw, name="proposal-withdraw"),
]
