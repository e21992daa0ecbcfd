// The list of voices, each with a button that plays it.

import { getJson, request } from "./api.js";
import { announce, el, find, icon, iconButton } from "./dom.js";
import { decode, playerOf } from "./player.js";
import { remember, remembered } from "./store.js";

const OWN = "\u0000own"; // no voice's name
const RATE = 48_000;

/** The choice of a voice. Dispatches `change`. */
export class Voices extends EventTarget {
  #recorder;
  #voices = [];
  #chosen = remembered().voice ?? null;
  #players = new Map();

  constructor(recorder) {
    super();
    this.#recorder = recorder;
    recorder.addEventListener("recorded", () => this.choose(OWN));
    recorder.addEventListener("saved", (event) => this.refresh(event.detail));
  }

  /** The voice's fields of a request. */
  fields(base64) {
    if (this.#chosen !== OWN) return { voice: this.#chosen };
    const text = this.#recorder.transcript;
    return { ref_audio: `data:audio/wav;base64,${base64(this.#recorder.wav)}`, ...(text ? { ref_text: text } : {}) };
  }

  /** What the chosen voice is called. */
  get label() {
    return this.#chosen === OWN ? "your recording" : this.#chosen;
  }

  /** The name that the command line knows: OpenAI's names stand for others. */
  real(name) {
    return this.#voices.find((each) => each.id === name)?.stands_for ?? name;
  }

  /** Lists the server's voices anew. */
  async load(chosen = this.#chosen) {
    this.#voices = (await getJson("/v1/audio/voices")).voices;
    for (const each of this.#players.values()) each.close();
    this.#players.clear();
    this.choose(chosen);
  }

  /** As `load`; where the server can't be reached, the list stays as it is. */
  async refresh(chosen) {
    try {
      await this.load(chosen);
    } catch (error) {
      announce(error.message);
    }
  }

  /** Chooses a voice; the first one where there is none of that name. */
  choose(name) {
    const there = name === OWN ? this.#recorder.wav !== null : this.#voices.some((each) => each.id === name);
    this.#chosen = there ? name : (this.#voices[0]?.id ?? null);
    if (this.#chosen !== OWN) remember({ voice: this.#chosen });
    this.#draw();
    this.dispatchEvent(new Event("change"));
  }

  #draw() {
    const group = (source) => this.#voices.filter((each) => each.source === source).map((each) => this.#row(each));
    const aliases = group("alias");
    const chosenAlias = this.#voices.some((each) => each.source === "alias" && each.id === this.#chosen);
    find("voices").replaceChildren(...[
      this.#recorder.wav !== null && this.#own(),
      ...group("saved"), ...group("packaged"),
      aliases.length > 0 && el("details", { class: "more", open: chosenAlias }, el("summary", {}, "OpenAI's names"), aliases),
      this.#voices.length === 0 && el("p", { class: "hint" }, "There are no voices here yet. Record one."),
    ].filter(Boolean));
  }

  #radio(value) {
    const radio = el("input", { type: "radio", name: "voice", checked: value === this.#chosen });
    radio.addEventListener("change", () => {
      this.#chosen = value;
      if (value !== OWN) remember({ voice: value });
      this.dispatchEvent(new Event("change"));
    });
    return radio;
  }

  #own() {
    return el("div", { class: "voice" }, el("label", {}, this.#radio(OWN), el("span", { class: "name" }, "Your recording"), el("span", { class: "hint" }, "used once, not saved")));
  }

  #row(voice) {
    const about = [voice.stands_for ? `same as ${voice.stands_for}` : voice.source === "saved" ? "saved" : "included", voice.language, `${Number(voice.seconds).toFixed(1)} s`];
    const play = iconButton("play", `Play ${voice.name}`, () => this.#play(voice.id, play));
    return el(
      "div", { class: "voice", "data-voice": voice.id },
      el("label", {}, this.#radio(voice.id), el("span", { class: "name" }, voice.name), el("span", { class: "hint" }, about.filter(Boolean).join(" · "))),
      play, voice.source === "saved" && iconButton("close", `Delete ${voice.name}`, () => this.#remove(voice.id), { class: "icon remove" }),
    );
  }

  async #play(name, button) {
    try {
      let player = this.#players.get(name);
      if (player === undefined) {
        button.disabled = true;
        const response = await request(`/v1/audio/voices/${encodeURIComponent(name)}/preview`);
        player = playerOf(await decode(await response.arrayBuffer(), RATE), RATE);
        this.#players.set(name, player);
        player.addEventListener("state", () => {
          player.button.replaceChildren(icon(player.playing ? "pause" : "play"));
          player.button.setAttribute("aria-label", `${player.playing ? "Pause" : "Play"} ${name}`);
        });
      }
      player.button = button; // the list may have been drawn anew
      await player.toggle();
    } catch (error) {
      announce(error.message);
      button.title = error.message;
      button.classList.add("failed");
    } finally {
      button.disabled = false;
    }
  }

  async #remove(name) {
    if (!window.confirm(`Delete the voice ${name} from this server?`)) return;
    try {
      await request(`/v1/audio/voices/${encodeURIComponent(name)}`, { method: "DELETE" });
      announce(`${name} deleted.`);
    } catch (error) {
      announce(error.message);
    }
    await this.refresh();
  }
}
