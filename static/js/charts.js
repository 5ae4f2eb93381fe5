// Draws [data-chart] with uPlot, which is fetched only by pages that have a chart. Follows the theme.
(() => {
  const source = document.currentScript.dataset.uplot;
  const drawn = new Map();
  const probe = document.createElement("span");
  probe.hidden = true;
  const colour = (value) => {
    probe.style.color = value;
    return getComputedStyle(probe).color;
  };
  const numbers = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  // The server writes 4.4k, so the charts do too.
  const compact = { format: (value) => numbers.format(value).replace("K", "k") };
  const dollars = (micros) => {
    const amount = micros / 1e6;
    if (Math.abs(amount) >= 1000) return `$${compact.format(amount)}`;
    return `$${amount.toFixed(amount !== 0 && Math.abs(amount) < 1 ? 3 : 2)}`;
  };
  const writers = {
    usd_micros: dollars,
    ms: (value) => (value >= 1000 ? `${(value / 1000).toFixed(1)} s` : `${Math.round(value)} ms`),
    ratio: (value) => `${(value * 100).toFixed(1)}%`,
  };
  const draw = (element) => {
    drawn.get(element)?.chart.destroy();
    drawn.get(element)?.watcher.disconnect();
    const chart = JSON.parse(document.getElementById(element.dataset.chart).textContent);
    const write = writers[chart.unit] ?? ((value) => compact.format(value));
    const ink = colour("var(--ink-3)");
    const grid = colour("color-mix(in oklab, var(--color-base-content) 8%, transparent)");
    const font = "11px Inter Variable, system-ui, sans-serif";
    const stacked = chart.kind === "stacked";
    const sums = chart.times.map(() => 0);
    const columns = chart.series.map((series) =>
      series.values.map((value, i) => (stacked ? (sums[i] += value ?? 0) : value)),
    );
    // Until somebody points at a moment, the legend tells the latest figures.
    const last = chart.times.length - 1;
    const figure = (value) => (value == null ? "–" : write(value));
    const lines = chart.series.map((series, i) => {
      const base = series.tone ? `var(--fill-${series.tone})` : `var(--series-${(i % 6) + 1})`;
      const bars = chart.kind === "bars";
      return {
        label: series.label,
        stroke: colour(base),
        width: bars ? 0 : 1.75,
        fill: colour(`color-mix(in oklab, ${base} ${bars || stacked ? (bars ? 85 : 100) : chart.kind === "area" ? 14 : 0}%, transparent)`),
        paths: bars ? uPlot.paths.bars({ size: [0.7, 40], radius: 0.15 }) : uPlot.paths.spline?.(),
        points: { show: chart.times.length === 1 },
        value: (_, __, ___, at) => figure(series.values[at ?? last]),
      };
    });
    // The tallest of a stack is painted first, so that each lower band stays in sight.
    const order = stacked ? lines.map((_, i) => lines.length - 1 - i) : lines.map((_, i) => i);
    const size = () => ({ width: Math.max(element.clientWidth, 160), height: Number(element.dataset.height) || 208 });
    const step = chart.times.length > 1 ? chart.times[1] - chart.times[0] : 86400;
    // A day of figures is a day in UTC; in the reader's zone it would bear the name of another.
    const daily = step >= 86400;
    const words = { day: "numeric", month: "short", ...(daily ? { timeZone: "UTC" } : { hour: "2-digit", minute: "2-digit" }) };
    const calendar = new Intl.DateTimeFormat("en-GB", words);
    const when = (seconds) => calendar.format(seconds * 1000);
    // Half an agent is no agent: of whole numbers the marks are whole as well.
    const whole = !chart.unit && chart.series.every((series) => series.values.every((value) => Number.isInteger(value ?? 0)));
    const steps = whole && { incrs: [...Array(13).keys()].flatMap((power) => [1, 2, 5].map((each) => each * 10 ** power)) };
    // A bar stands around its moment: the first and the last need room for their other half.
    const edges = chart.kind === "bars" && { range: (_, low, high) => [low - step / 2, high + step / 2] };
    const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
    element.replaceChildren();
    const made = new uPlot(
      {
        ...size(),
        ...(daily && { tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") }),
        padding: [10, 8, 0, 0],
        cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
        scales: { x: { time: true, ...edges }, y: { range: (_, low, high) => [Math.min(low ?? 0, 0), (high ?? 0) > 0 ? high * 1.08 : 1] } },
        axes: [
          { ...axis, grid: { show: false }, size: 26, space: 72, values: (_, marks) => marks.map(when) },
          { ...axis, ...steps, size: 52, space: 36, values: (_, marks) => marks.map(write) },
        ],
        series: [{ label: "Time", value: (_, __, ___, at) => when(chart.times[at ?? last]) }, ...order.map((i) => lines[i])],
        legend: { live: true },
      },
      [chart.times, ...order.map((i) => columns[i])],
      element,
    );
    const watcher = new ResizeObserver(() => made.setSize(size()));
    watcher.observe(element);
    drawn.set(element, { chart: made, watcher });
  };
  const load = () =>
    window.uPlot
      ? Promise.resolve()
      : new Promise((done, failed) => {
          const script = document.createElement("script");
          script.src = source;
          script.onload = done;
          script.onerror = failed;
          document.head.append(script);
        });
  const setUp = (scope) => {
    const found = [...scope.querySelectorAll("[data-chart]")].filter((element) => !drawn.has(element));
    if (found.length) load().then(() => document.fonts.ready).then(() => found.forEach(draw));
  };
  const redraw = () => {
    for (const element of [...drawn.keys()]) {
      if (element.isConnected) draw(element);
      else drawn.delete(element);
    }
  };
  const start = () => {
    document.body.append(probe);
    setUp(document);
    document.body.addEventListener("htmx:load", (event) => setUp(event.detail.elt));
    document.documentElement.addEventListener("themechange", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
