"""What judges and embeddings said of a candidate, as figures that name who said so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fleet.evaluations.comparing.judged import BASELINE, CANDIDATE, SAME
from fleet.evaluations.criteria import Criteria
from fleet.evaluations.gate.figures import FAILED, INCONCLUSIVE, PASSED, SHOWN, Figure, Row
from fleet.evaluations.statistics.ratios import ratio_of_sums
from fleet.evaluations.statistics.shares import design_effect, wilson


def judge_figures(rows: Sequence[Row], criteria: Criteria, *, seed: str) -> list[Figure]:
    """Return a figure for a judge model, and one for embeddings, where they were asked."""
    recorded = [row for row in rows if not row.is_golden]
    found = []
    if any("judge" in row.outcome for row in recorded):
        found.append(_by_judge(recorded, criteria))
    if any(row.outcome.get("similarity") is not None for row in recorded):
        found.append(_by_embeddings(recorded, criteria, seed))
    return found


def _by_judge(rows: Sequence[Row], criteria: Criteria) -> Figure:
    """Share of pairs in which the candidate's answer is no worse, by both orders."""
    read = [(row.run_id, str(row.outcome["judge"])) for row in rows if "judge" in row.outcome]
    counts = Counter(said for _, said in read)
    clear = [(run, said) for run, said in read if said in {CANDIDATE, BASELINE, SAME}]
    names = sorted({str(row.outcome.get("judge_model") or "") for row in rows} - {""})
    method = f"judge model {', '.join(names) or '?'}, both orders"
    parts = {name: counts[name] for name in (CANDIDATE, BASELINE, SAME, "unclear")}
    if not clear:
        return Figure("text_judge", method, SHOWN, note="it contradicted itself", parts=parts)
    by_run: dict[str, tuple[float, float]] = {}
    for run, said in clear:
        hits, count = by_run.get(run, (0.0, 0.0))
        by_run[run] = hits + (said != BASELINE), count + 1
    share = sum(hits for hits, _ in by_run.values()) / len(clear)
    count = len(clear) / design_effect([*by_run.values()])
    held = wilson(share * count, count, criteria.confidence)
    verdict = SHOWN
    if criteria.text_least:
        verdict = PASSED if held.low >= criteria.text_least else INCONCLUSIVE
        verdict = FAILED if held.high < criteria.text_least else verdict
    return Figure(
        "text_judge",
        method,
        verdict,
        count=len(clear),
        runs=len(by_run),
        yardstick="bound" if criteria.text_least else "",
        candidate={"value": held.value, "low": held.low, "high": held.high},
        bound=criteria.text_least or None,
        note=f"{counts['unclear']} contradicted" if counts["unclear"] else "",
        parts=parts,
    )


def _by_embeddings(rows: Sequence[Row], criteria: Criteria, seed: str) -> Figure:
    """Mean cosine of the two texts; told, and nothing hangs on it."""
    read = [(row.run_id, row.outcome.get("similarity")) for row in rows]
    sums: dict[str, list[float]] = {}
    for run, near in read:
        if near is not None:
            of_run = sums.setdefault(run, [0.0, 0.0])
            of_run[0] += 1
            of_run[1] += float(near)
    found = ratio_of_sums(
        [(count, near, count) for count, near in sums.values()],
        seed=f"{seed} embeddings",
        confidence=criteria.confidence,
    )
    told: dict[str, float | None] | None = None
    if found is not None:
        high = found.high if found.high <= 1 else 1.0
        told = {"value": found.value, "low": found.low, "high": high}
    return Figure(
        "text_embedding",
        f"cosine of embeddings, route {criteria.embeddings}",
        SHOWN,
        count=int(sum(count for count, _ in sums.values())),
        runs=len(sums),
        candidate=told,
    )
