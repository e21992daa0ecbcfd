// What the page remembers of its settings, in this browser. Texts and keys are not among it.

const KEPT = "vall-e.settings";

/** The settings of the last visit; an empty object if there are none. */
export function remembered() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT));
    return found !== null && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

/** Remembers some settings beside the others, where the browser lets it. */
export function remember(values) {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ ...remembered(), ...values }));
  } catch {
    // full, or switched off
  }
}
