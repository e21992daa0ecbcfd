// Light or dark: as the system has it, or as chosen here.

import { find } from "./dom.js";

const KEPT = "vall-e.theme";

/** The switch; `changed` is called whenever colors change. */
export function setUpTheme(changed) {
  const select = find("theme");
  const apply = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  const kept = localStorage.getItem(KEPT);
  select.value = ["light", "dark"].includes(kept) ? kept : "auto";
  apply(select.value);
  select.addEventListener("change", () => {
    localStorage.setItem(KEPT, select.value);
    apply(select.value);
    changed();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
}

/** The colors that canvases use. */
export function colors() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { accent: of("--accent"), faint: of("--wave") };
}
