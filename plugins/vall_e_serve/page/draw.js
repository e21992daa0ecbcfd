// Waveforms and spectrograms on canvases.

const SIZE = 512; // samples of a spectrum
const FLOOR = -75; // decibels below the loudest that are dark
const TOP = 8000; // Hz

/** Fits a canvas to its place on the page; returns its context, width and height in device pixels. */
function fitted(canvas) {
  const scale = Math.min(2, window.devicePixelRatio || 1);
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { context: canvas.getContext("2d"), width, height };
}

/** The loudest sample of every hundredth of a second, gathered while samples arrive. */
export class Peaks {
  constructor(rate) {
    this.size = Math.round(rate / 100);
    this.values = [];
    this.loudest = 0.05;
    this.samples = 0;
  }

  push(samples) {
    for (let at = 0; at < samples.length; at += 1) {
      const place = Math.floor((this.samples + at) / this.size);
      const value = Math.abs(samples[at]);
      this.values[place] = Math.max(this.values[place] ?? 0, value);
      if (value > this.loudest) this.loudest = value;
    }
    this.samples += samples.length;
  }
}

/** Peaks as bars, with what has been played in another color; `total` samples fill the width. */
export function drawWaveform(canvas, peaks, total, played, colors) {
  const { context, width, height } = fitted(canvas);
  context.clearRect(0, 0, width, height);
  const middle = height / 2;
  const bar = Math.max(2, Math.round(width / 400));
  const step = bar + Math.max(1, Math.round(bar / 2));
  const buckets = total / peaks.size;
  for (let x = 0; x < width; x += step) {
    const from = Math.floor((x / width) * buckets);
    if (from >= peaks.values.length) break;
    const to = Math.max(from + 1, Math.floor(((x + step) / width) * buckets));
    const peak = Math.max(...peaks.values.slice(from, to));
    const tall = Math.max(bar / 2, (peak / peaks.loudest) * (middle - 2));
    context.fillStyle = from * peaks.size < played ? colors.accent : colors.faint;
    context.beginPath();
    context.roundRect(x, middle - tall, bar, tall * 2, bar / 2);
    context.fill();
  }
}

/** The power in decibels at each frequency of a window of samples; in place, by the usual radix-2 transform. */
function spectrum(real, imaginary) {
  const size = real.length;
  for (let at = 1, other = 0; at < size; at += 1) {
    let bit = size >> 1;
    for (; other & bit; bit >>= 1) other ^= bit;
    other ^= bit;
    if (at < other) [real[at], real[other]] = [real[other], real[at]];
  }
  for (let length = 2; length <= size; length <<= 1) {
    const turn = (-2 * Math.PI) / length;
    for (let start = 0; start < size; start += length) {
      for (let k = 0; k < length / 2; k += 1) {
        const [cosine, sine] = [Math.cos(turn * k), Math.sin(turn * k)];
        const [a, b] = [start + k, start + k + length / 2];
        const x = real[b] * cosine - imaginary[b] * sine;
        const y = real[b] * sine + imaginary[b] * cosine;
        real[b] = real[a] - x;
        imaginary[b] = imaginary[a] - y;
        real[a] += x;
        imaginary[a] += y;
      }
    }
  }
  return Float32Array.from({ length: size / 2 }, (_, at) => 10 * Math.log10(real[at] ** 2 + imaginary[at] ** 2 + 1e-10));
}

/** From dark blue over violet and orange to pale yellow. */
function heat(value) {
  const stops = [[13, 12, 40], [76, 29, 128], [182, 55, 100], [249, 142, 60], [252, 244, 190]];
  const place = Math.max(0, Math.min(0.9999, value)) * (stops.length - 1);
  const [low, high] = [stops[Math.floor(place)], stops[Math.floor(place) + 1]];
  return low.map((each, at) => Math.round(each + (high[at] - each) * (place % 1)));
}

/** How loud each frequency up to 8 kHz is, over time. */
export function drawSpectrogram(canvas, samples, rate) {
  const { context, width, height } = fitted(canvas);
  const columns = Math.min(width, 900);
  const image = context.createImageData(columns, SIZE / 2);
  const window = Float32Array.from({ length: SIZE }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / SIZE));
  const all = [];
  let loudest = -Infinity;
  for (let column = 0; column < columns; column += 1) {
    const start = Math.round((column / columns) * samples.length) - SIZE / 2;
    const real = Float32Array.from(window, (weight, at) => weight * (samples[start + at] ?? 0));
    const found = spectrum(real, new Float32Array(SIZE));
    all.push(found);
    for (const each of found) loudest = Math.max(loudest, each);
  }
  const used = Math.min(SIZE / 2, Math.round((TOP / rate) * SIZE));
  for (let column = 0; column < columns; column += 1) {
    for (let row = 0; row < SIZE / 2; row += 1) {
      const bin = Math.floor((1 - (row + 1) / (SIZE / 2)) * used);
      const [red, green, blue] = heat(1 - (all[column][bin] - loudest) / FLOOR);
      image.data.set([red, green, blue, 255], (row * columns + column) * 4);
    }
  }
  const small = new OffscreenCanvas(columns, SIZE / 2);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, width, height);
}
