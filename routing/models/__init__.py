"""What is carried and by whom: vendors and models, routes, the catalogue, runs and calls."""

from __future__ import annotations

from routing.models.budget import Budget, BudgetNotice, BudgetWindow
from routing.models.catalogue import CatalogueLoad, LifecycleRow, Price
from routing.models.delegation import Delegation, DelegationEnd, RunLink, ToolUse
from routing.models.erasure import Erasure
from routing.models.lifecycle import (
    CatalogueFeed,
    LifecycleChange,
    LifecycleOverride,
    ListedModel,
    VendorListing,
)
from routing.models.limits import LimitSeen, ModelLimits
from routing.models.reevaluation import Reevaluation
from routing.models.reported import ReportedStep
from routing.models.route import Route, RouteTarget
from routing.models.run_summary import RunSummary, RunWord
from routing.models.runs import Call, Run
from routing.models.shift import Shift, ShiftMinute, ShiftStep, VendorWord
from routing.models.stop import EVERYTHING, LiveGateway, Stop
from routing.models.stored import StoredResponse
from routing.models.usage import (
    ModelUse,
    UsageDay,
    UsageFallback,
    UsageMark,
    UsageMonth,
    UsageOwn,
    UsageRecent,
    UsageRoute,
    UsageTotal,
)
from routing.models.vendor import Model, Vendor

__all__ = [
    "EVERYTHING",
    "Budget",
    "BudgetNotice",
    "BudgetWindow",
    "Call",
    "CatalogueFeed",
    "CatalogueLoad",
    "Delegation",
    "DelegationEnd",
    "Erasure",
    "LifecycleChange",
    "LifecycleOverride",
    "LifecycleRow",
    "LimitSeen",
    "ListedModel",
    "LiveGateway",
    "Model",
    "ModelLimits",
    "ModelUse",
    "Price",
    "Reevaluation",
    "ReportedStep",
    "Route",
    "RouteTarget",
    "Run",
    "RunLink",
    "RunSummary",
    "RunWord",
    "Shift",
    "ShiftMinute",
    "ShiftStep",
    "Stop",
    "StoredResponse",
    "ToolUse",
    "UsageDay",
    "UsageFallback",
    "UsageMark",
    "UsageMonth",
    "UsageOwn",
    "UsageRecent",
    "UsageRoute",
    "UsageTotal",
    "Vendor",
    "VendorListing",
    "VendorWord",
]
