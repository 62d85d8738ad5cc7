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
      return { ...target, occluded, sensitivity, marked: new Set(target.marked ?? []), order: null };
    });
    this.mostProbable = info.most_probable ? numbers(info.most_probable, Int32Array, this.cells) : null;
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
        target.order = null;
      });
      if (this.mostProbable && most_probable !== undefined) this.mostProbable[cell] = most_probable;
    }
    this.info.complete = this.info.computed >= this.cells;
    this.version += 1;
    for (const listener of this.listeners) listener();
  }

  // Cells of a target from the strongest evidence for it to the strongest against it; cells not computed are left out.
  order(t) {
    const target = this.targets[t];
    if (!target.order) {
      target.order = [...target.sensitivity.keys()].filter((cell) => !Number.isNaN(target.sensitivity[cell]));
      target.order.sort((a, b) => target.sensitivity[b] - target.sensitivity[a] || a - b);
      target.rank = new Map(target.order.map((cell, place) => [cell, place + 1]));
    }
    return target.order;
  }

  rank(t, cell) {
    this.order(t);
    return this.targets[t].rank.get(cell);
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

  // Whether all targets are measured in one unit, so that they could share a scale.
  get oneUnit() {
    return this.targets.every((target) => target.unit === this.targets[0].unit);
  }

  // The largest magnitude of one target, or of all: the end of the colour scale.
  limit(t, shared) {
    const chosen = shared ? this.targets : [this.targets[t]];
    let limit = 0;
    for (const target of chosen) for (const v of target.sensitivity) if (Math.abs(v) > limit) limit = Math.abs(v);
    return limit;
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
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const view = new DataView(bytes.buffer);
  const get = Kind === Float32Array ? (i) => view.getFloat32(4 * i, true) : (i) => view.getInt32(4 * i, true);
  if (bytes.length !== 4 * length) throw new Error(`${bytes.length / 4} numbers where ${length} windows are`);
  return Kind.from({ length }, (_, i) => get(i));
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
