// Talking to the server of a live page: one request with its errors, and questions of which only the newest matters.
// In: paths and bodies. Out: answers as objects, `Refused` (the server says why, with a hint) or `Gone` (nobody
// answers). Not here: what the answers mean, and the events of a run (live_run.js).

"use strict";

class Refused extends Error {
  constructor(status, { error, hint }) {
    super(error ?? `the server answered ${status}`);
    this.status = status;
    this.hint = hint ?? null;
  }
}

class Gone extends Error {
  constructor() {
    super("The server does not answer.");
    this.hint = "Is `occlude serve` still running in its terminal? What is on this page stays.";
  }
}

// `json` or `bytes` is the body; `name` the name of an uploaded file.
async function askServer(path, { method = "GET", json, bytes, name, keepalive = false } = {}) {
  const headers = {};
  if (method !== "GET") headers["X-Occlude"] = "1"; // no plain form of another site can send this
  if (json) headers["Content-Type"] = "application/json";
  if (name !== undefined) headers["X-Name"] = encodeURIComponent(name);
  let answer, text;
  try {
    answer = await fetch(path, { method, headers, body: json ? JSON.stringify(json) : bytes, keepalive, cache: "no-store" });
    text = await answer.text();
  } catch {
    throw new Gone();
  }
  let said = null;
  try {
    said = text ? JSON.parse(text) : null;
  } catch {
    throw new Refused(answer.status, { error: `the answer to ${path} is not JSON`, hint: "Is another program listening at this address?" });
  }
  if (!answer.ok) throw new Refused(answer.status, said ?? {});
  return said;
}

// One question at a time; of those asked meanwhile only the newest is asked next. So answers come in the order of the
// questions, and a slow server is never flooded.
class Newest {
  constructor(send) {
    this.send = send; // async, handles its own errors
    this.isBusy = false;
    this.waiting = null;
  }

  get hasNewer() {
    return this.waiting !== null;
  }

  async ask(question) {
    if (this.isBusy) {
      this.waiting = { question };
      return;
    }
    this.isBusy = true;
    try {
      await this.send(question);
    } finally {
      this.isBusy = false;
      const next = this.waiting;
      this.waiting = null;
      if (next) this.ask(next.question);
    }
  }

  forget() {
    this.waiting = null;
  }
}

// Runs `work` once nothing has called for some milliseconds; `now` runs it at once.
function afterPause(milliseconds, work) {
  let timer = null;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(work, milliseconds);
  };
  later.now = () => {
    clearTimeout(timer);
    work();
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

// Bytes in words: "20 MB".
function sizeText(bytes) {
  const [unit, size] = bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : ["kB", 1e3];
  return `${Number((bytes / size).toPrecision(3))} ${unit}`;
}
