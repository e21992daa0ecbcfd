// Samples as bytes and back.

/** Mono 16-bit WAV of float samples. */
export function encodeWav(samples, rate) {
  const view = new DataView(new ArrayBuffer(44 + samples.length * 2));
  const text = (at, word) => [...word].forEach((char, index) => view.setUint8(at + index, char.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + samples.length * 2, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, rate * 2, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  text(36, "data");
  view.setUint32(40, samples.length * 2, true);
  for (let at = 0; at < samples.length; at += 1) view.setInt16(44 + at * 2, toInt16(samples[at]), true);
  return new Uint8Array(view.buffer);
}

const toInt16 = (value) => Math.max(-32768, Math.min(32767, Math.round(value * 32768)));

/** Turns chunks of little-endian 16-bit samples into floats; a sample that is cut in two waits for its other half. */
export class PcmReader {
  #rest = null;

  read(bytes) {
    let data = bytes;
    if (this.#rest !== null) {
      data = new Uint8Array(bytes.length + 1);
      data[0] = this.#rest;
      data.set(bytes, 1);
    }
    const count = data.length >> 1;
    this.#rest = data.length % 2 ? data[data.length - 1] : null;
    const view = new DataView(data.buffer, data.byteOffset, count * 2);
    return Float32Array.from({ length: count }, (_, at) => view.getInt16(at * 2, true) / 32768);
  }
}

/** Chunks in one. */
export function joined(chunks) {
  const whole = new Float32Array(chunks.reduce((sum, each) => sum + each.length, 0));
  let at = 0;
  for (const each of chunks) {
    whole.set(each, at);
    at += each.length;
  }
  return whole;
}

/** Base64 of bytes. */
export function base64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
