// What the samplers did at each step, as three small charts.

import { el, svg } from "./dom.js";

const WIDTH = 600;
const HEIGHT = 110;

const last = (line) => line.stages[line.stages.length - 1];
const mean = (values) => values.reduce((sum, each) => sum + each, 0) / Math.max(1, values.length);

const CHARTS = [
  { title: "Entropy", unit: "bits", series: [["model", (line) => line.stages[0].entropy], ["after the chain", (line) => last(line).entropy]] },
  { title: "Tokens that could be chosen", unit: "tokens, logarithmic", log: true, series: [["after the chain", (line) => last(line).kept]] },
  { title: "Probability of stopping", unit: "", series: [["after the chain", (line) => last(line).p_stop]], top: 1 },
];

function chart({ title, unit, series, log, top }, lines, starts) {
  const scale = (value) => (log ? Math.log10(Math.max(1, value)) : value);
  const rows = series.map(([name, of]) => ({ name, values: lines.map((each) => scale(of(each) ?? 0)) }));
  const most = top ?? Math.max(1e-6, ...rows.flatMap(({ values }) => values));
  const x = (at) => (at / Math.max(1, lines.length - 1)) * WIDTH;
  const y = (value) => HEIGHT - (value / most) * (HEIGHT - 6) - 3;
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", class: "chart" });
  const shown = log ? Math.round(10 ** most) : most.toFixed(most < 1 ? 2 : 1);
  picture.setAttribute("aria-label", `${title} over ${lines.length} steps; at most ${shown} ${unit}.`);
  for (const at of starts.slice(1)) picture.append(svg("line", { x1: x(at), x2: x(at), y1: 0, y2: HEIGHT, class: "border" }));
  rows.forEach(({ values }, index) => {
    picture.append(svg("polyline", { points: values.map((value, at) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" "), class: `series-${rows.length > 1 ? index : 1}` }));
  });
  return el(
    "figure", { class: "chart-box" },
    el("figcaption", {}, el("strong", {}, title), el("span", { class: "hint" }, ` up to ${shown} ${unit}`),
      rows.length > 1 && el("span", { class: "legend" }, rows.map(({ name }, index) => el("span", { class: `key-${index}` }, name)))),
    picture,
  );
}

/** Charts of the first level's steps that are in the result, and their summary. */
export function traceCharts(lines) {
  const used = lines.filter((each) => each.kept && each.level === 0 && each.stages.length > 0);
  if (used.length < 2) return el("p", { class: "hint" }, "There is no trace of the first level.");
  const starts = used.flatMap((each, at) => (at === 0 || used[at - 1].part !== each.part ? [at] : []));
  const before = mean(used.map((each) => each.stages[0].entropy));
  const after = mean(used.map((each) => last(each).entropy));
  const sure = used.filter((each) => last(each).kept === 1).length;
  const first = used.filter((each) => each.stages[0].rank === 1).length;
  const percent = (count) => `${Math.round((100 * count) / used.length)}%`;
  return el(
    "div", { class: "trace" },
    el("p", {}, `${used.length} steps. The chain brought the mean entropy from ${before.toFixed(2)} to ${after.toFixed(2)} bits. `
      + `In ${percent(sure)} of the steps only one token was left; in ${percent(first)} the model's favorite was taken.`),
    CHARTS.map((each) => chart(each, used, starts)),
  );
}
