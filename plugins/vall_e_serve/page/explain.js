// What a chain will do, in the server's words, as it is edited.

import { getJson } from "./api.js";
import { samplersField } from "./chain.js";
import { debounced, el, find } from "./dom.js";

function stage(title, found) {
  return [
    el("h4", {}, title),
    el("ol", {}, found.members.map((each) =>
      el("li", { class: each.off ? "off" : "" }, el("code", {}, each.spec), " ", each.off ? `is left out: ${each.off}.` : each.does))),
    found.warnings.map((each) => el("p", { class: "problem" }, each)),
  ];
}

/** Keeps the explanation up to date with the chain that is edited. Returns what to call after a change. */
export function setUpExplanation(editor) {
  const place = find("explanation");
  let asked = 0;
  const explain = debounced(async () => {
    asked += 1;
    const mine = asked;
    let shown;
    try {
      const found = await getJson("/v1/samplers/explain", { json: { samplers: samplersField(editor.specs()) ?? [] } });
      shown = [...stage("First level", found.ar), ...stage("Further levels", found.nar)];
    } catch (error) {
      shown = [el("p", { class: "problem", role: "alert" }, error.message)];
    }
    if (mine === asked) place.replaceChildren(...shown.flat(2));
  }, 200);
  editor.addEventListener("change", explain);
  explain();
}
