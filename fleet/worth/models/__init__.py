from fleet.worth.models.duplicates import (
    Different,
    DuplicateGroup,
    DuplicateMember,
    LikePair,
    LookMark,
)
from fleet.worth.models.quarter import Answer, Listed, Quarter
from fleet.worth.models.sketch import PromptSketch
from fleet.worth.models.standing import Standing
from fleet.worth.models.sums import OutcomeDay, WorthDay, WorthMark
from fleet.worth.models.value import DeclaredValue

__all__ = [
    "Answer",
    "DeclaredValue",
    "Different",
    "DuplicateGroup",
    "DuplicateMember",
    "LikePair",
    "Listed",
    "LookMark",
    "OutcomeDay",
    "PromptSketch",
    "Quarter",
    "Standing",
    "WorthDay",
    "WorthMark",
]
