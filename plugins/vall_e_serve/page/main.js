// The page: puts its parts together.

import { getJson, hasKey, ready } from "./api.js";
import { samplersField } from "./chain.js";
import { Compare } from "./compare.js";
import { announce, el, find } from "./dom.js";
import { ChainEditor } from "./editor.js";
import { setUpExplanation } from "./explain.js";
import { HistoryView } from "./history-view.js";
import { setUpKey } from "./key.js";
import { Lexicon } from "./lexicon.js";
import { Recorder } from "./recorder.js";
import { ResultView } from "./result.js";
import { Settings } from "./settings.js";
import { remember, remembered } from "./store.js";
import { Take } from "./take.js";
import { setUpText } from "./text.js";
import { setUpTheme } from "./theme.js";
import { Voices } from "./voices.js";
import { base64 } from "./wav.js";

const STATES = {
  ready: "Ready", loading: "Loading the model…", draining: "The server is about to end", stuck: "The engine doesn't answer", unreachable: "No connection",
};

function status(state) {
  const place = find("status");
  place.textContent = STATES[state] ?? state;
  place.dataset.state = state;
}

/** The parts of the page that need the server's lists. */
class Page {
  #running = null;

  constructor(model, samplers, presets, declared) {
    this.model = model;
    this.recorder = new Recorder();
    this.voices = new Voices(this.recorder);
    this.settings = new Settings(declared);
    this.editor = new ChainEditor(samplers, presets, remembered().chains);
    setUpExplanation(this.editor);
    this.editor.addEventListener("change", () => remember({ chains: { A: this.editor.specs("A"), B: this.editor.specs("B") } }));
    this.compare = new Compare(this.editor, (slot, signal, seed) => this.#compared(slot, signal, seed));
    this.history = new HistoryView((take, heard) => this.#again(take, heard));
    this.result = new ResultView((take) => ({
      voice: this.voices.real(take.order.voice), about: this.model, origin: location.origin, keyed: hasKey(),
    }));
    this.lexicon = new Lexicon(declared.lexicon);
    this.previewed = setUpText(() => this.speak(), this.lexicon);
    find("speak").addEventListener("click", () => this.speak());
    find("stop").addEventListener("click", () => this.stop());
    window.addEventListener("pagehide", () => {
      this.stop(); // a browser may keep the page for "back", and its requests with it
      this.compare.stop();
    });
    document.addEventListener("keydown", (event) => event.key === "Escape" && !find("key-dialog").open && this.stop());
  }

  #problem(text, field) {
    find("progress").textContent = text;
    field?.focus();
  }

  /** What is to be made, as the page stands; null where something is missing. */
  #order(slot, settings) {
    const input = find("text").value;
    if (input.trim() === "") return this.#problem("Type a text first.", find("text")), null;
    const { trace, ...rest } = settings;
    const samplers = samplersField(this.editor.specs(slot));
    const lexicon = this.lexicon.value;
    return {
      input, language: find("language").value.trim() || "en", ...this.voices.fields(base64), ...rest,
      ...(samplers ? { samplers } : {}), ...(lexicon ? { lexicon } : {}), ...(trace ? { trace } : {}),
    };
  }

  #take(slot, settings) {
    const order = this.#order(slot, settings);
    return order === null ? null : new Take(order, this.model.sample_rate, { voice: this.voices.label });
  }

  async speak() {
    const take = this.#take("A", this.settings.take());
    if (take === null) return;
    this.stop();
    const running = new AbortController();
    this.#running = running;
    find("stop").disabled = false;
    find("progress").textContent = "Asking…";
    this.result.show(take);
    this.#reveal();
    const player = this.result.player;
    player.play();
    take.addEventListener("busy", ({ detail }) => (find("progress").textContent = `The server is busy. Asking again in ${detail} s…`));
    player.addEventListener("started", () => {
      take.firstSound ??= performance.now() - take.began;
      if (this.#running === running) find("progress").textContent = "Speaking…";
    });
    let problem = null;
    try {
      await take.make(running.signal);
    } catch (error) {
      problem = error.name === "AbortError" ? "Stopped." : error.message;
      if (error.param === "voice") this.voices.refresh();
      else if (error.param === "lexicon") this.lexicon.focus();
      else if (error.param) find({ input: "text" }[error.param] ?? error.param)?.focus();
    }
    if (this.#running === running) {
      this.#running = null;
      find("stop").disabled = true;
      find("progress").textContent = problem ?? `Done: ${take.seconds.toFixed(1)} s of speech.`;
    }
    this.result.finish(take, problem);
    if (take.complete) await this.history.add(take);
    else if (take.seconds === 0) player.pause();
  }

  /** On a phone the result lies below everything else. */
  #reveal() {
    const card = find("result-card");
    if (card.getBoundingClientRect().top < window.innerHeight * 0.7) return;
    card.scrollIntoView({ behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth", block: "start" });
  }

  stop() {
    this.#running?.abort();
    this.result.player?.pause();
  }

  async #compared(slot, signal, shared) {
    shared.settings ??= this.settings.take();
    const take = this.#take(slot, shared.settings);
    if (take === null) return null;
    await take.make(signal);
    await this.history.add(take);
    return take;
  }

  #again(take, heard) {
    this.stop();
    find("text").value = take.order.input;
    find("language").value = take.order.language;
    this.settings.set(take.order);
    this.lexicon.set(take.order.lexicon);
    this.editor.set(take.order.samplers ?? {}, "A");
    if (take.order.voice) this.voices.choose(take.order.voice);
    this.previewed();
    this.result.show(take);
    if (heard) this.result.player.play();
    else find("result-title").focus();
    announce("Text, words, voice, chain and settings are as they were.");
  }
}

async function start() {
  let page = null;
  setUpTheme(() => page?.result.redraw());
  setUpKey(() => location.reload());
  await ready(status);
  const [models, samplers, presets, api] = await Promise.all([
    getJson("/v1/models"), getJson("/v1/samplers"), getJson("/static/presets.json"), getJson("/openapi.json"),
  ]);
  const declared = api.paths["/v1/audio/speech"].post.requestBody.content["application/json"].schema.properties;
  const [model] = models.data;
  page = new Page(model, samplers.data, presets, declared);
  await page.voices.load();
  await page.history.load();
  find("status").textContent = `Ready · ${model.id}`;
  document.body.dataset.ready = "true";
  setInterval(watch, 15_000, model.id);
}

async function watch(name) {
  try {
    const { status: state } = await (await fetch("/ready")).json();
    status(state);
    if (state === "ready") find("status").textContent = `Ready · ${name}`;
  } catch {
    status("unreachable");
  }
}

start().catch((error) => {
  status("unreachable");
  find("status").textContent = "Not started";
  document.querySelector("main").prepend(el("p", { class: "card problem", role: "alert" }, `${error.message} Reload the page to try again.`));
});
