// Keyboard: "/" searches, "?" lists the keys, "g" then a letter goes to a page of the sidebar, data-hotkey presses a piece of the page.
(() => {
  let going = 0;
  const typing = (element) => element.closest("input, textarea, select, [contenteditable=true]");
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    if (going && Date.now() - going < 1500) {
      going = 0;
      const link = document.querySelector(`#nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        link.click();
        return;
      }
    }
    if (event.key === "/") {
      event.preventDefault();
      document.getElementById("command")?.focus();
      document.getElementById("command")?.select();
    } else if (event.key === "?") {
      event.preventDefault();
      document.getElementById("keys")?.showModal();
    } else if (event.key === "g") {
      going = Date.now();
    } else if (event.key.length === 1) {
      // A piece of the page with a key of its own.
      const piece = document.querySelector(`[data-hotkey="${CSS.escape(event.key)}"]`);
      if (piece) {
        event.preventDefault();
        piece.click();
        if (piece.hash) document.getElementById(piece.hash.slice(1))?.focus();
      }
    }
  });
})();
