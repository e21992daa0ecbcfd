// The dialog that asks for an API key.

import { hasKey, onKeyNeeded, setKey } from "./api.js";
import { find } from "./dom.js";

/** Lets the page ask for a key when the server wants one. `changed` is called when it is replaced by hand. */
export function setUpKey(changed) {
  const dialog = find("key-dialog");
  const input = find("key");
  const button = find("key-button");
  let finish = () => {};

  function open(wrong) {
    find("key-error").hidden = !wrong;
    find("key-error").textContent = wrong ? "The server didn't accept this key." : "";
    input.value = "";
    button.hidden = false;
    dialog.showModal();
    input.focus();
    return new Promise((done) => (finish = done));
  }

  find("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = input.value.trim();
    if (!/^[!-~]+$/.test(key)) {
      find("key-error").hidden = false;
      find("key-error").textContent = "A key has letters, digits and signs, without spaces.";
      return;
    }
    setKey(key);
    input.value = "";
    dialog.close("ok");
  });
  find("key-cancel").addEventListener("click", () => dialog.close("cancel"));
  dialog.addEventListener("close", () => {
    finish(dialog.returnValue === "ok");
    finish = () => {};
    dialog.returnValue = "";
  });
  button.addEventListener("click", async () => {
    if (await open(false)) changed();
  });
  button.hidden = !hasKey();
  onKeyNeeded(open);
}
