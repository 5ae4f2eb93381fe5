"""The rows of a trial in bulk: what was read joins them, what was judged is written to them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.db import connection

from rules.trying.bench import Verdict
from rules.trying.recorded import Asked, Tally

_JOIN: Final = """
INSERT INTO rules_question AS known
    (trial_id, source, input_digest, bundle_digest, agent_id, answer, rule, decisions, first_at,
     last_at, entry_id, found, own, new_answer, new_rule, constraints, owner)
SELECT %s, source, input, bundle, agent, answer, rule, decisions, first_at, last_at, entry,
       '', '', '', '', '{}', ''
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
            %s::timestamptz[], %s::timestamptz[], %s::text[])
     AS page (source, input, bundle, agent, answer, rule, decisions, first_at, last_at, entry)
ON CONFLICT (trial_id, input_digest, bundle_digest, agent_id, answer, rule) DO UPDATE SET
    decisions = known.decisions + EXCLUDED.decisions,
    first_at = least(known.first_at, EXCLUDED.first_at),
    last_at = greatest(known.last_at, EXCLUDED.last_at)
"""
_JUDGED: Final = """
UPDATE rules_question AS row
SET found = judged.found, own = judged.own, new_answer = judged.answer, new_rule = judged.rule,
    constraints = judged.constraints
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::text[], %s::jsonb[])
     AS judged (id, found, own, answer, rule, constraints)
WHERE row.id = judged.id AND row.trial_id = %s
"""


def join_page(trial_id: int, page: Mapping[Asked, Tally]) -> None:
    """Add what a page of the record held to what is known of the trial."""
    if not page:
        return
    asked, tallies = list(page), list(page.values())
    columns: list[list[Any]] = [
        *([getattr(each, name) for each in asked] for name in Asked.__slots__),
        *([getattr(each, name) for each in tallies] for name in Tally.__slots__),
    ]
    with connection.cursor() as cursor:
        cursor.execute(_JOIN, [trial_id, *columns])


def keep_verdicts(trial_id: int, verdicts: Sequence[Verdict]) -> None:
    """Write what became of questions."""
    columns: list[list[Any]] = [
        [verdict.key for verdict in verdicts],
        [verdict.found for verdict in verdicts],
        [verdict.own for verdict in verdicts],
        [verdict.new_answer for verdict in verdicts],
        [verdict.new_rule for verdict in verdicts],
        [json.dumps(verdict.constraints) for verdict in verdicts],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_JUDGED, [*columns, trial_id])
