"""Every refusal about cutovers.

NotFound 404   CutoverNotFound
Conflict 409   CutoverMoved · CutoverUnderWay · NotSigned · NotEvaluated · SignatureVoid
               SourceOff · AgentPaused
Invalid  422   PlanInvalid
Denied   403   NotYoursToSign
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound


class CutoverNotFound(NotFound):
    """Raised when no cutover has that id, or none of its agents is the viewer's."""

    code = "fleet.cutover_not_found"
    title = "There is no such cutover"


class CutoverMoved(Conflict):
    """Raised when a cutover is in another state by now; says in which."""

    code = "fleet.cutover_moved"
    title = "The cutover is in another state"


class CutoverUnderWay(Conflict):
    """Raised when one of the agents is being moved away from that model already."""

    code = "fleet.cutover_under_way"
    title = "An agent is being moved already"


class NotSigned(Conflict):
    """Raised when a cutover should start and somebody has not agreed yet; says who."""

    code = "fleet.cutover_not_signed"
    title = "Not everybody has agreed yet"


class NotEvaluated(Conflict):
    """Raised when an agent has no passed evaluation, and nobody said why it goes all the same."""

    code = "fleet.cutover_not_evaluated"
    title = "An agent has not passed an evaluation"


class SignatureVoid(Conflict):
    """Raised when what is signed is not what is there now."""

    code = "fleet.cutover_signature_void"
    title = "What you signed is not what is there now"


class AgentPaused(Conflict):
    """Raised when somebody would move an agent that only the platform team may resume."""

    code = "fleet.cutover_agent_paused"
    title = "The platform team has paused an agent"


class SourceOff(Conflict):
    """Raised when agents should be brought back to a model that serves nobody; says why."""

    code = "fleet.cutover_source_off"
    title = "There is no way back: the source is off"


class PlanInvalid(Invalid):
    """Raised when steps or limits do not hold together; names the field."""

    code = "fleet.cutover_plan_invalid"
    title = "The plan is not valid"


class NotYoursToSign(Denied):
    """Raised when somebody signs for an agent who is neither its owner nor its backup owner."""

    code = "fleet.cutover_not_yours"
    title = "Only the agent's owner or backup owner signs"
