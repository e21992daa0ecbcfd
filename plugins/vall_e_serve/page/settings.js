// Seed, candidates, speed and the like; ranges and defaults are the server's.

import { el, find, icon } from "./dom.js";
import { remember, remembered } from "./store.js";

const LARGEST_SEED = 2 ** 31 - 1;
const NUMBERS = {
  speed: { label: "Speed", step: 0.05, about: "At the same pitch." },
  candidates: { label: "Candidates", step: 1, about: "Takes of each sentence; the best is kept." },
  max_tries: { label: "Tries", step: 1, about: "For a sentence that goes wrong." },
  pause: { label: "Pause", step: 0.05, about: "Silence between sentences, in seconds." },
};
const DELIVERIES = {
  pieces: "In pieces",
  parts: "By sentence",
  whole: "All at once",
};

/** The settings' fields. `declared` are the properties of a speech request in the OpenAPI document. */
export class Settings {
  #declared;

  constructor(declared) {
    this.#declared = declared;
    const kept = remembered().settings ?? {};
    const place = find("settings");
    place.replaceChildren(
      this.#seed(),
      ...Object.entries(NUMBERS).map(([name, how]) => this.#number(name, how, kept[name])),
      this.#delivery(kept.delivery),
      el("label", { class: "field check" }, el("input", { type: "checkbox", id: "trace", checked: kept.trace === true }),
        el("span", {}, "Trace what the samplers do"), el("span", { class: "hint" }, "Sound then comes sentence by sentence.")),
    );
    place.addEventListener("change", () => remember({ settings: { ...this.values(), seed: undefined } }));
  }

  #seed() {
    const box = el("input", { type: "number", id: "seed", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, value: "1" });
    const dice = el("button", { type: "button", class: "icon", "aria-label": "Draw a new seed", title: "Draw a new seed" }, icon("dice"));
    dice.addEventListener("click", () => (box.value = String(drawn())));
    return el("div", { class: "field seed" }, el("label", { for: "seed" }, "Seed"), el("span", { class: "row" }, box, dice),
      el("label", { class: "inline small" }, el("input", { type: "checkbox", id: "new-seed" }), "New one each time"));
  }

  #number(name, { label, step, about }, kept) {
    const { minimum, maximum, default: usual } = this.#declared[name];
    const valid = typeof kept === "number" && kept >= minimum && kept <= maximum;
    return el("div", { class: "field" }, el("label", { for: name }, label),
      el("input", { type: "number", id: name, min: minimum, max: maximum, step, value: String(valid ? kept : usual), "aria-describedby": `${name}-about` }),
      el("p", { class: "hint", id: `${name}-about` }, about));
  }

  #delivery(kept) {
    const select = el("select", { id: "delivery" }, Object.entries(DELIVERIES).map(([value, name]) => el("option", { value }, name)));
    select.value = Object.hasOwn(DELIVERIES, kept) ? kept : "pieces";
    return el("div", { class: "field" }, el("label", { for: "delivery" }, "Sound comes"), select,
      el("p", { class: "hint" }, "In pieces is soonest, but what went wrong can't be made again."));
  }

  /** The fields of a request, as they stand. A seed is drawn first where each time is to have a new one. */
  take() {
    if (find("new-seed").checked || find("seed").value === "") find("seed").value = String(drawn());
    return this.values();
  }

  values() {
    const found = { seed: number("seed", 1) };
    for (const name of Object.keys(NUMBERS)) found[name] = number(name, this.#declared[name].default);
    return { ...found, delivery: find("delivery").value, trace: find("trace").checked };
  }

  /** Sets the fields that are in `values`. */
  set(values) {
    for (const name of ["seed", "delivery", ...Object.keys(NUMBERS)]) {
      if (values[name] !== undefined) find(name).value = String(values[name]);
    }
    find("trace").checked = values.trace === true;
    find("new-seed").checked = false;
  }
}

const drawn = () => Math.floor(Math.random() * LARGEST_SEED);

const number = (id, fallback) => {
  const value = find(id).valueAsNumber;
  return Number.isFinite(value) ? value : fallback;
};
