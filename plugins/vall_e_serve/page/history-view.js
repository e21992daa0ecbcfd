// The list of takes of late.

import { inShort } from "./chain.js";
import { announce, el, find, iconButton } from "./dom.js";
import * as history from "./history.js";
import { Take } from "./take.js";

const when = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "short" });

/** A take as it is kept: the recording of a voice isn't. */
function entryOf(take) {
  const { ref_audio: _recording, ...order } = take.order;
  const { id, created, rate, about, record, trace, complete } = take;
  return { id, created, rate, about, record, trace, complete, order, own: take.order.ref_audio !== undefined, samples: take.samples };
}

function takeOf(entry) {
  const made = new Take(entry.own ? { ...entry.order, ref_audio: "" } : entry.order, entry.rate, entry.about);
  Object.assign(made, { id: entry.id, created: entry.created, record: entry.record, trace: entry.trace, complete: true });
  made.add(entry.samples);
  return made;
}

/** The list of what was made. */
export class HistoryView {
  #open;

  /** @param open called with a take that is to be seen again, and with whether it is to be heard */
  constructor(open) {
    this.#open = open;
    find("clear-history").addEventListener("click", async () => {
      if (!window.confirm("Delete everything that is kept in this browser?")) return;
      await history.clear();
      announce("History deleted.");
      await this.load();
    });
  }

  /** Keeps a take, and lists it. A browser that keeps nothing is no reason to stop. */
  async add(take) {
    try {
      await history.keep(entryOf(take));
    } catch (error) {
      announce(`The history can't be kept: ${error.message}`);
    }
    await this.load();
  }

  async load() {
    let entries = [];
    try {
      entries = await history.all();
    } catch {
      // private windows of some browsers have no database
    }
    find("clear-history").hidden = entries.length === 0;
    find("history").replaceChildren(
      entries.length === 0
        ? el("p", { class: "hint" }, "What you make is kept here, in this browser only.")
        : el("ul", { class: "history" }, entries.map((each) => this.#row(each))),
    );
  }

  #row(entry) {
    const title = entry.order.input.length > 90 ? `${entry.order.input.slice(0, 90)}…` : entry.order.input;
    const chain = inShort({ ar: entry.order.samplers?.ar ?? [], nar: entry.order.samplers?.nar ?? [] });
    const open = el("button", { type: "button", class: "quiet", title: "Show it, with its settings" }, title);
    open.addEventListener("click", () => this.#open(takeOf(entry), false));
    return el(
      "li", { "data-take": entry.id },
      iconButton("play", `Play: ${title}`, () => this.#open(takeOf(entry), true)),
      el("div", { class: "grow" }, open, el("p", { class: "hint" }, `${entry.about.voice} · seed ${entry.order.seed} · ${(entry.samples.length / entry.rate).toFixed(1)} s · ${chain} · ${when.format(entry.created)}`)),
      iconButton("close", `Delete: ${title}`, async () => {
        await history.remove(entry.id);
        announce("Deleted.");
        await this.load();
        find("history").querySelector("button")?.focus();
      }, { class: "icon remove" }),
    );
  }
}
