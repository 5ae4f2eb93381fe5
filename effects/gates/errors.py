"""The refusals of checks.

Invalid
├── CheckInvalid    422  a check of an operation is not described as its kind asks
└── CheckUnknown    422  the policy names a check that the operation does not have
"""

from __future__ import annotations

from kernel.errors import Invalid


class CheckInvalid(Invalid):
    """Raised for a check that could not judge as it is written; names the check and the member."""

    code = "effects.check_invalid"
    title = "A check of the operation is not usable"


class CheckUnknown(Invalid):
    """Raised when the policy demands a check that the operation lacks: the action is denied."""

    code = "effects.check_unknown"
    title = "The policy demands a check that this operation does not have"
