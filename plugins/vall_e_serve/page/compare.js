// The A/B test: two chains, one text, voice and seed; blind if wanted.

import { inShort } from "./chain.js";
import { announce, download, el, find } from "./dom.js";
import { playerOf } from "./player.js";

const EMPTY = { A: 0, B: 0, same: 0 };

/** Makes both, plays them, and counts votes. */
export class Compare {
  #make;
  #editor;
  #votes = [];
  #sounds = [];
  #running = null;

  /** @param make makes a take of a slot's chain: `make(slot, signal)`; null where something is missing */
  constructor(editor, make) {
    this.#editor = editor;
    this.#make = make;
    this.blind = el("input", { type: "checkbox", id: "blind", checked: true });
    this.start = el("button", { type: "button", id: "compare-start", class: "primary" }, "Make both");
    this.start.addEventListener("click", () => (this.#running === null ? this.#run() : this.#running.abort()));
    this.message = el("p", { id: "compare-message", role: "status" });
    this.stage = el("div", { id: "compare-stage" });
    this.tally = el("div", { id: "tally" });
    this.chains = el("dl", { class: "facts chains" });
    find("compare").replaceChildren(
      el("p", { class: "hint" }, "Chains A and B speak the same text in the same voice with the same seed. You hear them in a random order and say which is better."),
      this.chains,
      el("div", { class: "row" }, this.start, el("label", { class: "inline" }, this.blind, "Blind")),
      this.message, this.stage, this.tally,
    );
    editor.addEventListener("change", () => this.#describe());
    this.#describe();
  }

  /** Ends what is being made. */
  stop() {
    this.#running?.abort();
  }

  #describe() {
    this.chains.replaceChildren(...["A", "B"].map((slot) =>
      el("div", {}, el("dt", {}, slot), el("dd", {}, inShort(this.#editor.specs(slot))))));
  }

  async #run() {
    const names = { A: this.#editor.specs("A"), B: this.#editor.specs("B") };
    if (JSON.stringify(names.A) === JSON.stringify(names.B)) {
      this.message.textContent = "Chains A and B are the same. Change one of them first.";
      return;
    }
    this.#close();
    this.#running = new AbortController();
    this.start.textContent = "Stop";
    try {
      const made = [];
      const seed = {};
      for (const slot of ["A", "B"]) {
        this.message.textContent = `Making ${slot === "A" ? "the first" : "the second"} of two…`;
        const take = await this.#make(slot, this.#running.signal, seed);
        if (take === null) return void (this.message.textContent = "");
        made.push({ slot, take, chain: names[slot] });
      }
      if (this.blind.checked && Math.random() < 0.5) made.reverse();
      this.message.textContent = "Listen to both, as often as you like.";
      this.#ask(made, this.blind.checked);
    } catch (error) {
      this.message.textContent = error.name === "AbortError" ? "Stopped." : error.message;
    } finally {
      this.#running = null;
      this.start.textContent = "Make both";
    }
  }

  #close() {
    for (const each of this.#sounds) each.close();
    this.#sounds = [];
    this.stage.replaceChildren();
  }

  #ask(made, blind) {
    this.#sounds = made.map(({ take }) => playerOf(take.samples, take.rate));
    const name = (at) => (blind ? `sound ${at + 1}` : `chain ${made[at].slot}`);
    const better = (at) => `${blind ? "Sound" : "Chain"} ${name(at).split(" ")[1]} is better`;
    const buttons = made.map((_, at) => {
      const button = el("button", { type: "button", class: "sound" }, `Play ${name(at)}`);
      button.addEventListener("click", () => this.#sounds[at].toggle());
      this.#sounds[at].addEventListener("state", () => {
        button.textContent = `${this.#sounds[at].playing ? "Pause" : "Play"} ${name(at)}`;
        button.classList.toggle("running", this.#sounds[at].playing);
      });
      return button;
    });
    const vote = (text, at) => {
      const button = el("button", { type: "button", class: "vote" }, text);
      button.addEventListener("click", () => this.#count(made, at, blind));
      return button;
    };
    this.stage.replaceChildren(
      el("div", { class: "row sounds" }, buttons),
      el("div", { class: "row votes", role: "group", "aria-label": "Which is better?" }, vote(better(0), 0), vote("No difference", -1), vote(better(1), 1)),
    );
    buttons[0].focus();
  }

  #count(made, at, blind) {
    const choice = at < 0 ? "same" : made[at].slot;
    const { order, about } = made[0].take;
    this.#votes.push({
      choice, blind, first: made[0].slot, text: order.input, voice: about.voice, seed: order.seed,
      chains: Object.fromEntries(made.map(({ slot, chain }) => [slot, chain])), time: new Date().toISOString(),
    });
    const told = ({ slot, chain }, place) => `${blind ? `Sound ${place + 1} was chain` : "Chain"} ${slot}: ${inShort(chain)}.`;
    const revealed = made.map(told).join(" ");
    for (const each of this.stage.querySelectorAll(".vote")) each.disabled = true;
    this.message.textContent = revealed;
    announce(revealed);
    const { A, B, same } = this.#votes.reduce((sum, each) => ({ ...sum, [each.choice]: sum[each.choice] + 1 }), EMPTY);
    const save = el("button", { type: "button", class: "quiet" }, "Download votes");
    save.addEventListener("click", () => download("vall-e-votes.json", JSON.stringify(this.#votes, null, 2), "application/json"));
    this.tally.replaceChildren(el("p", { class: "row" }, el("strong", {}, `A ${A} · B ${B} · no difference ${same}`), save));
    this.start.focus();
  }
}
