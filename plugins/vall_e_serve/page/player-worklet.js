// Plays samples while they arrive, and again from any place once they are there.
//
// An AudioWorklet runs this; where a page isn't secure there is none, and the page itself does.

const BEFORE_START = 0.15; // seconds that have to be there before the first sound
const MOST_DOUBLINGS = 4; // each time it runs dry twice as much has to be there, so that gaps become few
const FIRST_SIZE = 1 << 16;
const SHORTEST_NEWS = 1024; // samples between two reports of the position

export class Playback {
  constructor(rate, tell) {
    this.rate = rate;
    this.tell = (type) => tell({ type, at: this.at, dry: this.dry });
    this.samples = new Float32Array(FIRST_SIZE);
    this.size = 0;
    this.at = 0;
    this.told = 0;
    this.ended = false; // nothing more will arrive
    this.playing = false;
    this.closed = false;
    this.waiting = true;
    this.started = false;
    this.dry = 0;
  }

  obey(data) {
    if (data.type === "push") this.push(data.samples);
    else if (data.type === "end") this.ended = true;
    else if (data.type === "play") this.playing = true;
    else if (data.type === "pause") this.playing = false;
    else if (data.type === "close") this.closed = true;
    else if (data.type === "seek") {
      this.at = Math.max(0, Math.min(this.size, data.at));
      this.tell("position");
    }
  }

  push(samples) {
    if (this.size + samples.length > this.samples.length) {
      const grown = new Float32Array(Math.max(this.samples.length * 2, this.size + samples.length));
      grown.set(this.samples.subarray(0, this.size));
      this.samples = grown;
    }
    this.samples.set(samples, this.size);
    this.size += samples.length;
  }

  /** Fills `out`, which is silent, with what comes next. */
  fill(out) {
    if (!this.playing) return;
    const left = this.size - this.at;
    const wanted = BEFORE_START * 2 ** Math.min(this.dry, MOST_DOUBLINGS) * this.rate;
    if (this.waiting && !this.ended && left < wanted) return;
    if (left === 0 && this.ended) {
      this.playing = false;
      this.tell("finished");
      return;
    }
    if (left === 0) {
      this.waiting = true;
      this.dry += 1;
      return;
    }
    this.waiting = false;
    const count = Math.min(out.length, left);
    out.set(this.samples.subarray(this.at, this.at + count));
    this.at += count;
    if (!this.started) {
      this.started = true;
      this.tell("started");
    }
    if (Math.abs(this.at - this.told) >= SHORTEST_NEWS) {
      this.told = this.at;
      this.tell("position");
    }
  }
}

if (globalThis.AudioWorkletProcessor !== undefined) {
  class Processor extends AudioWorkletProcessor {
    constructor() {
      super();
      this.playback = new Playback(sampleRate, (data) => this.port.postMessage(data));
      this.port.onmessage = ({ data }) => this.playback.obey(data);
    }

    process(_inputs, outputs) {
      this.playback.fill(outputs[0][0]);
      return !this.playback.closed;
    }
  }

  registerProcessor("playback", Processor);
}
