"""The refusals of this package. A decision never raises: it denies. Only a bundle can be at fault.

Unavailable
└── BundleUnusable   503  the bundle cannot be read, is refused by the lint, or does not build
"""

from __future__ import annotations

from kernel.errors import Unavailable


class BundleUnusable(Unavailable):
    """Raised when a bundle cannot judge; a process that needs it does not start."""

    code = "policy.bundle_unusable"
    title = "The policy bundle cannot be used"
