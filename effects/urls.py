"""The pages of what agents do outside."""

from __future__ import annotations

from django.urls import path

from effects.views import leases, proposals

app_name = "effects"
urlpatterns = [
    path("leases/", leases.leases, name="leases"),
    path("leases/<str:lease>/", leases.lease, name="lease"),
    path("leases/<str:lease>/revoke/", leases.revoke, name="lease-revoke"),
    path("agents/<str:agent>/leases/revoke/", leases.revoke_all, name="agent-leases-revoke"),
    path("proposals/", proposals.proposals, name="proposals"),
    path("proposals/<str:proposal>/", proposals.proposal, name="proposal"),
    path("proposals/<str:proposal>/withdraw/", proposals.withdraw, name="proposal-withdraw"),
]
