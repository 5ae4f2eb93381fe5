// Dialogs, menus, tabs, copy buttons and messages. Every page works without it; this makes it quicker.
(() => {
  const say = (text) => {
    const live = document.getElementById("live");
    if (live) live.textContent = text;
  };

  // Theme
  const markTheme = () => {
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === window.unsprawlTheme.choice()));
    }
  };

  // The sidebar on small screens
  const sidebar = document.getElementById("nav");
  const opener = document.querySelector("[data-nav-open]");
  const setNav = (open) => {
    if (!sidebar || sidebar.classList.contains("is-open") === open) return;
    sidebar.classList.toggle("is-open", open);
    opener?.setAttribute("aria-expanded", String(open));
    document.querySelector(".frame").inert = open;
    if (open) sidebar.querySelector("a[href]:not([data-nav-close])")?.focus();
    else opener?.focus();
  };

  // Dialogs
  const openDialog = (dialog) => {
    if (!dialog || dialog.open) return;
    dialog.showModal();
    dialog.querySelector("[autofocus], input:not([type=hidden]), textarea, select, button")?.focus();
  };
  const checkTyped = (input) => {
    const button = input.form?.querySelector("[type=submit]");
    if (button) button.disabled = input.value.trim() !== input.dataset.typed;
  };

  // Copying
  const copy = async (button) => {
    const source = button.dataset.copy
      ? document.getElementById(button.dataset.copy)
      : button.closest(".code-box")?.querySelector(".code-panel:not([hidden]) code");
    const text = button.dataset.copyText ?? source?.value ?? source?.textContent ?? "";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // An origin without TLS has no clipboard: select the text, so that one keystroke copies it.
      if (source) getSelection().selectAllChildren(source);
      say("Press Ctrl+C to copy");
      return;
    }
    const word = button.querySelector("[data-copy-word]");
    const before = word?.textContent;
    button.dataset.copied = "";
    if (word) word.textContent = "Copied";
    say("Copied");
    setTimeout(() => {
      delete button.dataset.copied;
      if (word) word.textContent = before;
    }, 1600);
  };

  // Tabs inside a page
  const pick = (tab, focus = false) => {
    const list = tab.closest("[role=tablist]");
    for (const other of list.querySelectorAll("[role=tab]")) {
      const chosen = other === tab;
      other.setAttribute("aria-selected", String(chosen));
      other.tabIndex = chosen ? 0 : -1;
      const panel = document.getElementById(other.getAttribute("aria-controls"));
      if (panel) panel.hidden = !chosen;
    }
    if (focus) tab.focus();
  };
  const setUpTabs = (scope) => {
    for (const list of scope.querySelectorAll("[role=tablist]")) {
      if (list.dataset.ready) continue;
      list.dataset.ready = "1";
      const tabs = [...list.querySelectorAll("[role=tab]")];
      let wanted = null;
      try {
        wanted = list.dataset.remember && localStorage.getItem(`unsprawl-tab-${list.dataset.remember}`);
      } catch {
        // no storage: the first tab it is
      }
      const chosen = tabs.find((tab) => tab.textContent.trim() === wanted) ?? tabs[0];
      if (chosen) pick(chosen);
    }
  };

  // Messages
  const toast = (text) => {
    const room = document.getElementById("toasts");
    const shape = document.getElementById("toast-shape");
    if (!room || !shape) return;
    const item = shape.content.firstElementChild.cloneNode(true);
    item.querySelector("[data-toast-text]").textContent = text;
    room.append(item);
    setTimeout(() => item.remove(), 8000);
  };

  document.addEventListener("click", (event) => {
    const find = (selector) => event.target.closest(selector);
    let hit;
    if ((hit = find("[data-theme-choice]"))) {
      window.unsprawlTheme.choose(hit.dataset.themeChoice);
      markTheme();
    } else if (find("[data-theme-toggle]")) {
      window.unsprawlTheme.choose(window.unsprawlTheme.isDark() ? "light" : "dark");
      markTheme();
    } else if (find("[data-nav-open]")) {
      event.preventDefault();
      setNav(true);
    } else if (find("[data-nav-close]")) {
      event.preventDefault();
      setNav(false);
    } else if ((hit = find("[data-dialog]"))) {
      event.preventDefault();
      openDialog(document.getElementById(hit.dataset.dialog || hit.hash.slice(1)));
    } else if ((hit = find("[data-dialog-close]"))) {
      if (hit.closest("dialog")?.open) {
        event.preventDefault();
        hit.closest("dialog").close();
      }
    } else if ((hit = find("[data-copy], [data-copy-text], [data-copy-visible]"))) {
      copy(hit);
    } else if ((hit = find("[role=tab][aria-controls]"))) {
      pick(hit);
      const remember = hit.closest("[role=tablist]").dataset.remember;
      try {
        if (remember) localStorage.setItem(`unsprawl-tab-${remember}`, hit.textContent.trim());
      } catch {
        // not remembered, then
      }
    } else if ((hit = find("[data-dismiss]"))) {
      hit.closest("[data-dismissable]")?.remove();
    } else if (event.target.matches("dialog.modal")) {
      event.target.close();
    }
    for (const box of document.querySelectorAll("details.popover[open]")) {
      if (!box.contains(event.target)) box.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const box = document.querySelector("details.popover[open]");
      if (box) {
        box.open = false;
        box.querySelector("summary").focus();
      }
      setNav(false);
      return;
    }
    const tab = event.target.closest?.("[role=tab]");
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!tab || !step) return;
    const tabs = [...tab.closest("[role=tablist]").querySelectorAll("[role=tab]")];
    pick(tabs[(tabs.indexOf(tab) + step + tabs.length) % tabs.length], true);
  });

  document.addEventListener("input", (event) => {
    if (event.target.dataset?.typed) checkTyped(event.target);
  });

  // One submission each: a second click on a slow answer must not register twice.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented || form.hasAttribute("hx-post")) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    event.submitter?.setAttribute("aria-busy", "true");
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
    for (const busy of document.querySelectorAll("[aria-busy=true]")) busy.removeAttribute("aria-busy");
  });

  const setUp = (scope) => {
    setUpTabs(scope);
    for (const input of scope.querySelectorAll("input[data-typed]")) checkTyped(input);
  };
  const start = () => {
    markTheme();
    setUp(document);
    const named = location.hash && document.getElementById(location.hash.slice(1));
    if (named instanceof HTMLDialogElement) openDialog(named);
    // A piece that asks for itself again keeps what the reader has opened in it.
    let open = [];
    document.body.addEventListener("htmx:beforeSwap", (event) => {
      const piece = event.detail.target;
      open = piece.matches?.("[data-keeps-open]") ? [...piece.querySelectorAll("details[open][id]")].map((one) => one.id) : [];
    });
    document.body.addEventListener("htmx:afterSwap", () => {
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    });
    document.body.addEventListener("htmx:load", (event) => setUp(event.detail.elt));
    document.body.addEventListener("htmx:responseError", (event) =>
      toast(`The server answered ${event.detail.xhr.status}. Nothing was changed on this page; reload to try again.`),
    );
    document.body.addEventListener("htmx:sendError", () => toast("The server cannot be reached. Check the connection and try again."));
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
