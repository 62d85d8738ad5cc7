// The data of a page and the arithmetic on it: no document, no drawing.
// In: one feed object (schema "occlude.page/1"), read from the page or sent by a server. Out: a Feed, whose `changed`
// callbacks run whenever scores arrive, so that the same page serves a finished report and a map in the making.
// Arrays of numbers travel as base64 of little-endian float32 or int32, so every value is exact.

"use strict";

class Feed {
  constructor(info) {
    if (info.schema !== "occlude.page/1") throw new Error(`this page reads occlude.page/1, not ${info.schema}`);
    this.info = info;
    this.axes = info.axes; // grid axes, outermost first
    // A cell is a window with a score of its own, or an element of the input that windows were joined for.
    this.hasScores = info.cells !== "elements";
    this.cell = this.hasScores ? "window" : "element";
    // What has no number was never asked for: elements that no window covers.
    this.isUncovered = !this.hasScores && info.complete;
    this.cells = info.axes.reduce((product, axis) => product * axis.starts.length, 1);
    this.targets = info.targets.map((target) => {
      const occluded = numbers(target.occluded, Float32Array, this.cells);
      // A sensitivity is the baseline minus the occluded score in float32, unless the map says otherwise.
      const sensitivity = target.sensitivity
        ? numbers(target.sensitivity, Float32Array, this.cells)
        : occluded.map((score) => Math.fround(target.baseline - score));
      // Cells whose sign depends on how the map was made, where that was looked at.
      return { ...target, occluded, sensitivity, marked: new Set(target.marked ?? []), order: null, limit: null };
    });
    this.mostProbable = info.most_probable ? classNumbers(info.most_probable, this.cells) : null;
    this.listeners = [];
    this.version = 0; // how often scores have come: what is computed from them is kept as long as it stays
  }

  onChange(listener) {
    this.listeners.push(listener);
  }

  // Takes scores that have just been computed: [{cell, occluded: [one per target], most_probable}], and names of classes by index that
  // were not known before.
  add(windows, classes = {}) {
    Object.assign(this.info.classes, classes);
    for (const { cell, occluded, most_probable } of windows) {
      this.targets.forEach((target, t) => {
        if (Number.isNaN(target.occluded[cell])) this.info.computed += t === 0 ? 1 : 0;
        target.occluded[cell] = occluded[t];
        target.sensitivity[cell] = Math.fround(target.baseline - occluded[t]);
        target.order = target.limit = null;
      });
      if (this.mostProbable && most_probable !== undefined) this.mostProbable[cell] = most_probable;
    }
    this.info.complete = this.info.computed >= this.cells;
    this.version += 1;
    for (const listener of this.listeners) listener();
  }

  // Cells of a target from the strongest evidence for it to the strongest against it, as a Uint32Array; cells not computed are left out.
  order(t) {
    const target = this.targets[t];
    if (!target.order) {
      target.order = orderOf(target.sensitivity);
      target.rank = new Uint32Array(this.cells);
      target.order.forEach((cell, place) => (target.rank[cell] = place + 1));
    }
    return target.order;
  }

  // From 1; undefined for cells that are not computed.
  rank(t, cell) {
    this.order(t);
    return this.targets[t].rank[cell] || undefined;
  }

  // The classes that are the most probable ones, with their number of windows: [{index, count}], the untouched input's first, then by number.
  classCounts() {
    const counts = new Map();
    const untouched = this.info.predicted?.index;
    if (untouched !== undefined) counts.set(untouched, 0);
    for (const index of this.mostProbable ?? []) if (index >= 0) counts.set(index, (counts.get(index) ?? 0) + 1);
    const rank = ({ index, count }) => (index === untouched ? Infinity : count);
    return [...counts].map(([index, count]) => ({ index, count })).sort((a, b) => rank(b) - rank(a) || a.index - b.index);
  }

  // With how many cells hidden the most probable class is another one. Counted again when scores come.
  get flips() {
    if (this.flipsOf !== this.version) {
      this.flipsOf = this.version;
      const untouched = this.info.predicted?.index;
      this.flipCount = this.mostProbable.reduce((count, index) => (index >= 0 && index !== untouched ? count + 1 : count), 0);
    }
    return this.flipCount;
  }

  // Whether all targets are measured in one unit, so that they could share a scale.
  get oneUnit() {
    return this.targets.every((target) => target.unit === this.targets[0].unit);
  }

