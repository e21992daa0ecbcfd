// One sampler of a chain, as a row with its parameters.

import { parametersOf } from "./chain.js";
import { el, icon, iconButton } from "./dom.js";

const FEW = 3; // parameters that are shown without being asked for
let ids = 0;

function number(parameter, value, change, id) {
  const whole = parameter.type === "integer";
  const step = whole ? 1 : "any";
  const shown = value ?? parameter.fallback ?? "";
  const box = el("input", {
    type: "number", id, step, min: parameter.min, max: parameter.max, value: String(shown), inputmode: whole ? "numeric" : "decimal",
    placeholder: parameter.optional ? "automatic" : "",
  });
  const bounded = Number.isFinite(parameter.min) && Number.isFinite(parameter.max) && parameter.max - parameter.min <= 100;
  const slide = bounded && shown !== ""
    ? el("input", {
        type: "range", min: parameter.min, max: parameter.max, step: whole ? 1 : (parameter.max - parameter.min) / 100,
        value: String(shown), "aria-label": `${parameter.key}, slider`,
      })
    : null;
  box.addEventListener("input", () => {
    if (slide !== null && box.value !== "") slide.value = box.value;
    change(box.value);
  });
  slide?.addEventListener("input", () => {
    box.value = String(Number(Number(slide.value).toFixed(4)));
    change(box.value);
  });
  return el("span", { class: "dial" }, slide, box);
}

function field(parameter, value, change) {
  const id = `parameter-${(ids += 1)}`;
  const about = `${id}-about`;
  let control;
  if (parameter.type === "boolean") {
    control = el("input", { type: "checkbox", id, checked: String(value ?? parameter.fallback) === "true" });
    control.addEventListener("change", () => change(String(control.checked)));
  } else if (parameter.type === "choice") {
    control = el("select", { id }, parameter.choices.map((each) => el("option", { value: each }, String(each))));
    control.value = String(value ?? parameter.fallback);
    control.addEventListener("change", () => change(control.value));
  } else if (parameter.type === "number" || parameter.type === "integer") {
    control = number(parameter, value, change, id);
  } else {
    const hint = parameter.type === "object" ? "512@-2+7@1" : parameter.type === "array" ? "1+2+3" : "";
    control = el("input", { type: "text", id, value: value ?? "", placeholder: hint, spellcheck: "false", autocomplete: "off" });
    control.addEventListener("input", () => change(control.value));
  }
  const labelled = control.id === id ? control : control.querySelector(`#${id}`);
  labelled.setAttribute("aria-describedby", about);
  return el(
    "div", { class: parameter.type === "boolean" ? "parameter flag" : "parameter" },
    el("label", { for: id }, parameter.key), control, el("p", { id: about, class: "hint" }, parameter.about),
  );
}

/**
 * The row of a member.
 *
 * @param sampler what the server says of it; undefined if it says nothing
 * @param place "2 of 3"
 * @param changed called after its values have changed; `remove` when it is to go
 */
export function memberRow(member, sampler, place, changed, remove) {
  const parameters = sampler === undefined ? [] : parametersOf(sampler);
  const fields = parameters.map((each) =>
    field(each, member.values[each.key], (value) => {
      const usual = !each.required && value === String(each.fallback ?? "");
      if (usual) delete member.values[each.key];
      else member.values[each.key] = value;
      changed();
    }),
  );
  const on = el("input", { type: "checkbox", role: "switch", class: "switch", checked: member.on, "aria-label": `Use ${member.name}` });
  const row = el(
    "li", { class: member.on ? "member" : "member off", "data-name": member.name },
    el(
      "div", { class: "member-head" },
      el("button", {
        type: "button", class: "handle icon", "aria-label": `Move ${member.name}, ${place}. Use the arrow keys.`, title: "Drag, or use the arrow keys",
      }, icon("grip")),
      el("strong", {}, member.name), on,
      iconButton("close", `Remove ${member.name}`, remove, { class: "icon remove" }),
    ),
    el("p", { class: "hint" }, sampler === undefined ? "This server doesn't offer it." : sampler.summary),
    fields.slice(0, FEW),
    fields.length > FEW && el("details", { class: "more" }, el("summary", {}, `${fields.length - FEW} more parameters`), fields.slice(FEW)),
  );
  on.addEventListener("change", () => {
    member.on = on.checked;
    row.classList.toggle("off", !member.on);
    changed();
  });
  row.addEventListener("keydown", (event) => {
    if (event.key === "Delete" && event.target.closest(".handle") !== null) remove();
  });
  return row;
}
