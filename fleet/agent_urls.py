"""The addresses of the pages about agents.

The pages read calls and costs, so they are fleet's; their names belong to the registry's
list, because that is where people and templates look for an agent. `config.urls` joins them.
"""

from __future__ import annotations

from django.urls import path

from fleet.views import (
    agents,
    conformance,
    connecting,
    ending,
    golden,
    keys,
    launch,
    overview,
    register,
    reviewing,
    tools,
    versions,
    worth,
)

_ONE = "agents/<str:name>"
urlpatterns = [
    path("agents/", agents.agents, name="agents"),
    path("agents/register/", register.register, name="register"),
    path("agents/register/check/", register.check, name="register-check"),
    path(f"{_ONE}/", overview.overview, name="agent"),
    path(f"{_ONE}/live/", overview.live, name="agent-live"),
    path(f"{_ONE}/calls/", overview.calls, name="agent-calls"),
    path(f"{_ONE}/history/", overview.history, name="agent-history"),
    path(f"{_ONE}/connect/", connecting.connect, name="agent-connect"),
    path(f"{_ONE}/keys/", keys.keys, name="agent-keys"),
    path(f"{_ONE}/keys/issue/", keys.issue, name="agent-key-issue"),
    path(f"{_ONE}/keys/<str:key>/rotate/", keys.rotate, name="agent-key-rotate"),
    path(f"{_ONE}/keys/<str:key>/revoke/", keys.revoke, name="agent-key-revoke"),
    path(f"{_ONE}/agent.yaml", versions.manifest, name="agent-manifest"),
    path(f"{_ONE}/versions/", versions.versions, name="agent-versions"),
    path(f"{_ONE}/versions/propose/", versions.propose, name="agent-version-propose"),
    path(f"{_ONE}/versions/withdraw/", versions.withdraw, name="agent-version-withdraw"),
    path(f"{_ONE}/versions/<int:number>/", versions.version, name="agent-version"),
    path(f"{_ONE}/launch/", launch.launch, name="agent-launch"),
    path(f"{_ONE}/golden-cases/", golden.golden, name="agent-golden"),
    path(f"{_ONE}/tools/", tools.tools, name="agent-tools"),
    path(f"{_ONE}/tools/declare/", tools.declare, name="agent-tools-declare"),
    path(f"{_ONE}/conformance/", conformance.conformance, name="agent-conformance"),
    path(f"{_ONE}/conformance/preview/", conformance.preview, name="agent-conformance-preview"),
    path(f"{_ONE}/conformance/declare/", conformance.declare, name="agent-conformance-declare"),
    path(f"{_ONE}/worth/", worth.worth, name="agent-worth"),
    path(f"{_ONE}/worth/value/", worth.declare, name="agent-value"),
    path(f"{_ONE}/submit/", reviewing.submit, name="agent-submit"),
    path(f"{_ONE}/promote/", reviewing.promote, name="agent-promote"),
    path(f"{_ONE}/end/", ending.end, name="agent-end"),
    path(f"{_ONE}/end/<str:step>/", ending.take, name="agent-step"),
]