  // The largest magnitude of one target, or of all: the end of the colour scale.
  limit(t, shared) {
    const chosen = shared ? this.targets : [this.targets[t]];
    for (const target of chosen) target.limit ??= target.sensitivity.reduce((limit, v) => (Math.abs(v) > limit ? Math.abs(v) : limit), 0);
    return Math.max(...chosen.map(({ limit }) => limit));
  }

  // Whether the cells of another feed lie where these do.
  hasCellsOf(other) {
    const places = (feed) => JSON.stringify(feed.axes.map(({ name, length, starts, ends }) => [name, length, starts, ends]));
    return this.hasScores === other.hasScores && places(this) === places(other);
  }

  // The grid index of a cell, one number per axis, and back.
  indexOf(cell) {
    const index = new Array(this.axes.length);
    for (let axis = this.axes.length - 1; axis >= 0; axis--) {
      const length = this.axes[axis].starts.length;
      index[axis] = cell % length;
      cell = Math.floor(cell / length);
    }
    return index;
  }

  cellAt(index) {
    return index.reduce((cell, i, axis) => cell * this.axes[axis].starts.length + i, 0);
  }

  className(index) {
    return this.info.classes[index] ?? `class ${index}`;
  }
}

// A typed array from base64, or one of the same length that says "not computed" where nothing was sent.
function numbers(base64, Kind, length) {
  if (!base64) return new Kind(length).fill(Kind === Float32Array ? NaN : -1);
  const bytes = bytesOf(base64);
  const view = new DataView(bytes.buffer);
  const get = Kind === Float32Array ? (i) => view.getFloat32(4 * i, true) : (i) => view.getInt32(4 * i, true);
  if (bytes.length !== 4 * length) throw new Error(`${bytes.length / 4} numbers where ${length} windows are`);
  const made = new Kind(length);
  for (let i = 0; i < length; i++) made[i] = get(i);
  return made;
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// The most probable class of every cell: int32 as base64, or, where few classes occur, one byte a cell that says which of them.
function classNumbers(sent, length) {
  if (typeof sent === "string") return numbers(sent, Int32Array, length);
  const bytes = bytesOf(sent.which);
  if (bytes.length !== length) throw new Error(`${bytes.length} classes where ${length} windows are`);
  return Int32Array.from(bytes, (which) => sent.classes[which]);
}

// Places of numbers from the greatest to the least, of equal ones the first first; NaN is left out.
function orderOf(values) {
  // A float's bits, read as a whole number, are in the order of the floats once the negative ones are turned round. With the place behind
  // it, that is one double, and doubles are sorted without a call for each comparison: maps of volumes have millions of cells.
  if (values.length > 2 ** 21) return Uint32Array.from(values.keys()).filter((i) => !Number.isNaN(values[i])).sort((a, b) => values[b] - values[a] || a - b);
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const keys = new Float64Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) continue;
    const least = values[i] === 0 ? 0 : values[i] > 0 ? -bits[i] : bits[i] & 0x7fffffff; // both zeros are one number
    keys[count++] = (least + 2 ** 31) * values.length + i;
  }
  return Uint32Array.from(keys.subarray(0, count).sort(), (key) => key % values.length);
}

// Where each window's cell lies along an axis, in tensor elements: the places that are nearer to this window's centre
// than to its neighbours', and inside it.
function cellEdges(axis) {
  const centre = axis.starts.map((start, i) => (start + axis.ends[i]) / 2);
  return centre.map((c, i) => [
    i > 0 ? Math.max(axis.starts[i], (centre[i - 1] + c) / 2) : axis.starts[i],
    i + 1 < centre.length ? Math.min(axis.ends[i], (c + centre[i + 1]) / 2) : axis.ends[i],
  ]);
}

// Which cell of an axis holds this place, or the nearest one: a window in between two is never out of reach.
function nearestCell(axis, place) {
  let best = 0;
  for (let i = 1; i < axis.starts.length; i++) {
    const distance = (j) => Math.abs((axis.starts[j] + axis.ends[j]) / 2 - place);
    if (distance(i) < distance(best)) best = i;
  }
  return best;
}

// Round numbers to mark on a scale of +-limit.
function ticks(limit) {
  if (!(limit > 0)) return [0];
  const decade = 10 ** Math.floor(Math.log10(limit / 2));
  const step = [1, 2, 2.5, 5, 10].map((d) => d * decade).find((s) => limit / s >= 1 && limit / s < 3) ?? decade;
  const side = Math.floor((limit / step) * (1 + 1e-9));
  return Array.from({ length: 2 * side + 1 }, (_, i) => (i - side) * step);
}
