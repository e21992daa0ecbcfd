// Whether a recording is fit to be a voice.

const FRAME_SECONDS = 0.03;
const CLIPPED = 0.985;
const SHORTEST = 3;
const BEST = "Six seconds of one person speaking at ease are best.";

/** Decibels of an amplitude, full scale being 0. */
export const decibels = (value) => 20 * Math.log10(Math.max(value, 1e-5));

/** The root mean square and the peak of some samples. */
export function level(samples) {
  let power = 0;
  let peak = 0;
  for (const each of samples) {
    power += each * each;
    peak = Math.max(peak, Math.abs(each));
  }
  return { rms: Math.sqrt(power / Math.max(1, samples.length)), peak };
}

/** What is wrong with a recording, each a sentence with what to do; nothing if it is fine. */
export function problems(samples, rate) {
  const seconds = samples.length / rate;
  const size = Math.max(1, Math.round(FRAME_SECONDS * rate));
  const frames = [];
  let clipped = 0;
  for (let at = 0; at + size <= samples.length; at += size) {
    const { rms, peak } = level(samples.subarray(at, at + size));
    frames.push(rms);
    if (peak >= CLIPPED) clipped += 1;
  }
  frames.sort((one, other) => one - other);
  const at = (share) => frames[Math.min(frames.length - 1, Math.floor(share * frames.length))] ?? 0;
  const loud = decibels(at(0.9));
  const found = [];
  if (loud < -60) return ["Nothing can be heard. Is the right microphone chosen, and not muted?"];
  if (seconds < SHORTEST) found.push(`It is too short: ${seconds.toFixed(1)} s. ${BEST}`);
  if (loud < -36) found.push("It is very quiet. Come closer to the microphone, or turn its level up.");
  if (clipped > 2) found.push("It is too loud and clips. Move away from the microphone, or turn its level down.");
  const spread = loud - decibels(at(0.05));
  if (seconds >= SHORTEST && spread < 14) found.push("There is hardly any difference between speech and background. Record in a quieter room, with short pauses.");
  return found;
}

/** Samples without the silence at both ends, a little of it kept. */
export function trimmed(samples, rate) {
  const size = Math.max(1, Math.round(FRAME_SECONDS * rate));
  const { peak } = level(samples);
  const loud = (at) => level(samples.subarray(at, at + size)).peak > Math.max(0.01, peak * 0.05);
  let from = 0;
  while (from + size < samples.length && !loud(from)) from += size;
  let to = samples.length;
  while (to - size > from && !loud(to - size)) to -= size;
  const margin = Math.round(0.15 * rate);
  return samples.slice(Math.max(0, from - margin), Math.min(samples.length, to + margin));
}
