// The inbox by keyboard: j and k move, o or Enter opens, a and r open at the answer, x selects. Nothing is decided from the list.
(() => {
  const wide = matchMedia("(min-width: 80rem)");
  const rows = () => [...document.querySelectorAll("tr[data-preview]")];
  let current = "";
  let waiting = 0;

  const at = () => rows().findIndex((row) => row.dataset.preview === current);

  const show = (row) => {
    clearTimeout(waiting);
    const pane = document.getElementById("preview");
    if (!pane || !wide.matches) return;
    // Whoever runs through the list fetches where they stop, not what they pass.
    waiting = setTimeout(() => htmx.ajax("GET", row.dataset.preview, { target: pane, swap: "innerHTML" }), 200);
  };

  const go = (step) => {
    const all = rows();
    if (!all.length) return;
    const next = Math.min(Math.max(at() + step, 0), all.length - 1);
    all.forEach((row, place) => row.classList.toggle("is-current", place === next));
    current = all[next].dataset.preview;
    const link = all[next].querySelector("a.row-link");
    link.focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
    show(all[next]);
  };

  const open = (hash) => {
    const link = rows()[at()]?.querySelector("a.row-link");
    if (link) location.assign(link.href + hash);
  };

  const keys = {
    j: () => go(1),
    k: () => go(-1),
    o: () => open(""),
    a: () => open("#comment"),
    r: () => open("#comment"),
    e: () => open("#edited_arguments"),
    x: () => rows()[at()]?.querySelector("input[name=pick]")?.click(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable=true]")) return;
    const act = keys[event.key];
    if (act) {
      event.preventDefault();
      act();
    }
  });
})();
