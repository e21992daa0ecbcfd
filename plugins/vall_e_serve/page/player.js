// Sound out: one thing plays at a time on the whole page.

import { Playback } from "./player-worklet.js";

const PLAIN_BLOCK = 2048;
const contexts = new Map();
let current = null;

async function contextOf(rate) {
  let made = contexts.get(rate);
  if (made === undefined) {
    const context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    made = { context, loaded: context.audioWorklet?.addModule("/static/player-worklet.js") };
    contexts.set(rate, made);
  }
  try {
    await made.loaded;
  } catch (error) {
    contexts.delete(rate); // the server may be back the next time
    made.context.close();
    throw error;
  }
  if (made.context.state === "suspended") await made.context.resume();
  return made.context;
}

/** What plays: `send` takes messages for it, `heard` gets its news. */
function output(context, heard) {
  if (context.audioWorklet !== undefined) {
    const node = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    node.port.onmessage = ({ data }) => heard(data);
    node.connect(context.destination);
    return { send: (message) => node.port.postMessage(message), disconnect: () => node.disconnect() };
  }
  const node = context.createScriptProcessor(PLAIN_BLOCK, 0, 1);
  const playback = new Playback(context.sampleRate, heard);
  node.onaudioprocess = ({ outputBuffer }) => {
    const out = outputBuffer.getChannelData(0);
    out.fill(0);
    playback.fill(out);
  };
  node.connect(context.destination);
  return { send: (message) => playback.obey(message), disconnect: () => node.disconnect() };
}

/** Silence on the page: somebody is about to record. */
export const pauseAll = () => current?.pause();

/** Samples that may still be arriving, with play, pause and seek. Events: started, position, state, finished. */
export class Player extends EventTarget {
  #output = null;
  #waiting = [];
  #closed = false;

  constructor(rate) {
    super();
    this.rate = rate;
    this.at = 0;
    this.dry = 0; // how often it ran out of samples
    this.playing = false;
  }

  /** Plays from where it is. Call it from a click, or the browser may refuse. */
  async play() {
    if (current !== null && current !== this) current.pause();
    current = this;
    this.#setPlaying(true);
    let context;
    try {
      context = await contextOf(this.rate);
    } catch {
      return this.#setPlaying(false);
    }
    if (this.#closed) return;
    if (this.#output === null) {
      this.#output = output(context, (data) => this.#heard(data));
      for (const each of this.#waiting) this.#output.send(each);
      this.#waiting = [];
    }
    this.#send({ type: this.playing ? "play" : "pause" });
  }

  pause() {
    this.#send({ type: "pause" });
    this.#setPlaying(false);
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  /** Goes to a place, in seconds. */
  seek(seconds) {
    this.at = Math.max(0, seconds);
    this.#send({ type: "seek", at: Math.round(seconds * this.rate) });
    this.dispatchEvent(new Event("position"));
  }

  push(samples) {
    this.#send({ type: "push", samples });
  }

  /** Nothing more will arrive. */
  end() {
    this.#send({ type: "end" });
  }

  /** Never to be played again. */
  close() {
    this.pause();
    this.#closed = true;
    this.#send({ type: "close" });
    this.#output?.disconnect();
    this.#waiting = [];
  }

  #send(message) {
    if (this.#output === null) this.#waiting.push(message);
    else this.#output.send(message);
  }

  #heard(data) {
    this.at = data.at / this.rate;
    this.dry = data.dry;
    if (data.type === "finished") {
      this.#setPlaying(false);
      this.seek(0);
    }
    this.dispatchEvent(new Event(data.type));
  }

  #setPlaying(playing) {
    if (this.playing === playing) return;
    this.playing = playing;
    this.dispatchEvent(new Event("state"));
  }
}

/** A player of samples that are all there. */
export function playerOf(samples, rate) {
  const made = new Player(rate);
  made.push(samples.slice());
  made.end();
  return made;
}

/** The samples of a sound file, mono, at `rate`. Raises where the browser can't read it. */
export async function decode(bytes, rate) {
  const decoded = await new OfflineAudioContext(1, 1, rate).decodeAudioData(bytes);
  const mixed = new Float32Array(decoded.length);
  for (let channel = 0; channel < decoded.numberOfChannels; channel += 1) {
    const samples = decoded.getChannelData(channel);
    for (let at = 0; at < mixed.length; at += 1) mixed[at] += samples[at] / decoded.numberOfChannels;
  }
  return mixed;
}
