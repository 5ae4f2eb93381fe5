"""Every refusal about bundles, activations and grants.

NotFound 404   BundleNotFound, TrialNotFound
Conflict 409   BundleKnown, TrialUnderWay, TrialOver
"""

from __future__ import annotations

from kernel.errors import Conflict, NotFound


class BundleNotFound(NotFound):
    """Raised when no bundle has that id."""

    code = "rules.bundle_not_found"
    title = "There is no such bundle"


class BundleKnown(Conflict):
    """Raised when a bundle of the same rules and settings is kept already."""

    code = "rules.bundle_known"
    title = "This bundle is kept already"


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
