// Your own voice: recorded or uploaded, looked at, used once or saved.

import { request } from "./api.js";
import { announce, clock, download, el, find, icon } from "./dom.js";
import { decibels, level, problems, trimmed } from "./levels.js";
import { record, whyNot } from "./microphone.js";
import { decode, pauseAll, playerOf } from "./player.js";
import { encodeWav } from "./wav.js";

const LONGEST = 30; // seconds
const LARGEST = 100 * 2 ** 20;
const UPLOAD_RATE = 48_000;
const SENTENCE = "The train to the coast was late, so we sat in the sun and talked about our plans for the summer.";

/** Dispatches `recorded` when there is a new recording, and `saved` when a voice was made of it. */
export class Recorder extends EventTarget {
  #microphone = null;
  #chunks = [];
  #seconds = 0;
  #player = null;
  #rate = 0;

  constructor() {
    super();
    this.wav = null; // the recording as it is sent
    this.#build();
  }

  /** What the recording says, if the person wrote it. */
  get transcript() {
    return find("recorded-text").value.trim();
  }

  #build() {
    this.meter = el("div", { class: "meter", role: "meter", "aria-label": "Level", "aria-valuemin": -60, "aria-valuemax": 0, "aria-valuenow": -60 }, el("span"));
    this.time = el("span", { class: "time" }, clock(0));
    this.button = el("button", { type: "button", id: "record", class: "record" }, icon("record"), el("span", {}, "Record"));
    this.button.addEventListener("click", () => (this.#microphone === null ? this.#start() : this.#stop()));
    this.problem = el("p", { class: "problem", role: "alert", id: "record-problem" });
    const file = el("input", { type: "file", id: "upload", accept: "audio/*,.wav,.flac,.ogg,.opus,.mp3,.m4a,.webm" });
    file.addEventListener("change", () => this.#upload(file));
    const why = whyNot();
    this.button.disabled = why !== null;
    this.after = el("div", { id: "recorded", hidden: true });
    find("recorder-body").replaceChildren(
      el("p", { class: "hint" }, "Say a sentence or two, for instance: ", el("q", {}, SENTENCE)),
      el("div", { class: "row" }, this.button, this.time, this.meter),
      ...(why === null ? [] : [el("p", { class: "hint" }, why)]),
      el("div", { class: "field" }, el("label", { for: "upload" }, "Or choose a file"), file),
      this.problem, this.after,
    );
  }

  async #start() {
    this.problem.textContent = "";
    this.#chunks = [];
    this.#seconds = 0;
    this.button.disabled = true;
    pauseAll();
    try {
      this.#microphone = await record((block) => this.#heard(block));
    } catch (error) {
      this.problem.textContent = error.message;
      return;
    } finally {
      this.button.disabled = false;
    }
    this.#rate = this.#microphone.rate;
    this.#label("stop", "Stop");
    announce("Recording.");
  }

  #heard(block) {
    this.#chunks.push(block);
    this.#seconds += block.length / (this.#microphone?.rate ?? this.#rate);
    this.time.textContent = clock(this.#seconds);
    const { rms, peak } = level(block);
    const now = Math.max(-60, decibels(rms));
    this.meter.setAttribute("aria-valuenow", String(Math.round(now)));
    this.meter.firstChild.style.width = `${((now + 60) / 60) * 100}%`;
    this.meter.classList.toggle("clipping", peak > 0.985);
    if (this.#seconds >= LONGEST) this.#stop();
  }

  #label(symbol, text) {
    this.button.replaceChildren(icon(symbol), el("span", {}, text));
    this.button.classList.toggle("running", symbol === "stop");
  }

  async #stop() {
    const microphone = this.#microphone;
    if (microphone === null) return;
    this.#microphone = null;
    this.#label("record", "Record again");
    this.meter.firstChild.style.width = "0";
    await microphone.stop();
    const whole = new Float32Array(this.#chunks.reduce((sum, each) => sum + each.length, 0));
    this.#chunks.reduce((at, each) => (whole.set(each, at), at + each.length), 0);
    this.#chunks = [];
    this.#show(whole, microphone.rate);
  }

  async #upload(input) {
    const file = input.files[0];
    this.problem.textContent = "";
    if (file === undefined) return;
    if (file.size > LARGEST) {
      this.problem.textContent = "The file is larger than 100 MB. Cut out a few seconds of speech first.";
      return;
    }
    let samples;
    try {
      samples = await decode(await file.arrayBuffer(), UPLOAD_RATE);
    } catch {
      this.problem.textContent = `${file.name} can't be read as sound. Try WAV, FLAC, Ogg or MP3.`;
      return;
    }
    this.#show(samples, UPLOAD_RATE, file.name);
  }

