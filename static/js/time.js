// Writes <time data-time> in the zone of the reader's account or, where none was chosen, of the browser.
(() => {
  const locale = document.documentElement.lang || "en-GB";
  const timeZone = document.documentElement.dataset.zone || undefined;
  const full = new Intl.DateTimeFormat(locale, {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit", timeZoneName: "short", timeZone,
  });
  const short = new Intl.DateTimeFormat(locale, {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short", timeZone,
  });
  const units = [[31536000, "yr"], [2592000, "mo"], [86400, "d"], [3600, "h"], [60, "min"]];
  const relative = (moment) => {
    const seconds = (moment - Date.now()) / 1000;
    const size = Math.abs(seconds);
    for (const [length, name] of units) {
      if (size < length) continue;
      let [number, unit] = [Math.floor(size / length), name];
      return seconds > 0 ? `in ${number} ${unit}` : `${number} ${unit} ago`;
    }
    return seconds > 5 ? "in a moment" : "just now";
  };
  const write = (scope) => {
    for (const element of scope.querySelectorAll("time[data-time]")) {
      if (element.dataset.time === "day") continue;
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      element.title = full.format(moment);
      element.textContent = element.dataset.time === "ago" ? relative(moment) : short.format(moment);
    }
  };
  const start = () => {
    write(document);
    document.body.addEventListener("htmx:load", (event) => write(event.detail.elt));
    setInterval(() => document.hidden || write(document), 30000);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
