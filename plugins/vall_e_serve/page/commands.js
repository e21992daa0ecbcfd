// The same speech from a shell, from Python and over HTTP.

const DEFAULTS = { language: "en", candidates: 1, speed: 1, max_tries: 3, pause: 0.1 };
const RECORDING = "recording.wav";
const LEXICON = "lexicon.yaml"; // JSON is YAML

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const python = (value) => JSON.stringify(value);

function options(order) {
  return Object.entries(DEFAULTS).filter(([name, usual]) => order[name] !== undefined && order[name] !== usual).map(([name]) => [name, order[name]]);
}

/** What differs from a plain installation: the model, how its weights are kept. */
function model(about) {
  const found = [];
  if (about.id !== "mini") found.push(["model", about.id]);
  if (about.quantize !== "none") found.push(["quantize", about.quantize]);
  if (about.dtype !== "float32") found.push(["dtype", about.dtype]);
  return found;
}

function shell(order, voice, about) {
  const words = ["vall-e tts"];
  words.push(order.input.startsWith("-") ? `--text=${quoted(order.input)}` : quoted(order.input));
  words.push("-o speech.wav");
  if (order.ref_audio === undefined) words.push(`--voice ${quoted(voice)}`);
  else words.push(`--ref ${RECORDING}`, ...(order.ref_text ? [`--ref-text=${quoted(order.ref_text)}`] : []));
  words.push(`--seed ${order.seed}`);
  for (const each of order.samplers?.ar ?? []) words.push(`--sampler ${quoted(each)}`);
  for (const each of order.samplers?.nar ?? []) words.push(`--nar-sampler ${quoted(each)}`);
  for (const [name, value] of options(order)) words.push(`--${name.replaceAll("_", "-")} ${quoted(String(value))}`);
  for (const [name, value] of model(about)) words.push(`--${name} ${quoted(value)}`);
  if (order.delivery === "pieces" && !order.trace) words.push("--stream");
  if (order.trace) words.push("--trace trace.jsonl");
  if (order.lexicon === undefined) return words.join(" ");
  return `printf %s ${quoted(JSON.stringify(order.lexicon))} > ${LEXICON}\n${words.join(" ")} --lexicon ${LEXICON}`;
}

function program(order, voice, about) {
  const early = order.delivery === "pieces" && !order.trace;
  const given = [python(order.input)];
  if (order.ref_audio === undefined) given.push(`voice=${python(voice)}`);
  else given.push(python(RECORDING), ...(order.ref_text ? [`reference_text=${python(order.ref_text)}`] : []));
  given.push(`seed=${order.seed}`);
  if (order.samplers?.ar?.length) given.push(`ar=${python(order.samplers.ar)}`);
  if (order.samplers?.nar?.length) given.push(`nar=${python(order.samplers.nar)}`);
  for (const [name, value] of options(order)) given.push(`${name}=${python(value)}`);
  if (order.lexicon !== undefined) given.push("lexicon=lexicon");
  const load = model(about).map(([name, value]) => `${name}=${python(value)}`).join(", ");
  const call = `engine.${early ? "stream" : "synthesize"}(\n    ${given.join(",\n    ")},\n)`;
  const lines = ["from vall_e_core import VallE", "", `engine = VallE.load(${load})`];
  if (order.lexicon !== undefined) {
    lines.unshift("from pathlib import Path", "");
    lines.push(`lexicon = Path("${LEXICON}")`, `lexicon.write_text(${python(JSON.stringify(order.lexicon))}, "utf-8")`);
  }
  if (early) {
    return ["import numpy as np", "import soundfile", ...(order.lexicon === undefined ? [""] : []), ...lines, `stream = ${call}`, 'soundfile.write("speech.wav", np.concatenate(list(stream)), stream.sample_rate)'].join("\n");
  }
  return [...lines, `speech = ${call}`, 'speech.save("speech.wav")'].join("\n");
}

function http(body, origin, keyed) {
  const { ref_audio: recording, ...rest } = { ...body, response_format: "wav" };
  const head = [`curl -sS ${quoted(`${origin}/v1/audio/speech`)}`, "-o speech.wav", "-H 'Content-Type: application/json'"];
  if (keyed) head.push('-H "Authorization: Bearer $VALL_E_KEY"');
  const json = JSON.stringify(rest);
  if (recording === undefined) return `${head.join(" ")} \\\n  -d ${quoted(json)}`;
  const before = `${json.slice(0, -1)},"ref_audio":"data:audio/wav;base64,`;
  return `(printf %s ${quoted(before)}; base64 -w0 ${RECORDING}; printf %s '"}') |\n  ${head.join(" ")} --data-binary @-`;
}

/**
 * Commands that make the same speech.
 *
 * @param take what was made
 * @param voice the voice's own name
 * @param about the model, as `GET /v1/models` lists it
 * @param origin the server's address; `keyed`: it needs a key
 */
export function commands(take, { voice, about, origin, keyed }) {
  return {
    "Command line": shell(take.order, voice, about),
    Python: program(take.order, voice, about),
    HTTP: http(take.body, origin, keyed),
  };
}
