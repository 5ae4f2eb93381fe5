"""What discovery refuses, as facts.

NotFound      FindingNotFound · SourceNotFound · ReadingNotFound
Conflict      FindingSettled · ReadingOver · PartElsewhere · SourceIsRead
Invalid       FindingReasonMissing · SourceNotUsable · UploadNotUsable · ReportNotUsable
Denied        NotYourFinding
TooLarge      UploadTooLarge
"""

from __future__ import annotations

from kernel.errors import Conflict, Denied, Invalid, NotFound, TooLarge


class FindingNotFound(NotFound):
    """Raised when a finding is absent, or is not for this viewer."""

    code = "fleet.finding_not_found"
    title = "There is no such finding"


class DiscoverySourceNotFound(NotFound):
    """Raised when a source is absent or was removed."""

    code = "fleet.discovery_source_not_found"
    title = "There is no such source"


class ReadingNotFound(NotFound):
    """Raised when a reading is absent, or is not for this viewer."""

    code = "fleet.reading_not_found"
    title = "There is no such reading"


class FindingSettled(Conflict):
    """Raised when a finding was claimed, merged, blocked or dismissed already."""

    code = "fleet.finding_settled"
    title = "This finding is settled"


class ReadingOver(Conflict):
    """Raised when a reading is to be cancelled that is under way no more."""

    code = "fleet.reading_over"
    title = "This reading is not under way"


class SourceIsRead(Conflict):
    """Raised when a source is to be read that is being read."""

    code = "fleet.source_is_read"
    title = "This source is being read"


class PartElsewhere(Conflict):
    """Raised when a part of a file does not begin where the file ends."""

    code = "fleet.part_elsewhere"
    title = "This part does not begin where the file ends"


class FindingReasonMissing(Invalid):
    """Raised when a finding is to be settled without saying why."""

    code = "fleet.finding_reason_missing"
    title = "Say why, or what was done"


class DiscoverySourceNotUsable(Invalid):
    """Raised when a source cannot be connected as asked for."""

    code = "fleet.discovery_source_not_usable"
    title = "This source cannot be connected so"


class UploadNotUsable(Invalid):
    """Raised when a file or its format cannot be taken."""

    code = "fleet.upload_not_usable"
    title = "This file cannot be read"


class ReportNotUsable(Invalid):
    """Raised when a repository's report is not what the scanner writes."""

    code = "fleet.report_not_usable"
    title = "This report is not one of the scanner"


class NotYourFinding(Denied):
    """Raised when somebody acts on a finding that is not assigned to them."""

    code = "fleet.not_your_finding"
    title = "This finding is not assigned to you"


class UploadTooLarge(TooLarge):
    """Raised when a file has more bytes than one reading takes."""

    code = "fleet.upload_too_large"
    title = "The file is too large"
