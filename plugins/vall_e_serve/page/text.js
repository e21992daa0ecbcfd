// The text, and what will be said of it.

import { getJson } from "./api.js";
import { debounced, el, find } from "./dom.js";

function part(found) {
  const pause = found.pause ? el("span", { class: "mark" }, `pause ${found.pause} s`) : null;
  const rate = found.rate !== 1 ? el("span", { class: "mark" }, `pace ${found.rate}`) : null;
  return el("li", {}, el("span", { class: "spoken" }, found.spoken), " ", rate, pause, el("span", { class: "ipa", lang: "und-fonipa" }, found.phonemes));
}

function told(found) {
  const unknown = found.unknown_phonemes.length
    ? [el("p", { class: "problem" }, `The model doesn't know these phonemes: ${found.unknown_phonemes.join(" ")}. Try another language or pronunciation.`)]
    : [];
  const markup = { ssml: " · read as SSML", html: " · read as HTML", markdown: " · read as Markdown" }[found.markup] ?? "";
  return [
    el("ol", { class: "said" }, found.parts.map(part)),
    el("p", { class: "hint" }, `About ${found.seconds} s of speech${markup}`),
    ...unknown, ...found.warnings.map((each) => el("p", { class: "problem" }, each)),
  ];
}

/**
 * The text's field with its preview. Returns what to call when the preview may have changed for another reason.
 *
 * @param speak called for Ctrl and Enter
 * @param lexicon how words are said
 */
export function setUpText(speak, lexicon) {
  const text = find("text");
  const place = find("preview-body");
  let asked = 0;
  const nothing = () => place.replaceChildren(el("p", { class: "hint" }, "Numbers, abbreviations and markup are shown here as they will be read."));

  const preview = debounced(async () => {
    asked += 1;
    const mine = asked;
    if (text.value.trim() === "") return nothing();
    let shown;
    try {
      const json = { input: text.value, language: find("language").value.trim() || "en", lexicon: lexicon.value };
      shown = told(await getJson("/v1/audio/speech/preview", { json }));
    } catch (error) {
      shown = [el("p", { class: "problem", role: "status" }, error.message)];
    }
    if (mine === asked) place.replaceChildren(...shown);
  }, 300);

  const count = () => {
    const size = [...text.value].length;
    find("text-count").textContent = size === 1 ? "1 character" : `${size.toLocaleString("en-US")} characters`;
  };
  text.addEventListener("input", () => {
    count();
    preview();
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      speak();
    }
  });
  find("language").addEventListener("change", preview);
  lexicon.addEventListener("change", preview);
  find("show-phonemes").addEventListener("change", (event) => place.classList.toggle("with-phonemes", event.target.checked));
  count();
  nothing();
  return () => {
    count();
    preview();
  };
}
