"""Every named constraint, broken with raw SQL: the database refuses what must never be.

A row of each kind is made, then copied with one thing wrong. A constraint without a line
here (or, for the ledger, in tests/ledger/test_append_only.py) fails the last test.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from approvals.models import (
    Absence,
    Arrival,
    Channel,
    DecisionLink,
    Notice,
    NoticePreference,
    Review,
    ReviewDecision,
    SlackAccount,
)
from config.places import BASE_DIR
from credentials.models import Lease, RingRotation, Secret
from effects.models import (
    AskedAgain,
    Connection,
    Correction,
    Demotion,
    Effect,
    Gate,
    Interrupt,
    Operation,
    Proposal,
)
from fleet.campaigns.models import Campaign, Move
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.evaluations.models import GoldenCase
from kernel import clock
from kernel.db import constraint_of
from kernel.refs import new_id
from outlets.models import Export, Feed, Schedule, Target
from registry.models import Agent, SignInLink
from routing.models import (
    BudgetNotice,
    BudgetWindow,
    CatalogueFeed,
    Delegation,
    Erasure,
    LifecycleChange,
    LifecycleOverride,
    LifecycleRow,
    ListedModel,
    Model,
    ModelLimits,
    ModelUse,
    Price,
    Reevaluation,
    ReportedStep,
    RunLink,
    RunWord,
    Shift,
    ShiftMinute,
    ShiftStep,
    Stop,
    StoredResponse,
    ToolUse,
    UsageDay,
    UsageFallback,
    UsageMonth,
    UsageOwn,
    UsageRoute,
    Vendor,
    VendorWord,
)
from rules.models import Activation, Bundle, Grant, Question, Trial
from tests.architecture.test_errors import PACKAGES
from tests.factories import (
    make_agent,
    make_budget,
    make_call,
    make_cast,
    make_key,
    make_model,
    make_route,
    make_run,
    make_similar,
    make_token,
    make_vendor,
)
from tests.fleet.discovery.rows import BROKEN as BROKEN_DISCOVERY
from tests.fleet.discovery.rows import make_rows as make_discovery_rows
from tests.fleet.drift.rows import make_drift_rows
from tests.fleet.evaluations.rows import BROKEN as BROKEN_EVALUATIONS
from tests.fleet.evaluations.rows import make_rows as make_evaluation_rows
from tests.fleet.health.broken import BROKEN as BROKEN_HEALTH
from tests.fleet.health.broken import make_rows as make_health_rows
from tests.fleet.retiring.rows import make_ending_rows
from tests.fleet.worth.rows import BROKEN as BROKEN_WORTH
from tests.fleet.worth.rows import make_rows as make_worth_rows

# Constraint, table, what differs in the copy of a row (SQL by column).
BROKEN: list[tuple[str, str, dict[str, str]]] = [
    ("campaigns_campaign_one_open_per_model", "campaigns_campaign", {}),
    ("campaigns_campaign_ended_iff_said", "campaigns_campaign", {"state": "'done'"}),
    (
        "campaigns_campaign_known_fallback",
        "campaigns_campaign",
        {"fallback": """'{"rule": "hope"}'"""},
    ),
    ("campaigns_move_one_per_agent", "campaigns_move", {}),
    ("campaigns_move_ended_iff_said", "campaigns_move", {"ended_why": "'so'"}),
    ("campaigns_move_goes_somewhere", "campaigns_move", {"state": "'ready'"}),
    (
        "campaigns_move_ended_was_cut_over",
        "campaigns_move",
        {"state": "'paused'", "ended_at": "now()", "ended_why": "'so'"},
    ),
    ("campaigns_move_chosen_iff_stamped", "campaigns_move", {"chosen_by": "'x'"}),
    ("campaigns_move_contested_has_reason", "campaigns_move", {"state": "'contested'"}),
    ("campaigns_move_adapted_is_over", "campaigns_move", {"adapted_by": "'x'"}),
    ("campaigns_move_known_fallback", "campaigns_move", {"fallback": """'{"rule": "move"}'"""}),
    ("outlets_export_finished_iff_stamped", "outlets_export", {"state": "'failed'"}),
    ("outlets_export_has_reason", "outlets_export", {"reason": "''"}),
    (
        "outlets_export_ready_has_hash",
        "outlets_export",
        {"state": "'ready'", "finished_at": "asked_at"},
    ),
    ("outlets_export_one_under_way_per_schedule", "outlets_export", {}),
    ("outlets_target_s3_has_bucket", "outlets_target", {"kind": "'s3'"}),
    ("outlets_schedule_has_reason", "outlets_schedule", {"reason": "''"}),
    ("outlets_feed_hec_is_http", "outlets_feed", {"format": "'hec'"}),
    ("outlets_feed_severity_to_ten", "outlets_feed", {"min_severity": "11"}),
    ("registry_person_one_per_email", "registry_person", {"email": "upper(email)"}),
    ("registry_person_known_roles", "registry_person", {"email": "'x@y.z'", "roles": "'{king}'"}),
    ("registry_persontoken_expires_later", "registry_persontoken", {"expires_at": "created_at"}),
    ("registry_persontoken_known_roles", "registry_persontoken", {"roles": "'{king}'"}),
    ("registry_signinlink_expires_later", "registry_signinlink", {"expires_at": "created_at"}),
    ("registry_agent_retired_iff_stamped", "registry_agent", {"retired_at": "now()"}),
    ("registry_agent_backup_is_another", "registry_agent", {"backup_owner_id": "owner_id"}),
    (
        "registry_agent_running_has_version",
        "registry_agent",
        {"stage": "'live'", "current_version_id": "NULL"},
    ),
    ("registry_agent_suspended_iff_stamped", "registry_agent", {"suspended_reason": "'why'"}),
    ("registry_agent_killed_is_suspended", "registry_agent", {"killed_at": "now()"}),
    ("registry_agent_has_data_class", "registry_agent", {"data_classes": "'{}'"}),
    ("registry_agent_known_risk_tier", "registry_agent", {"risk_tier": "'mild'"}),
    ("registry_agent_ends_once_announced", "registry_agent", {"ends_at": "now()"}),
    (
        "registry_agent_successor_is_another",
        "registry_agent",
        {"successor_id": "(SELECT last_value + 1 FROM registry_agent_id_seq)"},
    ),
    ("drift_watch_one_per_way", "drift_watch", {}),
    ("drift_hour_one_each", "drift_hour", {}),
    (
        "drift_hour_parts_of_calls",
        "drift_hour",
        {"starts_at": "starts_at + interval '1 hour'", "failed": "calls + 1"},
    ),
    ("drift_change_one_at_a_time", "drift_change", {}),
    (
        "drift_change_one_of_a_plan",
        "drift_change",
        {"figure": "CASE WHEN plan_id IS NULL THEN 'slow' ELSE figure END"},
    ),
    ("drift_probeplan_one_per_agent", "drift_probeplan", {}),
    ("drift_probeplan_has_cap", "drift_probeplan", {"cap_micros": "0"}),
    ("drift_probeplan_ended_iff_stamped", "drift_probeplan", {"ended_at": "now()"}),
    ("drift_round_one_at_a_time", "drift_round", {}),
    ("drift_priceeffectonagent_once", "drift_priceeffectonagent", {}),
    ("drift_priceeffectonagent_amounts", "drift_priceeffectonagent", {"paid_30": "-1"}),
    ("drift_limiteffectonagent_once", "drift_limiteffectonagent", {}),
    ("drift_limiteffect_refused", "drift_limiteffect", {"refused_calls": "calls + 1"}),
    ("drift_probe_once_a_round", "drift_probe", {}),
    ("drift_probe_judged_if_answered", "drift_probe", {"holds": "true"}),
    ("retiring_retirement_one_per_agent", "retiring_retirement", {}),
    ("retiring_retirement_closed_iff_stamped", "retiring_retirement", {"closed_at": "now()"}),
    ("retiring_retirement_retired_iff_stamped", "retiring_retirement", {"retired_at": "now()"}),
    (
        "retiring_retirement_drains_from_a_moment",
        "retiring_retirement",
        {"state": "'draining'", "drains_at": "NULL"},
    ),
    (
        "retiring_retirement_successor_is_another",
        "retiring_retirement",
        {"successor_id": "agent_id"},
    ),
    ("retiring_retirement_says_why", "retiring_retirement", {"reason": "''"}),
    ("retiring_step_one_per_name", "retiring_step", {}),
    ("retiring_batch_begun_iff_stamped", "retiring_batch", {"begun_at": "now()"}),
    ("retiring_batch_ended_iff_stamped", "retiring_batch", {"ended_at": "now()"}),
    ("retiring_batchitem_one_per_agent", "retiring_batchitem", {}),
    (
        "retiring_batchitem_ended_iff_stamped",
        "retiring_batchitem",
        {"agent_id": "'agt_other'", "ended_at": "now()"},
    ),
    ("registry_agentversion_one_per_number", "registry_agentversion", {"version": "'9.0.0'"}),
    ("registry_agentversion_one_proposed", "registry_agentversion", {"number": "9"}),
    (
        "registry_agentversion_version_once",
        "registry_agentversion",
        {"number": "9", "state": "'accepted'", "settled_at": "now()"},
    ),
    (
        "registry_agentversion_settled_iff_stamped",
        "registry_agentversion",
        {"number": "9", "settled_at": "now()"},
    ),
    ("registry_similaragent_one_per_pair", "registry_similaragent", {}),
    ("registry_agentkey_expires_later", "registry_agentkey", {"expires_at": "created_at"}),
    ("registry_agentkey_revoked_iff_stamped", "registry_agentkey", {"revoked_by": "'x'"}),
    ("approvals_review_settled_iff_stamped", "approvals_review", {"state": "'approved'"}),
    ("approvals_review_quorum_from_one", "approvals_review", {"quorum": "0"}),
    ("approvals_review_one_open_per_subject", "approvals_review", {}),
    ("approvals_review_redeemed_only_approved", "approvals_review", {"redeemed_at": "now()"}),
    ("approvals_review_asks_somebody", "approvals_review", {"audience": "'{}'"}),
    (
        "approvals_review_escalates_to_somebody",
        "approvals_review",
        {"escalate_to": "'{role:security}'"},
    ),
    ("approvals_review_escalated_only_as_asked", "approvals_review", {"escalated_at": "now()"}),
    (
        "approvals_reviewdecision_one_per_right",
        "approvals_reviewdecision",
        {
            "decider_id": "(SELECT id FROM registry_person WHERE email LIKE 'sue@%')",
            "on_behalf_of_id": "decider_id",
        },
    ),
    (
        "approvals_reviewdecision_not_for_oneself",
        "approvals_reviewdecision",
        {"on_behalf_of_id": "decider_id"},
    ),
    ("approvals_absence_ends_later", "approvals_absence", {"ends_at": "starts_at"}),
    ("approvals_absence_stand_in_is_another", "approvals_absence", {"stand_in_id": "person_id"}),
    ("approvals_absence_ended_iff_signed", "approvals_absence", {"ended_at": "now()"}),
    ("approvals_absence_one_at_a_time", "approvals_absence", {}),
    ("approvals_reviewdecision_one_each", "approvals_reviewdecision", {}),
    (
        "approvals_reviewdecision_one_per_secret",
        "approvals_reviewdecision",
        {"decider_id": "(SELECT max(id) FROM registry_person)"},
    ),
    ("approvals_channel_known_effect", "approvals_channel", {"min_effect": "'terrible'"}),
    ("approvals_channel_known_limit", "approvals_channel", {"decides_up_to": "'terrible'"}),
    (
        "approvals_channel_decides_where_known",
        "approvals_channel",
        {"decides_up_to": "'read'", "kind": "'teams'"},
    ),
    ("approvals_notice_ended_iff_stamped", "approvals_notice", {"ended_at": "now()"}),
    ("approvals_notice_is_of_a_review", "approvals_notice", {"review_id": "NULL"}),
    ("approvals_notice_one_each", "approvals_notice", {}),
    (
        "approvals_notice_one_each_person",
        "approvals_notice",
        {"event": "CASE WHEN person_id IS NULL THEN 'reminded' ELSE event END"},
    ),
    ("approvals_decisionlink_one_per_notice", "approvals_decisionlink", {}),
    (
        "approvals_decisionlink_expires_later",
        "approvals_decisionlink",
        {"expires_at": "created_at"},
    ),
    ("approvals_arrival_once", "approvals_arrival", {}),
    ("approvals_arrival_ended_iff_stamped", "approvals_arrival", {"ended_at": "now()"}),
    (
        "approvals_noticepreference_hour_of_a_day",
        "approvals_noticepreference",
        {"digest_hour": "24"},
    ),
    (
        "approvals_slackaccount_one_person",
        "approvals_slackaccount",
        {"person_id": "(SELECT max(id) FROM registry_person)"},
    ),
    ("approvals_slackaccount_one_each", "approvals_slackaccount", {"slack_user": "'U2'"}),
    ("credentials_secret_one_per_version", "credentials_secret", {"retired_at": "now()"}),
    ("credentials_secret_one_current", "credentials_secret", {"version": "2"}),
    (
        "credentials_ringrotation_one_per_key",
        "credentials_ringrotation",
        {"finished_at": "now()"},
    ),
    (
        "credentials_ringrotation_one_at_a_time",
        "credentials_ringrotation",
        {"ring_key_id": "'k9'"},
    ),
    ("credentials_lease_expires_later", "credentials_lease", {"expires_at": "issued_at"}),
    ("credentials_lease_ended_iff_stamped", "credentials_lease", {"ended_at": "now()"}),
    ("credentials_lease_active_has_no_goal", "credentials_lease", {"goal": "'revoked'"}),
    (
        "credentials_lease_revoking_is_due",
        "credentials_lease",
        {"state": "'revoking'", "goal": "'revoked'"},
    ),
    (
        "routing_vendor_http_address",
        "routing_vendor",
        {"name": "'x'", "base_url": "'ftp://x/v1'"},
    ),
    ("routing_model_one_per_vendor", "routing_model", {}),
    (
        "routing_model_price_not_negative",
        "routing_model",
        {"name": "'x'", "input_micros_per_mtok": "-1"},
    ),
    ("routing_route_plain_name", "routing_route", {"name": "'two words'"}),
    ("routing_routetarget_once", "routing_routetarget", {}),
    ("routing_routetarget_weight", "routing_routetarget", {"region": "'x'", "weight": "0"}),
    (
        "routing_routetarget_percent",
        "routing_routetarget",
        {"region": "'x'", "canary_percent": "101"},
    ),
    (
        "routing_routetarget_passed_iff_reason",
        "routing_routetarget",
        {"region": "'x'", "passed_eval_at": "now()"},
    ),
    ("routing_run_one_per_label", "routing_run", {"run_id": "'run_x'"}),
    ("routing_call_tokens", "routing_call", {"output_tokens": "-1"}),
    ("routing_call_one_per_intent", "routing_call", {}),
    ("routing_call_attempt_of_call", "routing_call", {"attempt": "2"}),
    ("routing_usageroute_one_per_key", "routing_usageroute", {}),
    ("routing_usageown_one_per_key", "routing_usageown", {}),
    ("routing_usagefallback_one_per_key", "routing_usagefallback", {}),
    ("routing_storedresponse_once", "routing_storedresponse", {}),
    ("routing_budget_one_open_per_subject", "routing_budget", {}),
    ("routing_budget_cap", "routing_budget", {"model": "'x'", "cap": "-1"}),
    (
        "routing_budget_period_of_measure",
        "routing_budget",
        {"model": "'x'", "period": "'minute'"},
    ),
    ("routing_budget_currency_iff_cost", "routing_budget", {"model": "'x'", "currency": "''"}),
    ("routing_budget_has_subject", "routing_budget", {"model": "'x'", "subject": "'x'"}),
    ("routing_budgetwindow_one_per_start", "routing_budgetwindow", {}),
    (
        "routing_budgetwindow_not_negative",
        "routing_budgetwindow",
        {"starts_at": "now()", "held": "-1"},
    ),
    ("routing_budgetnotice_once", "routing_budgetnotice", {}),
    (
        "routing_budgetnotice_noticed_first",
        "routing_budgetnotice",
        {"percent": "1", "mailed_at": "noticed_at - interval '1 second'"},
    ),
    ("routing_stop_one_in_force", "routing_stop", {}),
    ("routing_stop_lifted_iff_signed", "routing_stop", {"lifted_by": "'person:per_x'"}),
    ("routing_stop_has_reason", "routing_stop", {"subject": "'x'", "reason": "''"}),
    ("routing_stop_fleet_is_all", "routing_stop", {"scope": "'fleet'"}),
    ("routing_shift_one_in_force", "routing_shift", {}),
    ("routing_shift_to_another", "routing_shift", {"agent_id": "'x'", "target_id": "source_id"}),
    ("routing_shift_percent", "routing_shift", {"agent_id": "'x'", "percent": "50"}),
    ("routing_shift_has_reason", "routing_shift", {"agent_id": "'x'", "reason": "''"}),
    ("routing_shift_ended_iff_signed", "routing_shift", {"ended_at": "now()"}),
    ("routing_shiftminute_one_per_key", "routing_shiftminute", {}),
    ("routing_shiftstep_one_per_key", "routing_shiftstep", {}),
    ("routing_vendorword_once_a_day", "routing_vendorword", {}),
    ("cutovers_cutover_to_another", "cutovers_cutover", {"target_id": "source_id"}),
    ("cutovers_cutover_ended_iff_stamped", "cutovers_cutover", {"ended_at": "now()"}),
    ("cutovers_cutover_moves_once_started", "cutovers_cutover", {"state": "'running'"}),
    ("cutovers_cutoveragent_once", "cutovers_cutoveragent", {}),
    (
        "cutovers_cutoveragent_signed_iff_stamped",
        "cutovers_cutoveragent",
        {"agent_id": "agent_id + 1", "signed_at": "now()"},
    ),
    (
        "cutovers_cutoveragent_moves_once_signed",
        "cutovers_cutoveragent",
        {"agent_id": "agent_id + 1", "state": "'shifting'"},
    ),
    ("routing_erasure_one_under_way", "routing_erasure", {}),
    ("routing_erasure_says_why", "routing_erasure", {"subject": "'x'", "reason": "''"}),
    ("routing_erasure_closed_iff_stamped", "routing_erasure", {"state": "'ended'"}),
    ("routing_erasure_until_a_moment", "routing_erasure", {"state": "'approved'"}),
    ("routing_runword_once", "routing_runword", {}),
    ("routing_usageday_one_per_key", "routing_usageday", {}),
    ("routing_usagemonth_one_per_agent", "routing_usagemonth", {}),
    ("routing_modeluse_one_per_key", "routing_modeluse", {}),
    ("routing_lifecyclerow_one_per_source", "routing_lifecyclerow", {}),
    ("routing_price_one_per_model", "routing_price", {}),
    ("routing_lifecyclechange_kind", "routing_lifecyclechange", {"kind": "'guessed'"}),
    ("routing_lifecycleoverride_one_in_force", "routing_lifecycleoverride", {}),
    ("routing_lifecycleoverride_has_reason", "routing_lifecycleoverride", {"reason": "''"}),
    (
        "routing_lifecycleoverride_lifted_iff_stamped",
        "routing_lifecycleoverride",
        {"lifted_at": "set_at"},
    ),
    ("routing_listedmodel_one_per_vendor", "routing_listedmodel", {}),
    ("routing_modellimits_requests", "routing_modellimits", {"requests": "0"}),
    ("routing_modellimits_tokens", "routing_modellimits", {"tokens": "-1"}),
    ("routing_cataloguefeed_one_per_address", "routing_cataloguefeed", {}),
    ("routing_cataloguefeed_every_hours", "routing_cataloguefeed", {"every_hours": "0"}),
    ("routing_cataloguefeed_failing_since", "routing_cataloguefeed", {"failures": "1"}),
    ("routing_delegation_expires_later", "routing_delegation", {"expires_at": "created_at"}),
    ("routing_delegation_known_depth", "routing_delegation", {"depth": "6"}),
    ("routing_runlink_one_per_pair", "routing_runlink", {}),
    ("routing_runlink_of_two", "routing_runlink", {"parent_run": "child_run"}),
    ("routing_tooluse_one_per_day", "routing_tooluse", {}),
    ("routing_reportedstep_once", "routing_reportedstep", {}),
    (
        "routing_reportedstep_known_type",
        "routing_reportedstep",
        {"report_key": "'x'", "type": "'call'"},
    ),
    ("routing_reevaluation_ended_iff_over", "routing_reevaluation", {
        "public_id": "'ree_y'", "new_run_id": "'run_w'", "state": "'done'",
    }),
    (
        "routing_reportedstep_known_source",
        "routing_reportedstep",
        {"report_key": "'x'", "source": "'fax'"},
    ),
    (
        "routing_reportedstep_tokens",
        "routing_reportedstep",
        {"report_key": "'x'", "output_tokens": "-1"},
    ),
    ("routing_tooluse_known_use", "routing_tooluse", {"use": "'dreamt'"}),
    ("rules_bundle_named_by_digest", "rules_bundle", {"digest": "'md5'"}),
    ("rules_activation_one_in_force", "rules_activation", {}),
    ("rules_activation_has_reason", "rules_activation", {"reason": "''", "ended_at": "now()"}),
    ("rules_grant_state_iff_stamped", "rules_grant", {"state": "'given'"}),
    ("rules_grant_asked_once", "rules_grant", {}),
    ("rules_trial_finished_iff_over", "rules_trial", {"state": "'ready'"}),
    ("rules_trial_one_under_way", "rules_trial", {}),
    ("rules_question_asked_once", "rules_question", {}),
    (
        "effects_connection_agent_has_no_secret",
        "effects_connection",
        {"adapter": "'agent'", "credential": "'static'"},
    ),
    ("effects_operation_one_per_version", "effects_operation", {"retired_at": "now()"}),
    ("effects_operation_one_current", "effects_operation", {"version": "2"}),
    ("effects_proposal_one_per_key", "effects_proposal", {"likeness": "''"}),
    ("effects_proposal_one_waits_alike", "effects_proposal", {"idempotency_key": "'x'"}),
    ("effects_askedagain_one_per_key", "effects_askedagain", {}),
    (
        "effects_proposal_decided_iff_stamped",
        "effects_proposal",
        {"idempotency_key": "'x'", "decided_at": "now()"},
    ),
    (
        "effects_proposal_ended_iff_stamped",
        "effects_proposal",
        {"idempotency_key": "'x'", "ended_at": "now()"},
    ),
    (
        "effects_proposal_carried_out_as_decided",
        "effects_proposal",
        {"idempotency_key": "'x'", "state": "'sent'", "decided_at": "now()"},
    ),
    (
        "effects_effect_intent_before_sending",
        "effects_effect",
        {"proposal_id": "proposal_id + 1", "sent_at": "now()"},
    ),
    (
        "effects_effect_reconciled_iff_signed",
        "effects_effect",
        {"proposal_id": "proposal_id + 1", "reconciled_at": "now()"},
    ),
    (
        "effects_correction_part_of_whole",
        "effects_correction",
        {"proposal_id": "proposal_id + 1", "paths_changed": "9"},
    ),
    ("effects_interrupt_one_per_id", "effects_interrupt", {}),
    ("effects_interrupt_taker_took", "effects_interrupt", {"graph_id": "'x'", "taken_by": "'t'"}),
    ("effects_demotion_says_why", "effects_demotion", {"rule": "''"}),
    ("effects_gate_one_per_check", "effects_gate", {}),
    ("effects_gate_judged_iff_recorded", "effects_gate", {"name": "'x'", "judged_at": "now()"}),
    (
        "effects_gate_failed_says_why",
        "effects_gate",
        {"name": "'x'", "state": "'failed'", "judged_at": "now()", "entry": "'ent_y'"},
    ),
    *BROKEN_DISCOVERY,
    *BROKEN_EVALUATIONS,
    *BROKEN_WORTH,
    *BROKEN_HEALTH,
]  # fmt: skip


@pytest.fixture
def world(db: None) -> None:
    """One row of every kind."""
    cast, now = make_cast(), clock.now()
    later = now + timedelta(days=1)
    agent, other = make_agent(owner=cast.alice), make_agent("other", owner=cast.bob)
    make_agent("running", owner=cast.bob, stage="live")
    make_similar(agent, other, 0.5)
    make_key(agent)
    make_token(cast.alice)
    SignInLink.objects.create(person=cast.alice, digest=b"d", created_at=now, expires_at=later)
    make_route("sandbox", make_model(make_vendor()))
    make_run(agent)
    make_call(agent)
    StoredResponse.objects.create(
        response_id="resp_1", agent_id=agent.public_id, vendor_id="ven_x", model="m",
        route="sandbox", intent_id="ent_x", created_at=now,
    )  # fmt: skip
    Erasure.objects.create(
        public_id="ers_1", scope="agent", subject="agt_1", reason="x", requested_by="person:per_x",
        requested_at=now,
    )  # fmt: skip
    Stop.objects.create(
        public_id=new_id("stp"), scope="agent", subject=agent.public_id, subject_name="a",
        reason="It runs wild.", placed_by="system:test", placed_as="security", placed_at=now,
    )  # fmt: skip
    source = make_model(Vendor.objects.earliest("pk"), "acme-old")
    Shift.objects.create(
        public_id="shf_x", agent_id=agent.public_id, source=source, percent=100, subject="x:y",
        reason="r", set_by="x:y", begun_at=now, changed_at=now,
    )  # fmt: skip
    ShiftMinute.objects.create(shift_id="shf_x", arm="source", minute=now)
    ShiftStep.objects.create(shift_id="shf_x", arm="source", began_at=now)
    VendorWord.objects.create(
        model_id="mod_x", said="vendor_says_retired", day="2026-11-22", http_status=404,
        intent_id="ent_x", said_at=now,
    )  # fmt: skip
    cutover = Cutover.objects.create(
        public_id="cut_x", source=source, target=Model.objects.earliest("pk"), steps=[],
        limits={}, begun_as="x:y", begun_at=now,
    )  # fmt: skip
    CutoverAgent.objects.create(cutover=cutover, agent=agent, changed_at=now)
    review = Review.objects.create(
        public_id=new_id("rev"), kind="registration", subject=str(agent.ref), subject_name="a",
        digest="sha256:00", question="?", requester=cast.alice, audience=["role:security"],
        created_at=now, expires_at=later,
    )  # fmt: skip
    Absence.objects.create(
        public_id="abs_x", person=cast.sam, stand_in=cast.sue, starts_at=now, ends_at=later,
        created_at=now,
    )  # fmt: skip
    channel = Channel.objects.create(
        public_id="chn_x", name="hook", kind="webhook", added_by="x:y", added_at=now
    )
    ReviewDecision.objects.create(
        review=review,
        decider=cast.sam,
        decision="approve",
        digest="sha256:00",
        signed_over=channel,
        created_at=now,
    )
    told = {"channel": channel, "review": review, "event": "opened"}
    Notice.objects.create(public_id="ntc_x", again_at=now, created_at=now, **told)
    mailed = Notice.objects.create(
        public_id="ntc_y", again_at=now, created_at=now, person=cast.sam, **told
    )
    DecisionLink.objects.create(
        public_id="lnk_x", notice=mailed, review=review, person=cast.sam, digest="d",
        created_at=now, expires_at=later,
    )  # fmt: skip
    Arrival.objects.create(
        public_id="arr_x", channel=channel, key="k", body_sha256="b", again_at=now, arrived_at=now
    )
    NoticePreference.objects.create(person=cast.sam, changed_at=now)
    SlackAccount.objects.create(
        public_id="sla_x", person=cast.alice, channel=channel, slack_user="U1", asked_at=now,
        proved_at=now,
    )  # fmt: skip
    Secret.objects.create(
        public_id=new_id("sec"), ring="vendor", holder="vendor:ven_x", version=1, ring_key_id="k1",
        wrapped_key=b"w", nonce=b"n", ciphertext=b"c", created_by="system:test", created_at=now,
    )  # fmt: skip
    RingRotation.objects.create(
        ring="vendor", ring_key_id="k2", started_by="system:test", started_at=now
    )
    budget = make_budget()
    BudgetWindow.objects.create(budget=budget, starts_at=now - timedelta(days=1))
    BudgetNotice.objects.create(budget=budget, starts_at=now, percent=80, noticed_at=now)
    campaign = Campaign.objects.create(
        public_id="cmp_x", model=make_model(make_vendor("ends-ai")), due_on=now.date(),
        opened_by="x:y", opened_at=now, looked_at=now,
    )  # fmt: skip
    Move.objects.create(
        public_id="mov_x", campaign=campaign, agent=agent, joined_at=now, state_changed_at=now
    )
    use = {"agent_id": agent.public_id, "route": "sandbox", "vendor": "v", "model": "m"}
    UsageDay.objects.create(day=now.date(), **use)
    UsageRoute.objects.create(day=now.date(), route="r", vendor="v", model="m")
    UsageOwn.objects.create(day=now.date(), purpose="gld", **use)
    UsageFallback.objects.create(day=now.date(), route="r", vendor="v", model="m", reason="x")
    UsageMonth.objects.create(month=now.date().replace(day=1), agent_id=agent.public_id)
    ModelUse.objects.create(first_called_at=now, last_called_at=now, **use)
    Delegation.objects.create(
        public_id=new_id("dlg"), acting_for="agt_x", from_agent="agt_x", to_agent="agt_y",
        run_id="run_x", depth=1, created_at=now, expires_at=later,
    )  # fmt: skip
    RunLink.objects.create(
        child_run="run_y", parent_run="run_x", child_agent="agt_y", parent_agent="agt_x",
        linked_at=now,
    )  # fmt: skip
    ToolUse.objects.create(agent_id=agent.public_id, tool="jira", use="called", day=now)
    Reevaluation.objects.create(
        public_id=new_id("ree"), run_id="run_x", new_run_id="run_z", agent_id=agent.public_id,
        target="sandbox", steps=1, requested_by="system:test", requested_at=now,
    )  # fmt: skip
    ReportedStep.objects.create(
        entry_id="ent_x", agent_id=agent.public_id, run_id="run_x", report_key="k", source="api",
        type="tool", name="jira", status="ok", recorded_at=now,
    )  # fmt: skip
    RunWord.objects.create(run_id="run_x", word="resp_1")
    target = Target.objects.create(
        public_id="tgt_x", name="vault", kind="directory", added_by="x:y", added_at=now
    )
    schedule = Schedule.objects.create(
        public_id="sch_x", target=target, every="day", with_payloads=True, reason="r",
        next_at=now, added_by="x:y", added_at=now,
    )  # fmt: skip
    Export.objects.create(
        public_id="exp_x", scope={}, title="t", with_payloads=True, reason="r", asked_by="x:y",
        asked_at=now, schedule=schedule,
    )  # fmt: skip
    Feed.objects.create(
        public_id="fed_x", name="siem", kind="syslog+tcp", format="json", address="h:1",
        added_by="x:y", added_at=now,
    )  # fmt: skip
    bundle = Bundle.objects.create(
        public_id="pol_x", digest="sha256:00", title="t", origin="shipped", packed=b"p",
        added_by="x:y", added_at=now,
    )  # fmt: skip
    Activation.objects.create(
        public_id="pac_x", bundle=bundle, reason="r", activated_by="x:y", activated_at=now
    )
    Grant.objects.create(
        public_id="grt_x", agent=agent, vendor="acme", data_class="regulated", until=now,
        asked_by="x:y", asked_at=now,
    )  # fmt: skip
    trial = Trial.objects.create(
        public_id="trl_x", bundle=bundle, days=30, asked_by="x:y", asked_at=now
    )
    Question.objects.create(
        trial=trial, source="call", input_digest="d", bundle_digest="d", answer="allow", rule="r",
        decisions=1, first_at=now, last_at=now, entry_id="ent_x",
    )  # fmt: skip
    system = Connection.objects.create(
        public_id="con_x", name="crm", title="CRM", adapter="http", added_by="x:y", added_at=now,
        changed_at=now,
    )  # fmt: skip
    operation = Operation.objects.create(
        public_id="opn_x", connection=system, name="update", version=1, title="t",
        effect="write", is_reversible=True, idempotency="none", arguments_schema={}, template={},
        digest="sha256:00", added_by="x:y", added_at=now,
    )  # fmt: skip
    running = Agent.objects.get(name="running")
    assert running.current_version is not None
    proposal = Proposal.objects.create(
        public_id="prp_x", agent=running, version=running.current_version, operation=operation,
        key_id="k", idempotency_key="k", request_digest="d", action_digest="d",
        action_entry="ent_x", created_at=now, expires_at=later, likeness="sha256:00",
    )  # fmt: skip
    AskedAgain.objects.create(
        proposal=proposal, agent=running, idempotency_key="j", request_digest="d", asked_at=now
    )
    Effect.objects.create(public_id="eff_x", proposal=proposal, key="k")
    Correction.objects.create(
        proposal=proposal, paths=2, paths_changed=1, words=0, words_changed=0, made_at=now
    )
    Demotion.objects.create(
        public_id="dem_x", agent=running, rule="launch.errors", reason="r", figures={},
        demoted_at=now,
    )  # fmt: skip
    Interrupt.objects.create(
        public_id="itr_x", agent=running, graph_id="g", request_digest="d", is_single=False,
        calls=[], created_at=now,
    )  # fmt: skip
    Gate.objects.create(
        public_id="gat_x", proposal=proposal, action_digest="d", name="limit", kind="rego",
        place=0, created_at=now,
    )  # fmt: skip
    Lease.objects.create(
        public_id="lse_x", connection="connection:con_x", agent_id="agt_x", proposal_id="prp_x",
        kind="static", handle="sec_x", issued_at=now, expires_at=later,
    )  # fmt: skip
    LifecycleRow.objects.create(platform="p", model_id="m", loaded_at=now)
    _lifecycle_rows()
    Price.objects.create(platform="p", model_id="m", source="s", loaded_at=now)
    make_evaluation_rows(running, Model.objects.earliest("id"))
    make_worth_rows(Agent.objects.exclude(pk=running.pk).earliest("id"), running)
    make_discovery_rows()
    make_ending_rows(agent)
    make_drift_rows(GoldenCase.objects.earliest("id"), Model.objects.earliest("id"))
    make_health_rows(agent, cast.sam, channel, now)


def _lifecycle_rows() -> None:
    now, model = clock.now(), Model.objects.earliest("id")
    LifecycleChange.objects.create(public_id="lch_x", kind="moved", seen_at=now)
    LifecycleOverride.objects.create(
        public_id="lov_x", model=model, reason="r", set_by="x:y", set_at=now
    )
    ModelLimits.objects.create(model=model, seen_at=now, seen_key=1, settled_at=now)
    ListedModel.objects.create(vendor=model.vendor, name="m", first_listed_at=now, listed_at=now)
    CatalogueFeed.objects.create(
        public_id="ctf_x", url="https://f", next_at=now, added_by="x:y", added_at=now
    )


def refusal_of(table: str, changes: dict[str, str]) -> str:
    """Copy a row of the table with changes; return the name of the constraint that refused."""
    model = next(one for one in apps.get_models() if one._meta.db_table == table)
    values = {}
    for field in model._meta.concrete_fields:
        if field.generated or field.get_internal_type() == "BigAutoField" or field.attname == "xid":
            continue
        quoted = connection.ops.quote_name(str(field.column))
        # What must be unique in every row differs by itself, so that one thing is wrong.
        differs = field.unique and field.get_internal_type() in {"TextField", "SlugField"}
        values[quoted] = f"{quoted} || '-2'" if differs else quoted
        if field.unique and field.get_internal_type() == "BinaryField":
            values[quoted] = rf"{quoted} || '\x00'::bytea"
        values[quoted] = changes.get(str(field.column), values[quoted])
    statement = (
        f"INSERT INTO {table} ({', '.join(values)})"
        f" SELECT {', '.join(values.values())} FROM {table}"
    )
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except IntegrityError as error:
        return constraint_of(error)
    return ""


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("constraint", "table", "changes"), BROKEN)
def test_the_database_refuses(constraint: str, table: str, changes: dict[str, str]) -> None:
    assert refusal_of(table, changes) == constraint


def test_every_constraint_is_broken_somewhere() -> None:
    named = {
        constraint.name
        for model in apps.get_models()
        if model.__module__.split(".")[0] in PACKAGES
        for constraint in model._meta.constraints
    }
    ledger = (BASE_DIR / "tests/ledger/test_append_only.py").read_text(encoding="utf-8")
    broken = {constraint for constraint, _, _ in BROKEN}
    untried = {name for name in named - broken if f'"{name}"' not in ledger}
    assert sorted(untried) == []
    assert sorted(broken - named) == []
