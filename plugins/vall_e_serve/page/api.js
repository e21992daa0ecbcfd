// Requests to this server: the key, errors as sentences, and nothing else.

const KEY = "vall-e.key";
let ask = null;
let asking = null;

/** What the server said instead of an answer. */
export class ApiError extends Error {
  constructor(status, message, code, param, retryAfter) {
    super(message);
    Object.assign(this, { status, code, param, retryAfter });
  }
}

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

/** Keeps a key until the tab is closed; null forgets it. */
export function setKey(key) {
  if (key === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, key);
}

/** `call(wrong)` asks the person for a key; it is true once there is one, false if they don't want to. */
export function onKeyNeeded(call) {
  ask = call;
}

async function needKey(used) {
  if (sessionStorage.getItem(KEY) !== used) return true; // somebody has just given another
  asking ??= ask(used !== null).finally(() => (asking = null));
  return asking;
}

/** A response that is well. `json` or `form` is the body. Raises ApiError. */
export async function request(path, { method, json, form, signal } = {}) {
  const used = sessionStorage.getItem(KEY);
  const headers = {};
  if (used !== null) headers.Authorization = `Bearer ${used}`;
  if (json !== undefined) headers["Content-Type"] = "application/json";
  const body = json !== undefined ? JSON.stringify(json) : form;
  let response;
  try {
    response = await fetch(path, { method: method ?? (body === undefined ? "GET" : "POST"), headers, body, signal, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "The server can't be reached. Is it still running?", "unreachable");
  }
  if (response.ok) return response;
  if (response.status === 401 && ask !== null && (await needKey(used))) {
    return request(path, { method, json, form, signal });
  }
  throw await failure(response);
}

async function failure(response) {
  const wait = Number(response.headers.get("retry-after")) || null;
  try {
    const { message, code, param } = (await response.json()).error;
    return new ApiError(response.status, sentence(String(message).replace("; try: ", ". Try: ")), code, param, wait);
  } catch {
    return new ApiError(response.status, `The server answered with status ${response.status}.`, "unknown", null, wait);
  }
}

const sentence = (text) => text.slice(0, 1).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? "" : ".");

export const getJson = async (path, options) => (await request(path, options)).json();

/** Waits until the server is ready; tells `report` what it waits for. */
export async function ready(report) {
  for (;;) {
    let state = "unreachable";
    try {
      state = (await (await fetch("/ready")).json()).status;
    } catch {
      // it may come back
    }
    report(state);
    if (state === "ready") return;
    await new Promise((done) => setTimeout(done, 1500));
  }
}
