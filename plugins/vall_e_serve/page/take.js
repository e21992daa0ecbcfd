// One request for speech, from its first byte to its record.

import { ApiError, getJson, request } from "./api.js";
import { PcmReader, joined } from "./wav.js";

const MOST_TRIES = 5; // while the server's queue is full
const LONGEST_WAIT = 60; // seconds

/** Waits; raises AbortError when `signal` ends it. */
function pause(seconds, signal) {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(new DOMException("stopped", "AbortError"));
    }, { once: true });
  });
}

/**
 * What was made: samples, record, and what was asked for.
 *
 * Dispatches `samples` (detail: new samples) as they arrive, and `busy` (detail: seconds) when it will ask again.
 */
export class Take extends EventTarget {
  #chunks = [];
  #size = 0;

  /**
   * @param order the fields of the request
   * @param rate samples a second
   * @param about {voice, chain}: in words, for the history
   */
  constructor(order, rate, about) {
    super();
    Object.assign(this, { order, rate, about, created: Date.now(), id: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` });
    this.record = null;
    this.trace = null;
    this.complete = false;
    this.firstByte = null; // milliseconds from the request
    this.firstSound = null;
    this.took = null;
  }

  get seconds() {
    return this.#size / this.rate;
  }

  /** All samples so far. */
  get samples() {
    if (this.#chunks.length > 1) this.#chunks = [joined(this.#chunks)];
    return this.#chunks[0] ?? new Float32Array(0);
  }

  add(samples) {
    this.#chunks.push(samples);
    this.#size += samples.length;
    this.dispatchEvent(new CustomEvent("samples", { detail: samples }));
  }

  /** The body of the request. */
  get body() {
    return { ...this.order, response_format: "pcm", sample_rate: this.rate };
  }

  async #ask(signal) {
    for (let tries = 1; ; tries += 1) {
      try {
        return await request("/v1/audio/speech", { json: this.body, signal });
      } catch (error) {
        const wait = Math.min(error.retryAfter ?? 2, LONGEST_WAIT);
        if (error.code !== "queue_full" || tries === MOST_TRIES) throw error;
        this.dispatchEvent(new CustomEvent("busy", { detail: wait }));
        await pause(wait, signal);
      }
    }
  }

  /** Makes the speech. Raises ApiError, and AbortError when `signal` ends it. */
  async make(signal) {
    const began = performance.now();
    this.began = began;
    const response = await this.#ask(signal);
    const id = response.headers.get("x-request-id");
    const reader = response.body.getReader();
    const pcm = new PcmReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        this.firstByte ??= performance.now() - began;
        this.add(pcm.read(value));
      }
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "The connection was broken off: the speech isn't complete.", "broken_off");
    }
    this.took = performance.now() - began;
    this.record = await getJson(`/v1/audio/records/${id}`, { signal });
    if (this.order.trace) this.trace = (await getJson(`/v1/audio/records/${id}/trace`, { signal })).data;
    this.complete = true;
    return this;
  }
}
