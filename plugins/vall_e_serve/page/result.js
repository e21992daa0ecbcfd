// The result: player, waveform, spectrogram, sentences, downloads, commands and trace.

import { request } from "./api.js";
import { commands } from "./commands.js";
import { announce, clock, download, el, find, icon } from "./dom.js";
import { Peaks, drawSpectrogram, drawWaveform } from "./draw.js";
import { Player } from "./player.js";
import { copyTabs } from "./tabs.js";
import { colors } from "./theme.js";
import { traceCharts } from "./trace.js";
import { encodeWav } from "./wav.js";

const VERDICTS = {
  lost: "words may be missing", short: "too short", loop: "repeats itself", length: "didn't stop by itself", empty: "says nothing",
};

/** Shows takes, one at a time. */
export class ResultView {
  #context;
  #take = null;
  #player = null;
  #peaks = null;
  #nodes = {};

  /** @param context what `commands` needs beside a take, as a function of the take */
  constructor(context) {
    this.#context = context;
    new ResizeObserver(() => this.redraw()).observe(find("result"));
  }

  /** The player of what is shown. */
  get player() {
    return this.#player;
  }

  /** Shows a take, and goes on showing what arrives of it. */
  show(take) {
    this.#player?.close();
    this.#take = take;
    this.#player = new Player(take.rate);
    this.#peaks = new Peaks(take.rate);
    this.#build();
    const add = (samples) => {
      this.#player.push(samples.slice());
      this.#peaks.push(samples);
      if (this.#take === take) this.#drawWave();
    };
    if (take.seconds > 0) add(take.samples);
    if (!take.complete) take.addEventListener("samples", (event) => this.#take === take && add(event.detail));
    else this.finish(take);
  }

  /** What is known once a take has ended, well or not. */
  finish(take, problem = null) {
    if (this.#take !== take) return;
    this.#player.end();
    const { stats, more, play } = this.#nodes;
    play.disabled = take.seconds === 0;
    this.#drawWave();
    this.#drawSpectrum();
    stats.replaceChildren(...this.#facts(take), problem === null ? "" : el("p", { class: "problem", role: "alert" }, problem));
    more.replaceChildren(...[
      take.record !== null && this.#sentences(take.record),
      this.#downloads(take),
      el("h3", {}, "The same again"),
      copyTabs(commands(take, this.#context(take)), "How to make the same speech"),
      take.order.ref_audio !== undefined && el("p", { class: "hint" }, "Download recording.wav under Voice first."),
      ...(take.trace === null ? [] : [el("h3", {}, "What the samplers did"), traceCharts(take.trace)]),
    ].filter(Boolean));
  }

  /** Draws everything again: sizes or colors have changed. */
  redraw() {
    if (this.#take === null) return;
    this.#drawWave();
    this.#drawSpectrum();
  }

  #build() {
    const play = el("button", { type: "button", class: "icon big", id: "play", "aria-label": "Play" }, icon("play"));
    play.addEventListener("click", () => this.#player.toggle());
    const wave = el("canvas", { class: "wave", id: "waveform", "aria-hidden": "true" });
    const seek = el("input", { type: "range", class: "seek", id: "seek", min: 0, max: 1000, value: "0", "aria-label": "Position in the speech" });
    seek.addEventListener("input", () => this.#player.seek((Number(seek.value) / 1000) * this.#take.seconds));
    const spectrum = el("canvas", { class: "spectrum", id: "spectrogram", role: "img", "aria-label": "Spectrogram up to 8 kilohertz" });
    const time = el("span", { class: "time", id: "time" }, clock(0));
    const stats = el("div", { id: "stats" });
    const more = el("div", { id: "more" });
    this.#nodes = { play, wave, seek, spectrum, time, stats, more };
    this.#player.addEventListener("state", () => {
      play.replaceChildren(icon(this.#player.playing ? "pause" : "play"));
      play.setAttribute("aria-label", this.#player.playing ? "Pause" : "Play");
    });
    this.#player.addEventListener("position", () => this.#moved());
    find("result").replaceChildren(
      el("p", { class: "take-text" }, this.#take.order.input.length > 200 ? `${this.#take.order.input.slice(0, 200)}…` : this.#take.order.input),
      el("div", { class: "player" }, play, el("div", { class: "wave-box" }, wave, seek), time),
      spectrum, stats, more,
    );
  }

  #moved() {
    const { seek, time } = this.#nodes;
    const { seconds } = this.#take;
    seek.value = String(seconds ? (1000 * this.#player.at) / seconds : 0);
    seek.setAttribute("aria-valuetext", `${clock(this.#player.at)} of ${clock(seconds)}`);
    time.textContent = `${clock(this.#player.at)} / ${clock(seconds)}`;
    this.#drawWave();
    for (const row of document.querySelectorAll("#sentences li")) {
      const now = this.#player.at >= Number(row.dataset.start) && this.#player.at < Number(row.dataset.end);
      row.classList.toggle("now", now && this.#player.playing);
    }
  }

  #drawWave() {
    const total = this.#take.complete ? this.#peaks.samples : Math.max(this.#peaks.samples, this.#take.rate * 4);
    drawWaveform(this.#nodes.wave, this.#peaks, Math.max(1, total), this.#player.at * this.#take.rate, colors());
    this.#nodes.time.textContent = `${clock(this.#player.at)} / ${clock(this.#take.seconds)}`;
  }

  #drawSpectrum() {
    if (this.#take.seconds > 0) drawSpectrogram(this.#nodes.spectrum, this.#take.samples, this.#take.rate);
  }

  #facts(take) {
    const facts = [["Length", `${take.seconds.toFixed(2)} s`], ["Seed", String(take.order.seed)], ["Voice", take.about.voice]];
    if (take.firstByte !== null) facts.push(["First byte", `${Math.round(take.firstByte)} ms`]);
    if (take.firstSound !== null) facts.push(["First sound", `${Math.round(take.firstSound)} ms`]);
    if (take.took !== null) facts.push(["Made in", `${(take.took / 1000).toFixed(1)} s`]);
    if (take.firstSound !== null) facts.push(["Gaps", String(this.#player.dry)]);
    return [el("dl", { class: "facts" }, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", { "data-fact": name }, value))))];
  }

  #sentences(record) {
    const rows = record.parts.map((part) => {
      const verdict = part.verdict ?? "ok";
      const go = el("button", { type: "button", class: "quiet sentence" }, part.spoken);
      go.addEventListener("click", () => {
        this.#player.seek(part.start);
        this.#player.play();
      });
      return el("li", { "data-start": part.start, "data-end": part.start + part.duration }, go,
        verdict !== "ok" && el("span", { class: "mark bad" }, VERDICTS[verdict] ?? verdict));
    });
    return el("div", {}, el("ol", { id: "sentences" }, rows), record.warnings.map((each) => el("p", { class: "hint" }, each)));
  }

  #downloads(take) {
    const button = (label, call) => {
      const made = el("button", { type: "button" }, label);
      made.addEventListener("click", () => call(made));
      return made;
    };
    const name = `vall-e-${take.order.seed}`;
    const other = (format) => async (made) => {
      made.disabled = true;
      try {
        const { sample_rate: _rate, ...body } = take.body;
        const response = await request("/v1/audio/speech", { json: { ...body, response_format: format, trace: false } });
        download(`${name}.${format}`, await response.blob());
      } catch (error) {
        announce(error.message);
        made.textContent = error.message;
      } finally {
        made.disabled = false;
      }
    };
    return el("p", { class: "row downloads" },
      take.seconds > 0 && button("WAV", () => download(`${name}.wav`, encodeWav(take.samples, take.rate), "audio/wav")),
      take.order.ref_audio !== "" && button("MP3", other("mp3")),
      take.record !== null && button("Record", () => download(`${name}.json`, JSON.stringify(take.record, null, 2), "application/json")),
      take.trace !== null && button("Trace", () => download(`${name}-trace.jsonl`, take.trace.map((each) => `${JSON.stringify(each)}\n`).join(""), "application/jsonl")));
  }
}
