"""Tables for a terminal and for the documents, and the JSON that both are made of.

Owns the results directory: one file a day, and ``latest.json`` that quotes the newest run
of each part at full effort. A run at less effort never changes what documents quote.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from config.places import BASE_DIR

RESULTS: Final = BASE_DIR / "bench" / "results"
TRIED: Final = BASE_DIR / "bench" / "out"  # not kept
DOCUMENT: Final = BASE_DIR / "docs" / "benchmarks.md"
_SPREAD: Final = ("p50", "p95", "p99", "max")
_BEGIN, _END = "<!-- figures -->", "<!-- end of figures -->"

Report = dict[str, Any]
Rows = list[list[str]]


def write(report: Report, directory: Path, *, is_published: bool) -> Path:
    """Write a run; the newest full run of each part goes into latest.json."""
    directory.mkdir(parents=True, exist_ok=True)
    dated = directory / f"{report['measured_at'][:10]}.json"
    _dump(dated, _merged(read(dated), report))
    if is_published:
        latest = directory / "latest.json"
        _dump(latest, _merged(read(latest), report))
    return dated


def read(path: Path) -> Report | None:
    """Return a report, or None where there is none."""
    if not path.exists():
        return None
    found: Report = json.loads(path.read_text(encoding="utf-8"))
    return found


def document(report: Report, path: Path = DOCUMENT) -> None:
    """Put the figures of a report between the marks of a document."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(_BEGIN)
    after = rest.split(_END)[1]
    path.write_text(f"{before}{_BEGIN}\n{figures(report)}\n{_END}{after}", encoding="utf-8")


def figures(report: Report) -> str:
    """Return a report as documents quote it."""
    return "\n".join(_sections(report, markdown=True))


def text(report: Report) -> str:
    """Return a report as it is printed."""
    return "\n".join(_sections(report, markdown=False))


def _merged(known: Report | None, report: Report) -> Report:
    # Parts of different machines or efforts do not belong into one table.
    if known is None or known["effort"] != report["effort"]:
        return report
    if any(known["machine"].get(name) != report["machine"][name] for name in ("cpu", "cores")):
        return report
    return report | {"parts": known["parts"] | report["parts"]}


def _dump(path: Path, report: Report) -> None:
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _sections(report: Report, *, markdown: bool) -> Iterator[str]:
    machine = report["machine"]
    yield (
        f"Measured on {report['measured_at'][:10]} ({report['effort']} effort): {machine['cores']} "
        f"cores of {machine['cpu']}, {machine['memory_gib']} GiB, Python {machine['python']}, "
        f"PostgreSQL {machine['postgresql']}, a durable 4 KiB write in "
        f"{machine['fsync_p50_ms']} ms (p95 {machine['fsync_p95_ms']} ms), "
        f"load before {machine['load_before']}."
    )
    for name, tables in _TABLES.items():
        part = report["parts"].get(name)
        if part is None:
            continue
        for title, head, rows in tables(part):
            yield f"\n{'### ' if markdown else ''}{title}\n"
            yield from _table(head, rows, markdown=markdown)


