"""The addresses of its pages."""

from __future__ import annotations

from django.urls import URLPattern, path

from fleet.health.views import agent, board, incidents, mutes, public, publishing, rotas, together

app_name = "health"
_AGENT = "health/agents/<str:name>"
urlpatterns: list[URLPattern] = [
    path("health/", board.board, name="board"),
    path("health/incidents/", incidents.incidents, name="incidents"),
    path("health/incidents/together/", together.together, name="incidents-together"),
    path("health/incidents/<str:incident>/", incidents.incident, name="incident"),
    path("health/incidents/<str:incident>/<str:step>/", incidents.act, name="incident-act"),
    path("health/mutes/", mutes.mutes, name="mutes"),
    path("health/mutes/<str:mute>/end/", mutes.end, name="mute-end"),
    path("health/status-links/", publishing.links, name="status-links"),
    path("health/status-links/<str:link>/revoke/", publishing.revoke, name="status-link-revoke"),
    path("status/<str:token>/", public.status, name="public-status"),
    path("health/rotas/", rotas.rotas, name="rotas"),
    path("health/rotas/<str:team>/", rotas.rota, name="rota"),
    path("health/rotas/<str:team>/end/", rotas.stop, name="rota-end"),
    path("health/rotas/<str:team>/covers/", rotas.cover, name="covers"),
    path("health/rotas/<str:team>/covers/<str:cover>/end/", rotas.end, name="cover-end"),
    path(f"{_AGENT}/", agent.agent, name="agent"),
    path(f"{_AGENT}/secret/", agent.secret, name="agent-secret"),
    path(f"{_AGENT}/runbook/", agent.runbook, name="agent-runbook"),
    path(f"{_AGENT}/mute/", agent.mute, name="agent-mute"),
    path(f"{_AGENT}/mute/<str:mute>/end/", agent.unmute, name="agent-unmute"),
]
