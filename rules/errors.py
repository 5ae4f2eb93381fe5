"""Every refusal about bundles, activations and grants.

NotFound 404   BundleNotFound · GrantNotFound · TrialNotFound
Conflict 409   BundleKnown · AlreadyInForce · CasesFail · GrantAsked · GrantNotGiven
               TrialUnderWay · TrialOver
Invalid  422   BundleRefused · FactsUnreadable · GrantUnusable
"""

from __future__ import annotations

from kernel.errors import Conflict, Invalid, NotFound


class BundleNotFound(NotFound):
    """Raised when no bundle has that id."""

    code = "rules.bundle_not_found"
    title = "There is no such bundle"


class GrantNotFound(NotFound):
    """Raised when no grant has that id, or the viewer may not know of it."""

    code = "rules.grant_not_found"
    title = "There is no such grant"


class BundleKnown(Conflict):
    """Raised when a bundle of the same rules and settings is kept already."""

    code = "rules.bundle_known"
    title = "This bundle is kept already"


class AlreadyInForce(Conflict):
    """Raised when what is to be activated judges already."""

    code = "rules.already_in_force"
    title = "This bundle is in force already"


class CasesFail(Conflict):
    """Raised when a bundle does not answer its own cases as they say."""

    code = "rules.cases_fail"
    title = "The bundle's own cases do not hold"


class GrantAsked(Conflict):
    """Raised when the same was asked for and nobody has answered yet."""

    code = "rules.grant_asked"
    title = "This grant is asked for already"


class GrantNotGiven(Conflict):
    """Raised when a grant that is not in force would be revoked."""

    code = "rules.grant_not_given"
    title = "This grant is not in force"


class BundleRefused(Invalid):
    """Raised when files are no bundle, or the lint or the engine refuses them; says where."""

    code = "rules.bundle_refused"
    title = "The bundle is refused"


class FactsUnreadable(Invalid):
    """Raised when what is to be tried is no object of facts."""

    code = "rules.facts_unreadable"
    title = "The facts cannot be read"


class GrantUnusable(Invalid):
    """Raised when a grant would allow nothing: a class the agent does not handle, a past moment."""

    code = "rules.grant_unusable"
    title = "This grant would allow nothing"


class TrialNotFound(NotFound):
    """Raised when no trial has that id."""

    code = "rules.trial_not_found"
    title = "There is no such trial"


class TrialUnderWay(Conflict):
    """Raised when a bundle is to be tried while a trial of it is under way."""

    code = "rules.trial_under_way"
    title = "This bundle is being tried already"


class TrialOver(Conflict):
    """Raised when a trial is to be cancelled that has ended."""

    code = "rules.trial_over"
    title = "This trial has ended"
