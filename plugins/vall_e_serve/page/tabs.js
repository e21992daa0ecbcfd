// Tabs with texts that can be copied.

import { announce, el } from "./dom.js";

let ids = 0;

/** Tabs of named texts: arrow keys go from tab to tab. */
export function copyTabs(texts, label) {
  const own = (ids += 1);
  const panel = el("pre", { class: "command", id: `panel-${own}`, role: "tabpanel", tabindex: 0 });
  const copy = el("button", { type: "button", class: "copy" }, "Copy");
  const tabs = Object.keys(texts).map((name) => el("button", { type: "button", role: "tab", "aria-controls": panel.id, id: `tab-${own}-${name.replaceAll(" ", "")}` }, name));
  const choose = (at) => {
    tabs.forEach((tab, place) => {
      tab.setAttribute("aria-selected", String(place === at));
      tab.tabIndex = place === at ? 0 : -1;
    });
    panel.textContent = texts[tabs[at].textContent];
    panel.setAttribute("aria-labelledby", tabs[at].id);
    copy.textContent = "Copy";
  };
  tabs.forEach((tab, at) => {
    tab.addEventListener("click", () => choose(at));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      event.preventDefault();
      const next = (at + step + tabs.length) % tabs.length;
      choose(next);
      tabs[next].focus();
    });
  });
  copy.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(panel.textContent);
      copy.textContent = "Copied";
      announce("Copied.");
    } catch {
      getSelection().selectAllChildren(panel);
      copy.textContent = "Selected: press Ctrl+C";
    }
  });
  choose(0);
  return el("div", { class: "tabs" }, el("div", { class: "row" }, el("div", { role: "tablist", "aria-label": label }, tabs), copy), panel);
}
