"""Every change of an agent, under the names by which the rest of the service calls them."""

from __future__ import annotations

from registry.actions.owners import reassign_owner
from registry.actions.registration import (
    Checked,
    Registered,
    check_manifest,
    register_agent,
    remove_demo_agent,
    remove_draft,
)
from registry.actions.returning import keep_agent, restore_agent, set_end
from registry.actions.stages import (
    Killed,
    demote_agent,
    deprecate_agent,
    enter_review,
    kill_agent,
    launch_agent,
    promote_agent,
    resume_agent,
    retire_agent,
    return_to_draft,
    suspend_agent,
)
from registry.actions.versions import (
    Proposed,
    accept_version,
    propose_version,
    reject_version,
    withdraw_version,
)

__all__ = [
    "Checked",
    "Killed",
    "Proposed",
    "Registered",
    "accept_version",
    "check_manifest",
    "demote_agent",
    "deprecate_agent",
    "enter_review",
    "keep_agent",
    "kill_agent",
    "launch_agent",
    "promote_agent",
    "propose_version",
    "reassign_owner",
    "register_agent",
    "reject_version",
    "remove_demo_agent",
    "remove_draft",
    "restore_agent",
    "resume_agent",
    "retire_agent",
    "return_to_draft",
    "set_end",
    "suspend_agent",
    "withdraw_version",
]
