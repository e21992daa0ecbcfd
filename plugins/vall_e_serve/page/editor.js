// The editor of the two chains, A and B.

import { chainOf, emptyChain, moved, newMember, specsOf } from "./chain.js";
import { announce, el, find } from "./dom.js";
import { sortable } from "./drag.js";
import { memberRow } from "./member.js";

const STAGES = { ar: "First level", nar: "Further levels" };
const PLACES = ["Custom"];

/** Chains A and B, edited in turn. Dispatches `change`. */
export class ChainEditor extends EventTarget {
  #samplers;
  #presets;
  #stage = "ar";

  /**
   * @param samplers what `GET /v1/samplers` lists
   * @param presets named chains
   * @param kept specs of an earlier visit, by slot
   */
  constructor(samplers, presets, kept) {
    super();
    this.#samplers = new Map(samplers.map((each) => [each.id, each]));
    this.#presets = presets;
    const known = (specs) => (Array.isArray(specs) ? specs : []).filter((each) => typeof each === "string");
    const read = (found) => (found ? chainOf({ ar: known(found.ar), nar: known(found.nar) }) : emptyChain());
    this.slot = "A";
    this.chains = { A: read(kept?.A), B: kept?.B ? read(kept.B) : chainOf(presets[2] ?? {}) };
    this.#slots();
    this.#draw();
  }

  /** The specs of a slot, by stage. */
  specs(slot = this.slot) {
    return specsOf(this.chains[slot]);
  }

  /** Replaces the chain of a slot. */
  set(specs, slot = this.slot) {
    this.chains[slot] = chainOf(specs);
    this.#changed();
  }

  #slots() {
    const radio = (slot) =>
      el("label", {}, el("input", {
        type: "radio", name: "slot", value: slot, checked: slot === this.slot,
        onchange: () => {
          this.slot = slot;
          this.#changed();
        },
      }), el("span", {}, slot === "A" ? "A: speaks" : "B: to compare"));
    find("slots").replaceChildren(radio("A"), radio("B"));
  }

  #changed() {
    this.#draw();
    this.dispatchEvent(new Event("change"));
  }

  #members() {
    return this.chains[this.slot][this.#stage];
  }

  #replace(members) {
    this.chains[this.slot][this.#stage] = members;
    this.#changed();
  }

  #presetSelect() {
    const now = JSON.stringify(this.specs());
    const select = el("select", { id: "preset" }, PLACES.map((each) => el("option", { value: "" }, each)),
      this.#presets.map((each, at) => el("option", { value: at }, each.name)));
    const at = this.#presets.findIndex((each) => JSON.stringify(specsOf(chainOf(each))) === now);
    select.value = at < 0 ? "" : String(at);
    select.addEventListener("change", () => {
      const preset = this.#presets[Number(select.value)];
      if (select.value !== "" && preset !== undefined) this.set(preset);
      find("preset").focus();
    });
    return el("div", { class: "field" }, el("label", { for: "preset" }, "Preset"), select,
      el("p", { class: "hint" }, at < 0 ? "A chain of your own." : this.#presets[at].about));
  }

  #stageSelect() {
    const select = el("select", { id: "stage" }, Object.entries(STAGES).map(([value, name]) => el("option", { value }, name)));
    select.value = this.#stage;
    select.addEventListener("change", () => {
      this.#stage = select.value;
      this.#draw();
      find("stage").focus();
    });
    return el("div", { class: "field" }, el("label", { for: "stage" }, "Codec levels"), select,
      el("p", { class: "hint" }, this.#stage === "ar" ? "Decides what is said, and when it ends." : "Fill in the details of the sound."));
  }

  #adder() {
    const groups = new Map();
    for (const each of this.#samplers.values()) {
      if (each.stages.includes(this.#stage)) groups.set(each.place, [...(groups.get(each.place) ?? []), each]);
    }
    const select = el("select", { id: "add-name", "aria-label": "Sampler to add" },
      [...groups].map(([place, some]) => el("optgroup", { label: place }, some.map((each) => el("option", { value: each.id }, each.id)))));
    select.value = groups.has("filters") ? "top-p" : select.value;
    const about = el("p", { class: "hint" });
    const tell = () => (about.textContent = this.#samplers.get(select.value)?.summary ?? "");
    select.addEventListener("change", tell);
    tell();
    const add = el("button", { type: "button", id: "add" }, "Add");
    add.addEventListener("click", () => {
      const name = select.value;
      this.#replace([...this.#members(), newMember(name)]);
      announce(`${name} added as number ${this.#members().length}.`);
      this.#focus(this.#members().length - 1);
    });
    return el("div", { class: "adder" }, el("div", { class: "row" }, select, add), about);
  }

  #focus(at) {
    const handles = document.querySelectorAll("#chain .handle");
    (handles[Math.min(at, handles.length - 1)] ?? find("add")).focus();
  }

  #draw() {
    const members = this.#members();
    const list = el("ol", { id: "chain", class: "chain", "aria-label": `Samplers of chain ${this.slot}, in order` },
      members.map((each, at) => memberRow(
        each, this.#samplers.get(each.name), `${at + 1} of ${members.length}`,
        () => this.dispatchEvent(new Event("change")),
        () => {
          this.#replace(members.filter((other) => other !== each));
          announce(`${each.name} removed.`);
          this.#focus(at);
        },
      )));
    sortable(list, (from, to) => {
      this.#replace(moved(this.#members(), from, to));
      announce(`${this.#members()[to].name} is number ${to + 1} of ${members.length}.`);
    }, (at) => this.#focus(at));
    find("editor").replaceChildren(...[
      el("div", { class: "pair" }, this.#presetSelect(), this.#stageSelect()),
      members.length === 0 && el("p", { class: "hint empty" }, "No samplers of your own: the model's advice is used. Add one to change that."),
      list, this.#adder(),
    ].filter(Boolean));
  }
}
