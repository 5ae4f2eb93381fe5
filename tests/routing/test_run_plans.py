"""Every question a list of runs asks has an index: none reads a big table from end to end."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import browser_of, make_agent, make_call, make_cast, make_exchange, make_run

pytestmark = pytest.mark.django_db
BIG = {"ledger_entry", "routing_call", "routing_run", "routing_runsummary", "routing_runword"}
# Half of them of one agent; sums as a sweep leaves them.
FILL = """
INSERT INTO routing_runsummary (
    run_id, agent_id, label, started_at, last_at, length_ms, call_count, failed_count,
    denied_count, attempt_count, shadow_count, substituted_count, estimated_count, unpriced_calls,
    input_tokens, output_tokens, cost_micros, in_flight, tool_count, reported_model_count,
    decision_count, proposal_count, review_count, effect_count, reported_count, finding_count,
    facets, searchable)
SELECT 'run_' || n, CASE n % 2 WHEN 0 THEN %s ELSE 'agt_' || n % 100 END, 'job ' || n,
       now() - n * interval '1 minute', now() - n * interval '1 minute', n, 3, (n % 50 = 0)::int,
       (n % 70 = 0)::int, 3, 0, 0, 0, 0, 1, 1, n, 0, 0, 0, 0, 0, 0, 0, 0, 0,
       ARRAY['model:m' || n % 9, 'route:r'], 'job ' || n || ' run_' || n
FROM generate_series(1, 5000) n
"""


@pytest.fixture
def world():
    cast = make_cast()
    agent = make_agent("sorter", owner=cast.alice, stage="live")
    run = make_run(agent)
    intent = make_exchange(agent, run)
    make_call(agent, run_id=run.run_id, intent_id=intent)
    with connection.cursor() as cursor:
        cursor.execute(FILL.replace("%", "%%").replace("%%s", "%s"), [agent.public_id])
        cursor.execute("ANALYZE routing_runsummary")
    return cast, run, intent


def read_whole(statements):
    found = set()
    with connection.cursor() as cursor:
        # A table of a test is small; what matters is that there is another way.
        cursor.execute("SET LOCAL enable_seqscan = off")
        for statement in statements:
            cursor.execute(f"EXPLAIN {statement}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            found |= set(re.findall(r"Seq Scan on (\w+)", plan)) & BIG
        cursor.execute("SET LOCAL enable_seqscan = on")
    return found


@pytest.mark.parametrize("who", ["sam", "alice"])
@pytest.mark.parametrize(
    "address",
    [
        "/runs/",
        "/runs/?agent=sorter",
        "/runs/?agent=sorter&outcome=failed",
        "/runs/?outcome=denied",
        "/runs/?outcome=clean",
        "/runs/?state=in_flight",
        "/runs/?state=open",
        "/runs/?state=over",
        "/runs/?model=m3&route=r",
        "/runs/?has=tool",
        "/runs/?owner=alice@acme.test",
        "/runs/?team=finance",
        "/runs/?search=zebra",
        "/runs/?search={run}",
        "/runs/?search={entry}",
        "/runs/?ordering=-cost&cost_from=2",
        "/runs/?ordering=-took",
        "/runs/?period=7",
        "/api/v1/runs?agent=sorter&page_size=100",
        "/runs.csv",
        "/runs/{run}/",
        "/runs/{run}/calls/",
        "/runs/{run}/record/",
    ],
)
def test_no_list_reads_a_big_table_from_end_to_end(world, who, address):
    cast, run, intent = world
    browser = browser_of(getattr(cast, who))
    with CaptureQueriesContext(connection) as asked:
        answer = browser.get(address.format(run=run.run_id, entry=intent))
    assert answer.status_code == 200
    said = [one["sql"] for one in asked.captured_queries]
    selects = [text for text in said if text.lstrip().upper().startswith(("SELECT", "WITH"))]
    assert any("routing_run" in text for text in selects)
    assert read_whole(selects) == set()
