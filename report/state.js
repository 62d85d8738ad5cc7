// What the reader has chosen, kept in the address after "#", so that a link or a reload makes the same page again.
// In: the address, changes. Out: values by name, the address, and a call to whoever listens. Nothing here knows a feed: what does
// not fit one is set right by the page. A live page keeps its own settings in the same address, through `extra`.

"use strict";

const whole = (most = Infinity) => ({
  read: (text) => (/^\d{1,9}$/.test(text) && Number(text) <= most ? Number(text) : undefined),
  write: String,
});
const amount = { read: (text) => (text !== "" && Number(text) >= 0 && Number.isFinite(Number(text)) ? Number(text) : undefined), write: String };
const list = {
  read: (text) => (text !== "" && text.split(",").every((part) => part !== "" && Number.isFinite(Number(part))) ? text.split(",").map(Number) : undefined),
  write: (values) => values.join(","),
};
const choice = (...names) => ({ read: (text) => (names.includes(text) ? text : undefined), write: String });
const yes = (on, off) => ({ read: (text) => (text === on ? true : text === off ? false : undefined), write: (value) => (value ? on : off) });

// Every value that a reader would share: its name in the page, its name in the address, what it is at first, and its text.
const PROPS = [
  { name: "target", key: "target", first: 0, ...whole() },
  { name: "opacity", key: "opacity", first: 80, ...whole(100) },
  { name: "shared", key: "scale", first: false, ...yes("all", "one") },
  { name: "pinned", key: "window", first: null, ...whole() },
  { name: "view", key: "view", first: "evidence", ...choice("evidence", "class", "score") },
  { name: "weakFor", key: "for-from", first: 0, ...amount },
  { name: "weakAgainst", key: "against-from", first: 0, ...amount },
  { name: "striped", key: "stripes", first: true, ...yes("on", "off") },
  { name: "divider", key: "divider", first: 0, ...whole(100) },
  { name: "voxel", key: "voxel", first: null, ...list },
  { name: "convention", key: "convention", first: "radiological", ...choice("radiological", "neurological") },
  { name: "box", key: "box", first: null, ...list },
  { name: "beside", key: "beside", first: null, ...whole() },
  { name: "listed", key: "list", first: null, ...choice("place", "for", "against") },
  { name: "look", key: "look", first: "auto", ...choice("auto", "light", "dark") },
];
// Names of a live page's own settings carry this in front, so that its "window" is not the pinned one.
const EXTRA = "set.";

class State {
  constructor() {
    this.listeners = [];
    this.extras = new Map();
    this.values = Object.fromEntries(PROPS.map(({ name, first }) => [name, first]));
    this.written = [];
    this.isLate = false;
    this.read();
    addEventListener("hashchange", () => {
      const said = location.hash.slice(1);
      if (said === this.text() || (said && !said.includes("="))) return; // ours, or a link within the page
      this.read();
      this.tell();
    });
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  tell() {
    for (const listener of this.listeners) listener(this.values);
  }

  // Changes values by name, writes the address and tells.
  set(change) {
    Object.assign(this.values, change);
    this.save();
    this.tell();
  }

  // A live page's own setting: its text, or null; with a second argument it is set, or taken away by null. Does not tell.
  extra(name, ...text) {
    if (text.length > 0) {
      if (text[0] === null || text[0] === undefined || text[0] === "") this.extras.delete(name);
      else this.extras.set(name, String(text[0]));
      this.save();
    }
    return this.extras.get(name) ?? null;
  }

  read() {
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const { name, key, first, read } of PROPS) this.values[name] = (asked.has(key) ? read(asked.get(key)) : undefined) ?? first;
    this.extras = new Map([...asked].filter(([key]) => key.startsWith(EXTRA)).map(([key, text]) => [key.slice(EXTRA.length), text]));
  }

  text() {
    const said = new URLSearchParams();
    for (const { name, key, first, write } of PROPS) if (this.values[name] !== first) said.set(key, write(this.values[name]));
    for (const [name, text] of this.extras) said.set(EXTRA + name, text);
    return said.toString();
  }

  // Writes the address, at most five times a second: browsers refuse more. `isEntry`: as a step that "back" comes back from; what it
  // comes back to is what was written before.
  save(isEntry = false) {
    const now = Date.now();
    this.written = this.written.filter((time) => now - time < 1000);
    if (this.written.length >= 5 && !isEntry) {
      if (!this.isLate) setTimeout(() => { this.isLate = false; this.save(); }, 300);
      this.isLate = true;
      return;
    }
    const said = this.text();
    if (location.hash.slice(1) === said) return;
    this.written.push(now);
    const address = said ? `#${said}` : location.pathname + location.search;
    try {
      if (isEntry) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
    } catch {
      // A page in a frame without an address of its own (a notebook's) keeps its state for itself.
    }
  }
}

const state = new State();
