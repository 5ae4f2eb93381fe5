from fleet.conformance.models.checked import CheckedRun, ConformanceMark
from fleet.conformance.models.sums import DeviationSum, EdgeSum, ProcessSum, WeekSum

__all__ = ["CheckedRun", "ConformanceMark", "DeviationSum", "EdgeSum", "ProcessSum", "WeekSum"]
