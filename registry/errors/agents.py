"""Every refusal about agents, their manifests and their keys.

    Malformed 400   ManifestUnreadable
    Invalid   422   ManifestInvalid · ReasonMissing · LifetimeOutOfRange · OverlapOutOfRange
    Denied    403   NotYourAgent · OwnerMustBeYou
    NotFound  404   AgentNotFound · VersionNotFound · KeyNotFound
    Conflict  409   NameTaken · IllegalTransition · AgentNotCallable · TooManyKeys
                    KeyNotActive · VersionAlreadyProposed · VersionUnchanged
                    VersionNotGreater · VersionSettled · DraftHasRun
    Unavailable 503 PepperMissing

Each says what to do next where there is something to do.
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, Malformed, NotFound, Unavailable


class ManifestUnreadable(Malformed):
    """Raised when the bytes are not acceptable YAML or JSON; names line and reason."""

    code = "registry.manifest_unreadable"
    title = "The manifest could not be read"


class ManifestInvalid(Invalid):
    """Raised when a manifest says something that does not hold; lists every problem."""

    code = "registry.manifest_invalid"
    title = "The manifest is not valid"


class ReasonMissing(Invalid):
    """Raised when a step that others will ask about comes without its reason."""

    code = "registry.reason_missing"
    title = "Say why"


class LifetimeOutOfRange(Invalid):
    """Raised when a key is asked for a lifetime that is not given out."""

    code = "registry.lifetime_out_of_range"
    title = "That lifetime is not possible"


class OverlapOutOfRange(Invalid):
    """Raised when a rotated key should stay valid for longer than is given out."""

    code = "registry.overlap_out_of_range"
    title = "That overlap is not possible"


class NotYourAgent(Denied):
    """Raised when neither ownership nor a role covers the step; names who may."""

    code = "registry.not_your_agent"
    title = "You may not do this to that agent"


class OwnerMustBeYou(Denied):
    """Raised when somebody names another person as owner without the platform role."""

    code = "registry.owner_must_be_you"
    title = "You can register agents of your own only"


class AgentNotFound(NotFound):
    """Raised when no agent has that name or id, or the viewer may not know of it."""

    code = "registry.agent_not_found"
    title = "There is no such agent"


class VersionNotFound(NotFound):
    """Raised when the agent has no version of that number."""

    code = "registry.version_not_found"
    title = "The agent has no such version"


class KeyNotFound(NotFound):
    """Raised when the agent has no key of that id."""

    code = "registry.key_not_found"
    title = "The agent has no such key"


class NameTaken(Conflict):
    """Raised when another agent has the name."""

    code = "registry.name_taken"
    title = "The name is taken"


class IllegalTransition(Conflict):
    """Raised when the agent is not in a state that the step leaves, or another caller won."""

    code = "registry.illegal_transition"
    title = "The agent is not in a state for this"


class AgentNotCallable(Conflict):
    """Raised when a key is asked for an agent that may not call anything yet or any more."""

    code = "registry.agent_not_callable"
    title = "The agent may not make calls"


class TooManyKeys(Conflict):
    """Raised when an agent holds as many active keys as one may."""

    code = "registry.too_many_keys"
    title = "The agent has enough keys"


class KeyNotActive(Conflict):
    """Raised when a key that is revoked, expired or rotated should do one more thing."""

    code = "registry.key_not_active"
    title = "The key is not active"


class VersionAlreadyProposed(Conflict):
    """Raised when another version of the agent waits to be accepted."""

    code = "registry.version_already_proposed"
    title = "Another version is waiting"


class VersionUnchanged(Conflict):
    """Raised when the manifest handed in is the one in force."""

    code = "registry.version_unchanged"
    title = "Nothing has changed"


class VersionNotGreater(Conflict):
    """Raised when a new version's number is not above the one in force."""

    code = "registry.version_not_greater"
    title = "The version must be greater"


class VersionSettled(Conflict):
    """Raised when a version that was accepted, rejected or replaced is settled again."""

    code = "registry.version_settled"
    title = "The version is settled already"


class DraftHasRun(Conflict):
    """Raised when an agent that once ran should be removed without a trace."""

    code = "registry.draft_has_run"
    title = "Only a draft that never ran can be removed"


class SuccessorUnusable(Invalid):
    """Raised when the agent that should take another's place cannot."""

    code = "registry.successor_unusable"
    title = "This agent cannot take the other's place"


class OwnerUnusable(Invalid):
    """Raised when a person cannot own the agent that they should be given."""

    code = "registry.owner_unusable"
    title = "This person cannot own the agent"


class PepperMissing(Unavailable):
    """Raised when the key directory lacks a usable pepper, so no key can be made or checked."""

    code = "registry.pepper_missing"
    title = "Keys cannot be made right now"