  #show(samples, rate, name = "Your recording") {
    const cut = trimmed(samples, rate).subarray(0, LONGEST * rate);
    const found = problems(cut, rate);
    if (samples.length > LONGEST * rate && cut.length === LONGEST * rate) found.push(`Only the first ${LONGEST} s are used.`);
    this.#player?.close();
    this.#player = playerOf(cut, rate);
    this.wav = encodeWav(cut, rate);
    const play = el("button", { type: "button", id: "play-recording" }, icon("play"), el("span", {}, "Listen"));
    play.addEventListener("click", () => this.#player.toggle());
    this.#player.addEventListener("state", () => {
      play.replaceChildren(icon(this.#player.playing ? "pause" : "play"), el("span", {}, this.#player.playing ? "Pause" : "Listen"));
    });
    const keep = el("button", { type: "button", class: "quiet" }, "Download recording.wav");
    keep.addEventListener("click", () => download("recording.wav", this.wav, "audio/wav"));
    this.after.replaceChildren(
      el("p", { class: "row" }, play, el("span", {}, `${name}, ${(cut.length / rate).toFixed(1)} s`), keep),
      found.length
        ? el("ul", { class: "problems", id: "recording-hints" }, found.map((each) => el("li", {}, each)))
        : el("p", { class: "good", id: "recording-hints" }, "This recording is fine."),
      el("div", { class: "field" }, el("label", { for: "recorded-text" }, "What it says (optional, helps a little)"), el("input", { type: "text", id: "recorded-text", autocomplete: "off" })),
      this.#saving(),
    );
    this.after.hidden = false;
    announce(found.length ? found.join(" ") : "The recording is fine.");
    this.dispatchEvent(new Event("recorded"));
  }

  #saving() {
    const message = el("p", { role: "status", id: "save-message" });
    const name = el("input", { type: "text", id: "voice-name", autocomplete: "off", spellcheck: "false", maxlength: 64 });
    const consent = el("input", { type: "checkbox", id: "voice-consent" });
    const save = el("button", { type: "button", id: "save-voice" }, "Save");
    save.addEventListener("click", async () => {
      message.className = "problem";
      message.textContent = "";
      if (name.value.trim() === "") message.textContent = "Give the voice a name.";
      else if (!consent.checked) message.textContent = "Only voices whose speaker agrees may be saved.";
      if (message.textContent !== "") return;
      save.disabled = true;
      try {
        const form = new FormData();
        form.append("name", name.value.trim());
        form.append("consent", "confirmed on the page by the person who saved it");
        if (this.transcript !== "") form.append("text", this.transcript);
        form.append("audio_sample", new Blob([this.wav], { type: "audio/wav" }), "recording.wav");
        const made = await (await request("/v1/audio/voices", { form })).json();
        message.className = "good";
        message.textContent = [`Saved as ${made.id}.`, ...made.warnings].join(" ");
        this.dispatchEvent(new CustomEvent("saved", { detail: made.id }));
      } catch (error) {
        message.textContent = error.message;
      } finally {
        save.disabled = false;
      }
    });
    return el(
      "details", { class: "more" }, el("summary", {}, "Save as a voice on this server"),
      el("div", { class: "field" }, el("label", { for: "voice-name" }, "Name"), el("span", { class: "row" }, name, save)),
      el("label", { class: "inline small" }, consent, "It is my voice, or its speaker agrees."), message,
    );
  }
}
