// A file goes in parts: what broke off is gone on with from where it was, also on another day. Without this, a form sends it whole.
(() => {
  const LEAST = 64 * 1024;
  const MOST = 8 * 1024 * 1024;
  const PATIENCE = 60_000; // for one part; one that takes longer is halved
  const LONGEST_PAUSE = 30_000;

  class Refused extends Error {}
  class Broken extends Error {}

  const size = (bytes) => {
    const units = ["bytes", "KB", "MB", "GB"];
    let at = 0;
    for (; bytes >= 1024 && at < units.length - 1; at += 1) bytes /= 1024;
    return `${at ? bytes.toFixed(1) : bytes} ${units[at]}`;
  };

  // A refusal ends it, with its words; whatever a bad line does is worth another try.
  const ask = async (form, method, path, body) => {
    const headers = { accept: "application/json", "x-csrftoken": form.elements.csrfmiddlewaretoken.value };
    if (body) headers["content-type"] = "application/octet-stream";
    let answer;
    try {
      answer = await fetch(form.dataset.upload + path, { method, headers, body, credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE) });
    } catch {
      throw new Broken();
    }
    if (answer.status >= 500 || answer.status === 429 || answer.status === 408) throw new Broken();
    const said = await answer.json().catch(() => ({}));
    if (answer.status === 401) throw new Refused("You are signed out. Sign in, and go on with the file from its page.");
    // It begins elsewhere, or an earlier try of ours is still being written: ask again where it is.
    if (said.code === "fleet.part_elsewhere") throw new Broken();
    if (!answer.ok) throw new Refused(said.detail || said.title || `The answer was ${answer.status}.`);
    return said;
  };

  const pause = (milliseconds) => new Promise((go) => {
    const timer = setTimeout(go, milliseconds);
    addEventListener("online", () => { clearTimeout(timer); go(); }, { once: true });
  });

  const panel = (form) => {
    const box = form.querySelector("[data-upload-progress]");
    const bar = box.querySelector("rect + rect");
    const words = box.querySelector("[data-upload-words]");
    const live = document.getElementById("live");
    let told = -1;
    box.hidden = false;
    return {
      show(sent, whole, more = "") {
        const percent = whole ? Math.floor((sent * 100) / whole) : 0;
        bar.setAttribute("width", `${percent}%`);
        bar.parentElement.setAttribute("aria-label", `${percent}% sent`);
        words.textContent = `${percent}%: ${size(sent)} of ${size(whole)} sent. ${more || "Keep this page open."}`;
        if (live && Math.floor(percent / 10) !== told) {
          told = Math.floor(percent / 10);
          live.textContent = `${percent}% sent`;
        }
      },
      fail(text) {
        words.textContent = text;
        words.setAttribute("role", "alert");
      },
    };
  };

  // What a break has left there counts, so it is asked for before anything is sent again.
  const send = async (form, file, reading, progress) => {
    let piece = 1024 * 1024;
    let there = null;
    let breaks = 0;
    while (there === null || there < file.size) {
      try {
        if (there === null) ({ received: there } = await ask(form, "GET", `/${reading}`));
        if (there === null || there >= file.size) break;
        progress.show(there, file.size);
        const began = performance.now();
        ({ received: there } = await ask(form, "PUT", `/${reading}/parts?offset=${there}`, file.slice(there, there + piece)));
        breaks = 0;
        if (performance.now() - began < 2000) piece = Math.min(MOST, piece * 2);
      } catch (error) {
        if (!(error instanceof Broken)) throw error;
        breaks += 1;
        piece = Math.max(LEAST, piece / 2);
        progress.show(there ?? 0, file.size, "The line is broken; it goes on by itself.");
        await pause(Math.min(LONGEST_PAUSE, 500 * 2 ** breaks));
        there = null;
      }
    }
  };

  const open = async (form, file) => {
    if (form.dataset.reading) return form.dataset.reading;
    const query = new URLSearchParams({ kind: form.elements.format.value, name: file.name.slice(-200), size: file.size });
    for (let breaks = 1; ; breaks += 1) {
      try {
        return (await ask(form, "POST", `?${query}`)).id;
      } catch (error) {
        if (!(error instanceof Broken) || breaks > 5) throw error;
        await pause(500 * 2 ** breaks);
      }
    }
  };

  const leaving = (event) => event.preventDefault();

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const file = form.matches("form[data-upload]") ? form.elements.file?.files?.[0] : null;
    if (!file || !file.size) return; // the page says what is missing
    event.preventDefault();
    const button = form.querySelector("[type=submit]");
    const progress = panel(form);
    if (form.dataset.size && Number(form.dataset.size) !== file.size) {
      progress.fail(`This is another file: it has ${file.size} bytes, and ${form.dataset.size} were begun with.`);
      return;
    }
    button.disabled = true;
    addEventListener("beforeunload", leaving);
    try {
      const reading = await open(form, file);
      form.dataset.reading = reading;
      form.dataset.size = file.size;
      await send(form, file, reading, progress);
      removeEventListener("beforeunload", leaving);
      location.assign(form.dataset.page.replace("rdg_", reading));
    } catch (error) {
      removeEventListener("beforeunload", leaving);
      button.disabled = false;
      progress.fail(error instanceof Refused ? error.message : "The file could not be sent. Press the button to go on with it.");
    }
  }, true); // before the form is marked as one that was sent whole
})();
