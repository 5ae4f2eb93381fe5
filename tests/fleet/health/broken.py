"""Rows of telling and health, and how each of their constraints is broken."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from approvals.models import Channel
    from registry.models import Agent, Person

BROKEN: Final[list[tuple[str, str, dict[str, str]]]] = [
    ("telling_copy_one_receiver", "telling_copy", {"person_id": "NULL", "channel_id": "NULL"}),
    ("telling_copy_ended_iff_stamped", "telling_copy", {"ended_at": "now()"}),
    ("telling_copy_one_each_person", "telling_copy", {}),
    (
        "telling_copy_one_each_channel",
        "telling_copy",
        {"person_id": "NULL", "channel_id": "(SELECT max(id) FROM approvals_channel)"},
    ),
    ("health_check_one_per_source", "health_check", {}),
    ("health_check_known_status", "health_check", {"status": "'fine'"}),
    ("health_check_kind_of_source", "health_check", {"kind": "'http'"}),
    ("health_check_cron_has_zone", "health_check", {"cron": "'* * * * *'"}),
    ("health_agenthealth_rank_of_status", "health_agenthealth", {"rank": "3"}),
    ("health_healthday_one_per_day", "health_healthday", {}),
    ("health_callwindow_one_per_key", "health_callwindow", {}),
    ("health_callwindow_known_width", "health_callwindow", {"minutes": "7"}),
    ("health_incident_one_open_per_key", "health_incident", {}),
    ("health_incident_resolved_iff_stamped", "health_incident", {"resolved_at": "now()"}),
    ("health_incident_acknowledged_by_somebody", "health_incident", {"state": "'acknowledged'"}),
    ("health_incidentagent_once", "health_incidentagent", {}),
    ("health_mute_ends_later", "health_mute", {"ends_at": "starts_at"}),
    ("health_rota_one_from_a_moment", "health_rota", {}),
    ("health_rota_length_of_a_shift", "health_rota", {"length_days": "0"}),
    ("health_rota_minutes_of_a_day", "health_rota", {"minutes": "1441"}),
    ("health_cover_ends_later", "health_cover", {"ends_at": "starts_at"}),
    ("health_cover_by_another", "health_cover", {"instead_of_id": "person_id"}),
    ("health_statuslink_team_of_scope", "health_statuslink", {"team_id": "NULL"}),
    ("health_statuslink_expires_later", "health_statuslink", {"expires_at": "created_at"}),
    ("health_statuslink_revoked_iff_signed", "health_statuslink", {"revoked_at": "now()"}),
    ("health_teamday_one_per_day", "health_teamday", {}),
    ("health_mute_of_agent_or_team", "health_mute", {"agent_id": "NULL"}),
]


def make_rows(agent: Agent, person: Person, channel: Channel, now: datetime) -> None:
    """Make a row of each kind. Django is not set up when this is read."""
    from fleet.health.models import (
        AgentHealth,
        CallWindow,
        Check,
        Cover,
        HealthDay,
        Incident,
        IncidentAgent,
        Mute,
        Rota,
        StatusLink,
        TeamDay,
    )
    from fleet.telling.models import Copy, Message
    from tests.factories import make_team

    message = Message.objects.create(
        public_id="msg_x", key="k", kind="incident.opened", subject="x:y", title="t", path="/",
        created_at=now,
    )  # fmt: skip
    told = {"message": message, "again_at": now, "created_at": now}
    Copy.objects.create(public_id="cpy_x", person=person, **told)
    Copy.objects.create(public_id="cpy_y", channel=channel, **told)
    Check.objects.create(
        agent=agent, source="heartbeat", kind="heartbeat", origin="portal", since=now
    )
    AgentHealth.objects.create(agent=agent, since=now)
    HealthDay.objects.create(agent=agent, day=now.date())
    CallWindow.objects.create(minutes=5, starts_at=now, agent_id="agt_x", vendor="v")
    incident = Incident.objects.create(
        public_id="inc_x", key="k", kind="health", subject="x:y", title="t", opened_at=now
    )
    IncidentAgent.objects.create(incident=incident, agent=agent, joined_at=now)
    Mute.objects.create(
        public_id="mut_x", agent=agent, starts_at=now, ends_at=now + timedelta(hours=1),
        set_by="x:y", set_at=now,
    )  # fmt: skip
    team = make_team("On call")
    signed = {"set_by": "x:y", "set_at": now, "team": team}
    Rota.objects.create(
        public_id="rot_x", zone="UTC", starts_on=now.date(), handover_time="09:00", length_days=7,
        minutes=15, starts_at=now, **signed,
    )  # fmt: skip
    Cover.objects.create(
        public_id="cov_x", person=person, starts_at=now, ends_at=now + timedelta(hours=1), **signed
    )
    StatusLink.objects.create(
        public_id="stl_x", name="Customers", pepper_id="p1", digest=b"d", scope="team",
        team=team, made_by="x:y", created_at=now,
    )  # fmt: skip
    TeamDay.objects.create(team="team_x", day=now.date())
