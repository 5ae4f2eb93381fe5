"""The Celery app: the doorbell, never the queue.

Owns the schedule of sweeps. The row is the queue; a lost message costs latency only,
because beat rings every sweep again.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from django.conf import settings

from config.parts import APPS

app = Celery("unsprawl")


def schedule() -> dict[str, dict[str, Any]]:
    """The sweeps rung by beat; every one is idempotent and claims its own rows."""
    return {
        "effects.carry_out_waiting": {"task": "effects.carry_out_waiting", "schedule": 5.0},
        "effects.test_connections": {"task": "effects.test_connections", "schedule": 30.0},
        "effects.reconcile": {"task": "effects.reconcile", "schedule": 5.0},
        "campaigns.follow": {"task": "campaigns.follow", "schedule": 60.0},
        "campaigns.look_for_agents": {"task": "campaigns.look_for_agents", "schedule": 60.0},
        "campaigns.advance": {"task": "campaigns.advance", "schedule": 10.0},
        "campaigns.carry_out_rules": {"task": "campaigns.carry_out_rules", "schedule": 60.0},
        "campaigns.remind_owners": {"task": "campaigns.remind_owners", "schedule": 300.0},
        "routing.count_usage": {"task": "routing.count_usage", "schedule": 15.0},
        "routing.sum_runs": {"task": "routing.sum_runs", "schedule": 5.0},
        "conformance.check_runs": {"task": "conformance.check_runs", "schedule": 30.0},
        "worth.count_days": {"task": "worth.count_days", "schedule": 300.0},
        "worth.sketch_prompts": {"task": "worth.sketch_prompts", "schedule": 120.0},
        "worth.find_duplicates": {"task": "worth.find_duplicates", "schedule": 600.0},
        "cutovers.step": {"task": "cutovers.step", "schedule": 5.0},
        "routing.reap_lost_calls": {"task": "routing.reap_lost_calls", "schedule": 10.0},
        "routing.carry_out_reevaluations": {
            "task": "routing.carry_out_reevaluations",
            "schedule": 5.0,
        },
        "routing.read_listings": {"task": "routing.read_listings", "schedule": 60.0},
        "routing.follow_feeds": {"task": "routing.follow_feeds", "schedule": 300.0},
        "evaluations.carry_out_waiting": {
            "task": "evaluations.carry_out_waiting",
            "schedule": 5.0,
        },
        "routing.notice_budgets": {"task": "routing.notice_budgets", "schedule": 30.0},
        "discovery.carry_out_readings": {
            "task": "discovery.carry_out_readings",
            "schedule": 10.0,
        },
        "discovery.pull_sources": {"task": "discovery.pull_sources", "schedule": 15.0},
        "discovery.follow_schedules": {"task": "discovery.follow_schedules", "schedule": 60.0},
        "discovery.keep_findings": {"task": "discovery.keep_findings", "schedule": 3600.0},
        "outlets.make_exports": {"task": "outlets.make_exports", "schedule": 10.0},
        "outlets.send_feeds": {"task": "outlets.send_feeds", "schedule": 2.0},
        "outlets.follow_schedules": {"task": "outlets.follow_schedules", "schedule": 60.0},
        "outlets.expire_exports": {"task": "outlets.expire_exports", "schedule": 300.0},
        "routing.carry_out_erasures": {"task": "routing.carry_out_erasures", "schedule": 5.0},
        "routing.keep_retention": {"task": "routing.keep_retention", "schedule": 1800.0},
        "rules.try_bundles": {"task": "rules.try_bundles", "schedule": 10.0},
        "credentials.end_leases": {"task": "credentials.end_leases", "schedule": 2.0},
        "approvals.send_notices": {"task": "approvals.send_notices", "schedule": 5.0},
        "health.follow_registry": {"task": "health.follow_registry", "schedule": 30.0},
        "health.note_late": {"task": "health.note_late", "schedule": 5.0},
        "health.judge_calls": {"task": "health.judge_calls", "schedule": 30.0},
        "health.sum_days": {"task": "health.sum_days", "schedule": 600.0},
        "health.attend": {"task": "health.attend", "schedule": 10.0},
        "telling.send_copies": {"task": "telling.send_copies", "schedule": 5.0},
        "approvals.escalate_reviews": {"task": "approvals.escalate_reviews", "schedule": 30.0},
        "effects.run_gates": {"task": "effects.run_gates", "schedule": 5.0},
        "effects.demote_regressed": {"task": "effects.demote_regressed", "schedule": 60.0},
        "effects.drop_orphans": {"task": "effects.drop_orphans", "schedule": 900.0},
        "effects.expire_proposals": {"task": "effects.expire_proposals", "schedule": 30.0},
        "drift.watch_calls": {"task": "drift.watch_calls", "schedule": 300.0},
        "drift.ask_golden_cases": {"task": "drift.ask_golden_cases", "schedule": 30.0},
        "drift.count_price_effects": {"task": "drift.count_price_effects", "schedule": 60.0},
        "drift.count_limit_effects": {"task": "drift.count_limit_effects", "schedule": 60.0},
        "drift.attend_sources": {"task": "drift.attend_sources", "schedule": 300.0},
        "retiring.carry_on": {"task": "retiring.carry_on", "schedule": 10.0},
        "retiring.carry_out_batches": {"task": "retiring.carry_out_batches", "schedule": 10.0},
        "approvals.settle_arrivals": {"task": "approvals.settle_arrivals", "schedule": 5.0},
        "approvals.remind_deciders": {"task": "approvals.remind_deciders", "schedule": 60.0},
        "approvals.expire_reviews": {"task": "approvals.expire_reviews", "schedule": 60.0},
    }


def _configuration() -> dict[str, Any]:
    return {
        "broker_url": settings.CELERY_BROKER_URL,
        "broker_connection_retry_on_startup": True,
        # A short time-out here makes a message of a killed worker come back sooner.
        "broker_transport_options": {"visibility_timeout": 600},
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_time_limit": 15 * 60,
        "task_soft_time_limit": 14 * 60,
        "timezone": "UTC",
        "enable_utc": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "worker_send_task_events": False,
        "beat_schedule": schedule(),
        "beat_schedule_filename": str(settings.DATA_DIR / "beat"),
        "task_default_queue": "unsprawl",
    }


app.conf.update(_configuration())
app.autodiscover_tasks(APPS)
