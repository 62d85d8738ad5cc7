// The live settings in the page's address, beside what state.js keeps there: a reload, a link and "back" ask the same.
// In: model, input, settings, what is held, where the hand is. Out: the same, read back; `onChange` when the reader
// went back or forward. Only what differs from the server's start (its first model, its command line) is written.
// Not here: what to do about it.

"use strict";

const CLEARED = "~"; // a setting of the command line that the reader took away
const OWN = ["model", "input", "hand", "held"];

class LiveAddress {
  constructor(known, onChange) {
    this.known = known;
    state.onChange(() => {
      const now = this.text();
      if (now === this.last) return;
      this.last = now;
      onChange();
    });
    this.last = this.text();
  }

  text() {
    return JSON.stringify([...state.extras].filter(([name]) => name !== "hand").sort());
  }

  read() {
    const given = state.extras;
    const settings = { ...this.known.settings };
    for (const [name, text] of given) {
      if (OWN.includes(name)) continue;
      if (text === CLEARED) delete settings[name];
      else settings[name] = text;
    }
    const hand = /^(\d+)(?:,(\d+))?$/.exec(given.get("hand") ?? "");
    return {
      model: given.get("model") ?? null,
      input: given.get("input") ?? null,
      settings,
      hand: hand ? hand.slice(1).filter((n) => n !== undefined).map(Number) : null,
      held: heldOf(given.get("held")),
    };
  }

  // Writes what is asked; `isEntry` makes it a step that "back" returns from.
  write({ model, input, settings, held }, isEntry) {
    const said = new Map();
    if (model && model !== this.known.models[0]?.id) said.set("model", model);
    if (input && input !== this.known.input?.id) said.set("input", input);
    const names = new Set([...Object.keys(settings), ...Object.keys(this.known.settings)]);
    for (const name of names) {
      const [now, first] = [settings[name] ?? "", this.known.settings[name] ?? ""];
      if (now !== first && !OWN.includes(name)) said.set(name, now === "" ? CLEARED : now);
    }
    if (held) said.set("held", new URLSearchParams({ ...held.settings, ":model": held.model, ":input": held.input }).toString());
    const hand = state.extras.get("hand");
    if (hand) said.set("hand", hand);
    state.extras = said;
    const isNew = this.text() !== this.last;
    this.last = this.text();
    state.save(isEntry && isNew);
  }

  writeHand(start) {
    state.extra("hand", start ? start.join(",") : null);
  }
}

// A held map: what was asked for it.
function heldOf(text) {
  if (!text) return null;
  const { ":model": model, ":input": input, ...settings } = Object.fromEntries(new URLSearchParams(text));
  return model && input ? { model, input, settings } : null;
}
