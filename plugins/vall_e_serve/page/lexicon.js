// How single words are said: rows of a word and its respelling or IPA.

import { announce, el, find, iconButton } from "./dom.js";
import { remember, remembered } from "./store.js";

const LONGEST_WORD = 100;

const plain = (text) => text.trim().replace(/\s+/g, " ");

/** What is wrong with a row, as a sentence; empty where nothing is. */
function problemOf(word, said, taken) {
  if (word === "" && said === "") return "";
  if (word === "") return "Which word is said like that?";
  if (!/[\p{L}\p{N}]/u.test(word)) return "A word has a letter or a digit.";
  if (taken) return `“${word}” is listed twice.`;
  if (said === "") return `How is “${word}” said?`;
  if (said.startsWith("/") && !/^\/[^/]*[^/\s][^/]*\/$/.test(said)) return "IPA stands between two slashes, such as /dʒˈɪf/.";
  return "";
}

/** The control. It dispatches `change` whenever what counts may have changed. */
export class Lexicon extends EventTarget {
  #rows;
  #longest;

  /** @param declared the `lexicon` of a speech request in the OpenAPI document */
  constructor(declared) {
    super();
    this.#longest = declared.additionalProperties.maxLength;
    this.#rows = find("lexicon-rows");
    const add = find("lexicon-add");
    add.addEventListener("click", () => this.#add().focus());
    this.#fill(Object.entries(remembered().lexicon ?? {}).filter((each) => typeof each[1] === "string"));
    this.#check();
  }

  #add(word = "", said = "") {
    const number = this.#rows.children.length + 1;
    const field = (kind, value, maxlength, more) => el("input", {
      class: kind, value, maxlength, autocomplete: "off", autocapitalize: "off", spellcheck: "false", ...more,
    });
    const first = field("word", word, LONGEST_WORD, { "aria-label": `Word ${number}`, placeholder: "Nguyen" });
    const second = field("said", said, this.#longest, { "aria-label": `How word ${number} is said`, placeholder: "win" });
    const problem = el("p", { class: "problem", role: "status" });
    const row = el("li", {}, el("span", { class: "row saying" }, first, el("span", { "aria-hidden": "true" }, "→"), second,
      iconButton("close", `Remove word ${number}`, () => this.#remove(row), { class: "icon remove" })), problem);
    row.addEventListener("input", () => this.#changed());
    row.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.ctrlKey || event.metaKey || !event.target.matches("input")) return;
      event.preventDefault();
      if (event.target === first) second.focus();
      else (row.nextElementSibling?.querySelector("input") ?? this.#add()).focus();
    });
    this.#rows.append(row);
    return first;
  }

  #remove(row) {
    const next = row.nextElementSibling ?? row.previousElementSibling;
    row.remove();
    [...this.#rows.children].forEach((each, at) => {
      each.querySelector(".word").setAttribute("aria-label", `Word ${at + 1}`);
      each.querySelector(".said").setAttribute("aria-label", `How word ${at + 1} is said`);
      each.querySelector("button").setAttribute("aria-label", `Remove word ${at + 1}`);
    });
    (next?.querySelector("button") ?? find("lexicon-add")).focus();
    announce("Removed.");
    this.#changed();
  }

  /** Each row as it stands: its word, what is said, and what is wrong. */
  #read() {
    const seen = new Set();
    return [...this.#rows.children].map((row) => {
      const [word, said] = [...row.querySelectorAll("input")].map((each) => plain(each.value));
      const problem = problemOf(word, said, seen.has(word));
      seen.add(word);
      return { row, word, said, problem };
    });
  }

  #check() {
    const rows = this.#read();
    for (const { row, problem } of rows) {
      const place = row.querySelector(".problem");
      if (place.textContent !== problem) place.textContent = problem;
      for (const each of row.querySelectorAll("input")) each.setAttribute("aria-invalid", String(problem !== ""));
    }
    const count = Object.keys(this.value ?? {}).length;
    find("lexicon-count").textContent = count === 0 ? "" : ` (${count})`;
  }

  #changed() {
    this.#check();
    remember({ lexicon: this.value ?? {} });
    this.dispatchEvent(new Event("change"));
  }

  #fill(entries) {
    this.#rows.replaceChildren();
    for (const [word, said] of entries) this.#add(word, said);
  }

  /** Words and how they are said, as a request has them; undefined where there are none. Rows that aren't right don't count. */
  get value() {
    const good = this.#read().filter((each) => each.word !== "" && each.problem === "");
    return good.length === 0 ? undefined : Object.fromEntries(good.map((each) => [each.word, each.said]));
  }

  /** Sets the words to those of a request. */
  set(value) {
    this.#fill(Object.entries(value ?? {}));
    this.#changed();
  }

  /** Shows it, where something in it is refused. */
  focus() {
    find("lexicon").open = true;
    (this.#rows.querySelector("input") ?? find("lexicon-add")).focus();
  }
}
