// Runs before the first paint, so that a chosen theme never flashes.
(() => {
  const root = document.documentElement;
  const names = { light: "unsprawl", dark: "unsprawl-dark" };
  const read = () => {
    try {
      return localStorage.getItem("unsprawl-theme");
    } catch {
      return null; // storage may be refused; the system's preference holds then
    }
  };
  const apply = (choice) => {
    if (names[choice]) root.dataset.theme = names[choice];
    else delete root.dataset.theme;
  };
  root.classList.add("js");
  apply(read());
  window.unsprawlTheme = {
    choice: () => (names[read()] ? read() : "system"),
    isDark: () =>
      root.dataset.theme ? root.dataset.theme === names.dark : matchMedia("(prefers-color-scheme: dark)").matches,
    choose(choice) {
      try {
        if (names[choice]) localStorage.setItem("unsprawl-theme", choice);
        else localStorage.removeItem("unsprawl-theme");
      } catch {
        // the choice lasts for this page only
      }
      apply(choice);
      root.dispatchEvent(new CustomEvent("themechange"));
    },
  };
})();
