"""The apps that the project is made of, in the order of imports: a package sees what stands below.

Owns the one list that settings, addresses and the schedule of sweeps are made from.
"""

from __future__ import annotations

from typing import Final

# What steers the fleet, each part an app of its own with its own tables.
FLEET: Final = (
    "fleet.campaigns",
    "fleet.cutovers",
    "fleet.drift",
    "fleet.evaluations",
    "fleet.discovery",
    "fleet.worth",
    "fleet.retiring",
    "fleet.conformance",
    "fleet.health",
    "fleet.telling",
)
APPS: Final = (
    "fleet",
    *FLEET,
    "outlets",
    "effects",
    "routing",
    "rules",
    "approvals",
    "registry",
    "credentials",
    "ledger",
)
