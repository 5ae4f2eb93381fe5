"""Every refusal about bundles, activations and grants.

NotFound 404   BundleNotFound
Conflict 409   BundleKnown
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
