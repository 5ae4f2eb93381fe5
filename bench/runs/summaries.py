"""Summaries of runs, made in one statement as the sweep would have summed them.

Owns the volume: a sweep that reads every header takes minutes for what this does in one.
"""

from __future__ import annotations

from typing import Final

from bench.bulk import Bulk

_FILL: Final = """
INSERT INTO routing_runsummary (
    run_id, agent_id, label, started_at, last_at, last_call_at, length_ms, call_count,
    failed_count, denied_count, attempt_count, shadow_count, substituted_count, estimated_count,
    unpriced_calls, input_tokens, output_tokens, cost_micros, in_flight, tool_count,
    reported_model_count, decision_count, proposal_count, review_count, effect_count,
    reported_count, finding_count, facets, searchable)
SELECT r.run_id, r.agent_id, r.label, r.started_at, c.last_at, c.last_call_at,
       greatest(0, extract(epoch FROM c.last_at - r.started_at) * 1000)::bigint, c.calls, c.failed,
       0, c.calls, 0, 0, 0, 0, c.input_tokens, c.output_tokens, c.cost_micros, 0, 0, 0, 0, 0, 0, 0,
       0, 0, c.facets, lower(r.label || ' ' || r.run_id)
FROM routing_run r JOIN (
    SELECT run_id, count(*) AS calls, count(*) FILTER (WHERE status = 'error') AS failed,
           sum(input_tokens) AS input_tokens, sum(output_tokens) AS output_tokens,
           sum(cost_micros) AS cost_micros, max(started_at) AS last_call_at,
           max(started_at + duration_ms * interval '1 millisecond') AS last_at,
           ARRAY['route:' || min(route), 'model:' || min(model), 'vendor:' || min(vendor)]
           || CASE WHEN hashtext(run_id) %% 50 = 0
              THEN ARRAY['has:tool', 'tool:lookup'] ELSE '{}' END AS facets
    FROM routing_call GROUP BY run_id
) c USING (run_id)
ON CONFLICT DO NOTHING
"""
_MARK: Final = """
INSERT INTO routing_usagemark (name, xid, call_id, counted_at)
SELECT %s, xid::text::bigint, id, now() FROM {table} ORDER BY {table}.xid DESC, id DESC LIMIT 1
ON CONFLICT (name) DO UPDATE SET xid = excluded.xid, call_id = excluded.call_id
"""


def sum_all(bulk: Bulk) -> None:
    """Sum what has been loaded, and say that the sweep has come to its end."""
    bulk.run(_FILL)
    for name, table in (("runs:calls", "routing_call"), ("runs:entries", "ledger_entry")):
        bulk.run(_MARK.format(table=table), name)