def _table(head: Sequence[str], rows: Rows, *, markdown: bool) -> Iterator[str]:
    if markdown:
        yield "| " + " | ".join(head) + " |"
        yield "|---|" + "---:|" * (len(head) - 1)
        for row in rows:
            yield "| " + " | ".join(row) + " |"
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (list(head), *rows):
        cells = (
            cell.rjust(width) if index else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


Tables = Iterator[tuple[str, Sequence[str], Rows]]


def _gateway(part: Report) -> Tables:
    pairs: dict[tuple[bool, int, int], dict[str, Report]] = {}
    for cell in part["cells"]:
        key = (cell["streams"], cell["delay_ms"], cell["connections"])
        pairs.setdefault(key, {})[cell["target"]] = cell
    rows = []
    for (streams, delay, connections), pair in pairs.items():
        direct, governed = pair["direct"], pair["gateway"]
        rows.append(
            [
                f"{'streamed' if streams else 'plain'}, {delay} ms upstream",
                str(connections),
                f"{governed['calls_per_second']:,.0f}",
                f"{direct['calls_per_second']:,.0f}",
                *(
                    f"{governed[name] - direct[name]:+.2f}"
                    for name in ("p50_ms", "p95_ms", "p99_ms")
                ),
                f"{governed['cpu_us_per_call'] or 0:,}",
                str(governed["errors"]),
            ]
        )
    head = ("call", "connections", "calls/s", "direct", "added p50 ms", "added p95", "added p99",
            "CPU µs a call", "errors")  # fmt: skip
    yield "Gateway: governed calls, both ledger writes durable", head, rows
    if "idle_streams" in part:
        yield (
            "Gateway: the process",
            ("figure", ""),
            [
                ["ready after", f"{part['ready_seconds']:.2f} s"],
                ["memory at rest", f"{part['memory_idle_mib']:.0f} MiB"],
                ["memory after the load", f"{part['memory_after_mib']:.0f} MiB"],
                [
                    f"memory with {part['idle_streams']:,} open streams that say nothing",
                    f"{part['memory_streams_mib']:.0f} MiB",
                ],
                [
                    "first byte of a stream, beyond the intent's commit",
                    f"{part['first_byte_beyond_commit_ms']:+.2f} ms",
                ],
            ],
        )


def _revocation(part: Report) -> Tables:
    names = {
        "let_through_ms": "last call let through",
        "refused_ms": "first call refused",
        "cut_ms": "open stream cut",
    }
    rows = [
        [name, *(f"{part[key][at]:.1f}" if part[key][at] is not None else "none" for at in _SPREAD)]
        for key, name in names.items()
    ]
    title = (
        f"Revocation: {part['revocations']} times in {part['gateways']} gateways, ms after the"
        f" commit ({part['never_refused']} never refused, {part['never_cut']} never cut)"
    )
    yield title, ("until", *_SPREAD), rows


def _cutover(part: Report) -> Tables:
    rows = [
        [
            f"{step['percent']} %",
            str(step["calls"]),
            f"{step['moved_percent']:.1f} %",
            "none" if step["effect_ms"] is None else f"{step['effect_ms']:.1f} ms",
            str(step["failed"]),
        ]
        for step in part["steps"]
    ]
    killed, late = part["killed"], part["back_ms"] > part["limit_ms"]
    rows.append(["target killed", str(killed["calls"]), "", "", str(killed["failed"])])
    title = (
        f"Cutover under {part['offered_per_second']:.0f} calls a second for"
        f" {part['seconds']:.0f} s: {part['calls']:,} calls, {part['failed']} failed,"
        f" {part['recorded']:,} on record; the last call begun on the target"
        f" {part['back_ms']:.1f} ms after the way back{' (over the limit)' if late else ''}, ended"
        f" after {part['drained_ms']:.1f} ms"
    )
    yield title, ("step", "calls", "moved", "in effect after", "failed"), rows


def _inbox(part: Report) -> Tables:
    rows = [
        [
            row["name"] + (" (over the limit)" if row["p95_ms"] > part["limit_ms"] else ""),
            str(row["queries"]),
            f"{row['p50_ms']:.1f}",
            f"{row['p95_ms']:.1f}",
            f"{row['cpu_p50_ms']:.1f}",
            f"{row['db_p50_ms']:.1f}",
            f"{row['together_p95_ms']:.1f}",
        ]
        for row in part["pages"]
    ]
    title = (
        f"The inbox of a decider whom {part['open']:,} open questions are put to, ms"
        f" (p95 at most {part['limit_ms']:.0f})"
    )
    head = ("page", "statements", "p50", "p95", "cpu p50", "database p50", "8 at once p95")
    yield title, head, rows


def _duplicates(part: Report) -> Tables:
    rows = [
        [
            f"{row['agents']:,} agents"
            + (" (over the limit)" if row["seconds"] > part["limit_seconds"] else ""),
            f"{row['seconds']:.1f}",
            f"{row['compare_seconds']:.1f}",
            f"{row['pairs']:,}",
            f"{row['groups']:,}",
            f"{row['copies_found']} of {row['copies']}",
        ]
        for row in part["rows"]
    ]
    head = ("fleet", "seconds", "of them comparing", "pairs", "groups", "copies found")
    limit = f"{part['limit_seconds']:.0f}"
    yield f"Agents that do the same job, found among all (at most {limit} s)", head, rows
    yield from _labelled_pairs(part)


def _owed(row: Report, low: tuple[float, float]) -> str:
    is_below = row["precision"] < low[0] or row["recall"] < low[1]
    return " (below what is owed)" if is_below else ""


def _labelled_pairs(part: Report) -> Tables:
    low = (part["least_precision"], part["least_recall"])
    rows = [
        [
            f"{row['part']}, {row['pairs']} pairs"
            + (
                " (below what is owed)"
                if row["precision"] < low[0] or row["recall"] < low[1]
                else ""
            ),
            f"{row['precision']:.2f}",
            f"{row['recall']:.2f}",
        ]
        for row in part["labelled"]
    ]
    title = f"What is found, against labels (precision {low[0]:.1f} at recall {low[1]:.1f} owed)"
    yield title, ("part", "precision", "recall"), rows


def _impact(part: Report) -> Tables:
    limits = {"impact": part["impact_limit_ms"], "exposure": part["impact_limit_ms"]}
    names = {
        "impact": f"whom the end of one model touches ({part['touched']:,} agents)",
        "exposure": f"what depends on each of {part['models']} models",
    }
    rows = [
        [
            names[key],
            f"{part[f'{key}_p50_ms']:,.0f}",
            f"{part[f'{key}_max_ms']:,.0f}",
            "over the limit" if part[f"{key}_max_ms"] > limit else "",
        ]
        for key, limit in limits.items()
    ]
    mark = "over the limit" if part["open_ms"] > part["open_limit_ms"] else ""
    rows.append([f"a campaign of {part['moves']:,} moves opened", f"{part['open_ms']:,.0f}",
                 f"{part['open_ms']:,.0f}", mark])  # fmt: skip
    title = (
        f"The end of a model among {part['agents']:,} agents and {part['entries']:,} entries, ms"
        f" (at most {part['impact_limit_ms']:,.0f}; opened in at most {part['open_limit_ms']:,.0f})"
    )
    yield title, ("asked", "p50", "max", ""), rows


def _health(part: Report) -> Tables:
    late = part["late_ms"]
    rows = [
        [
            f"{part['agents']:,}",
            f"{60 * part['probes'] / part['seconds']:,.0f}",
            *(f"{late[name]:,.0f}" for name in _SPREAD),
            f"{100 * part['cpu_share']:.0f} %",
            f"{part['memory_mb']:,.0f}",
            "over the limit" if late["max"] > part["limit_ms"] else "",
        ]
    ]
    title = (
        "Agents probed once a minute, a third of them hostile: how late each probe began, ms"
        f" (at most {part['limit_ms']:,.0f})"
    )
    head = ("agents", "probes a minute", *_SPREAD, "of a core", "MiB", "")
    yield title, head, rows


def _proposals(part: Report) -> Tables:
    names = {"alone_ms": "one after the other", "paced_ms": f"{part['wanted_per_second']:.0f}/s"}
    rows = [
        [name, *(f"{part[key][at]:.1f}" for at in ("p50", "p95", "p99"))]
        for key, name in names.items()
    ]
    title = (
        f"Proposals: ms until the decision is on record, {part['agents']} agents; sustained"
        f" {part['paced_per_second']:.0f}/s (answers: {part['statuses']})"
    )
    yield title, ("sent", "p50", "p95", "p99"), rows


def _portal(part: Report) -> Tables:
    rows = []
    for page in part["pages"]:
        answered = page["statuses"] == [200]
        marks = ["over the limit"] if page["is_over"] else []
        marks += ["queries grow"] if page["grows"] else []
        marks += [] if answered else [f"answered {page['statuses']}"]
        rows.append(
            [
                f"{page['page']} ({page['viewer']})",
                str(page["queries"]),
                *(
                    f"{page[name]:.0f}"
                    for name in ("best_ms", "p50_ms", "p95_ms", "cpu_p50_ms", "db_p50_ms")
                ),
                f"{page['together_p50_ms']:.0f}",
                f"{page['together_p95_ms']:.0f}",
                f"{page['together_per_second']:.0f}",
                ", ".join(marks),
            ]
        )
    head = ("page", "queries", "best ms", "p50", "p95", "CPU p50", "database p50",
            "8 at once p50", "p95", "pages/s", "")  # fmt: skip
    title = (
        f"Portal: server time with {part['agents']:,} agents, {part['usage_rows']:,} days of use, "
        f"{part['calls']:,} calls, {part['entries']:,} ledger entries"
    )
    yield title, head, rows


def _startup(part: Report) -> Tables:
    rows = [
        ["fresh data, to both /readyz", f"{part['fresh_seconds']:.1f}"],
        ["existing data, to both /readyz", f"{part['existing_seconds']:.1f}"],
        ["one more gateway process to /readyz", f"{part['gateway_seconds']:.1f}"],
    ]
    yield f"Start (median of {part['starts']})", ("start", "seconds"), rows
    held = [
        [name, str(one["processes"]), f"{one['rss_mib']:.0f}", f"{one['pss_mib']:.0f}"]
        for name, one in part["memory"].items()
    ]
    total = sum(one["pss_mib"] for one in part["memory"].values())
    held.append(["all", str(sum(one["processes"] for one in part["memory"].values())), "",
                 f"{total:.0f}"])  # fmt: skip
    head = ("process", "processes", "RSS MiB", "PSS MiB")
    yield f"Memory after {part['idle_seconds']:g} s idle", head, held


def _ledger(part: Report) -> Tables:
    row = [
        f"{part['entries']:,}",
        f"{part['payloads']:,}",
        f"{part['seconds']:.1f}",
        f"{part['entries_per_second']:,}",
        f"{part['peak_mib']:.0f}",
    ]
    head = ("entries", "payloads", "seconds", "entries/s", "peak MiB")
    yield "Verification of the whole ledger", head, [row]


def _appends(part: Report) -> Tables:
    rows = [
        [
            cell["name"],
            f"{cell['entries_per_second']:,}",
            f"{cell['p50_ms']:.1f}",
            f"{cell['p99_ms']:.1f}",
            f"{cell['lag_p50_ms']:,}",
            f"{cell['lag_p99_ms']:,}",
            f"{cell['lag_max_ms']:,}",
            f"{cell['signed']:,} of {cell['entries']:,}",
        ]
        for cell in part["cells"]
    ]
    head = ("writers", "entries/s", "acknowledged p50 ms", "p99", "signed after p50 ms", "p99",
            "max", "signed")  # fmt: skip
    yield "Ledger: durable entries a second with the sequencer live", head, rows
    sizes = [[name, f"{value:,.1f}"] for name, value in part["bytes"].items()]
    yield "Ledger: bytes an entry, indexes included", ("where", "bytes"), sizes


# Of a small table, reading all of it is the right plan.
_LARGE: Final = 90_000


def _runs(part: Report) -> Tables:
    sizes = part["sizes"]
    rows = []
    for number, first in enumerate(sizes[-1]["rows"]):
        cells = [size["rows"][number] for size in sizes]
        marks = ["over the limit"] if first["p95_ms"] > part["limit_ms"] else []
        if first["read_whole"] and sizes[-1]["entries"] >= _LARGE:
            marks.append(f"reads all of {', '.join(first['read_whole'])}")
        rows.append(
            [
                f"{first['name']} ({first['viewer']})",
                str(first["queries"]),
                *(f"{cell['p95_ms']:.0f}" for cell in cells),
                ", ".join(marks),
            ]
        )
    entries = [f"{size['entries']:,}" for size in sizes]
    title = (
        f"Runs: server time p95 in ms as the ledger grows, {part['behind']} calls not summed yet;"
        f" {' and '.join(format(size['runs'], ',') for size in sizes)} runs"
    )
    yield title, ("list", "queries", *entries, ""), rows
    held = [
        [
            f"{size['entries']:,}",
            f"{size['runs']:,}",
            f"{size['entries_mib']:,}",
            f"{size['summary_mib']:,}",
        ]
        for size in sizes
    ]
    head = ("entries", "runs", "entries MiB", "summaries MiB")
    yield "Runs: what is stored for them, with indexes", head, held


def _policy(part: Report) -> Tables:
    rows = [
        [
            cell["name"],
            f"{cell['uncached_ms']['p50']:.2f}",
            f"{cell['uncached_ms']['p95']:.2f}",
            f"{cell['cached_us']['p50']:.1f}",
            f"{cell['cached_us']['p95']:.1f}",
            "over the limit"
            if cell["uncached_ms"]["p50"] > part["uncached_limit_ms"]
            or cell["cached_us"]["p50"] > part["cached_limit_us"]
            else "",
        ]
        for cell in part["cells"]
    ]
    head = ("decision on a", "asked, p50 ms", "p95 ms", "known, p50 µs", "p95 µs", "")
    yield f"A decision by the shipped bundle of {part['rules']} rules", head, rows


def _backtest(part: Report) -> Tables:
    rows = []
    for cell in part["cells"]:
        slow = cell["name"] == "calls" and cell["decisions_per_second"] < part["limit"]
        rows.append(
            [
                cell["name"],
                f"{cell['decisions']:,}",
                f"{cell['questions']:,}",
                f"{cell['seconds']:.1f}",
                f"{cell['decisions_per_second']:,}",
                f"{cell['questions_per_second']:,}",
                f"{cell['identical']:,} of {cell['decisions']:,}",
                f"{cell['changed']:,}",
                f"{cell['peak_mib']:,}",
                "under the limit" if slow else "",
            ]
        )
    head = ("decisions of", "recorded", "distinct", "seconds", "decisions/s", "distinct/s",
            "identical on their own bundle", "would change", "peak MiB", "")  # fmt: skip
    yield "A bundle tried on past decisions, each distinct one by two bundles", head, rows


_TABLES: Final = {
    "gateway": _gateway,
    "revocation": _revocation,
    "cutover": _cutover,
    "proposals": _proposals,
    "portal": _portal,
    "inbox": _inbox,
    "duplicates": _duplicates,
    "impact": _impact,
    "health": _health,
    "runs": _runs,
    "policy": _policy,
    "backtest": _backtest,
    "startup": _startup,
    "ledger": _ledger,
    "appends": _appends,
}
