// A made-up linear model, and its maps as the page is fed: every number can be told by anyone, so that tests know it.
// In: bytes of a "picture" (values are drawn from them), settings as text. Out: scores, grids, feeds "occlude.page/1".
// Values are n/256 and weights n/64, so that sums are exact in any order; only Softmax rounds, always in the same way.
// Not here: HTTP and the order of events (stand_in.mjs).

export class Refusal extends Error {
  constructor(message, hint = null, status = 400) {
    super(message);
    Object.assign(this, { hint, status });
  }
}

export const CHANNELS = 3;
const FILLS = ["mean", "zero", "min"];

// A whole number that looks random, the same for the same arguments.
function mixed(...numbers) {
  let hash = 0x811c9dc5;
  for (const number of numbers) {
    hash = Math.imul(hash ^ number, 0x01000193);
    hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  }
  return (hash ^ (hash >>> 13)) >>> 0;
}

// The input of a file: [channel][row][column], n/256.
export function valuesOf(bytes, height, width) {
  let seed = 7;
  for (const byte of bytes) seed = mixed(seed, byte);
  return Float64Array.from({ length: CHANNELS * height * width }, (_, i) => (mixed(seed, i) % 256) / 256);
}

export class Linear {
  constructor({ id, name, height, width, classes, seed }) {
    Object.assign(this, { id, name, height, width, classes, seed });
  }

  weight(output, i) {
    // A class looks at a part of the picture of its own, so that maps have a shape.
    const column = i % this.width;
    const mine = Math.floor((column * this.classes.length) / this.width) === output;
    return ((mixed(this.seed, output, i) % 9) - (mine ? 1 : 4)) / 64;
  }

  get weights() {
    const length = CHANNELS * this.height * this.width;
    this.made ??= this.classes.map((_, output) => Float64Array.from({ length }, (_, i) => this.weight(output, i)));
    return this.made;
  }

  logits(values) {
    return this.weights.map((weights) => weights.reduce((sum, weight, i) => sum + weight * values[i], 0));
  }

  // What stands where a window is, per channel.
  fill(values, text) {
    const plane = this.height * this.width;
    const channel = (c) => values.subarray(c * plane, (c + 1) * plane);
    const each = (make) => Array.from({ length: CHANNELS }, (_, c) => make(channel(c), c));
    if (text === "" || text === "mean") return each((part) => part.reduce((a, b) => a + b, 0) / plane);
    if (text === "zero") return each(() => 0);
    if (text === "min") return each((part) => Math.min(...part));
    const colour = /^rgb:(\d+),(\d+),(\d+)$/.exec(text);
    if (colour) return each((_, c) => Number(colour[c + 1]) / 256);
    if (text.trim() !== "" && Number.isFinite(Number(text))) return each(() => Number(text));
    throw new Refusal(`fill "${text}" is not understood`, `one of ${FILLS.join(", ")}, a number, or rgb:r,g,b`);
  }

  // The input with a window hidden.
  hidden(values, [y, x], [h, w], fill) {
    const copy = values.slice();
    for (let c = 0; c < CHANNELS; c++) {
      for (let row = y; row < y + h; row++) {
        const from = (c * this.height + row) * this.width + x;
        copy.fill(fill[c], from, from + w);
      }
    }
    return copy;
  }

  describe() {
    return {
      id: this.id,
      name: this.name,
      input: `x: f32[${CHANNELS}, ${this.height}, ${this.width}]`,
      spatial: [this.height, this.width],
      channels: CHANNELS,
      takes_pictures: true,
      classes: this.classes.length,
      has_names: true,
      preprocess: `resized to ${this.width} × ${this.height}, divided by 256`,
      notes: ["a model made up for tests"],
      defaults: { window: "8x8", stride: "4x4", fill: "mean", target: "top1", score: "probability" },
      choices: {
        fill: FILLS,
        score: ["probability", "logit"],
        shape: ["box", "ellipse"],
        border: ["shift", "drop"],
        preset: ["none", "tf-explain"],
      },
    };
  }
}

export function softmax(logits) {
  const most = Math.max(...logits);
  const raised = logits.map((v) => Math.exp(v - most));
  const sum = raised.reduce((a, b) => a + b, 0);
  return raised.map((v) => v / sum);
}

function argmax(values) {
  return values.indexOf(Math.max(...values));
}

// What is asked of a model about an input: a grid of windows, targets, their scores.
export class Question {
  constructor(model, input, settings) {
    const known = ["window", "stride", "fill", "target", "score", "shape", "border", "preset", "aggregate", "seed"];
    for (const name of Object.keys(settings)) {
      if (["threads", "runtime", "regions"].includes(name)) throw new Refusal(`${name} is not a setting of this page`, "it names files or the machine");
      if (!known.includes(name)) throw new Refusal(`there is no setting "${name}"`, `the settings are ${known.join(", ")}`);
    }
    const given = (name, otherwise) => settings[name] || otherwise;
    Object.assign(this, { model, input, settings });
    this.window = sizes("window", given("window", "8"), [model.height, model.width]);
    this.stride = given("stride", "") ? sizes("stride", settings.stride, [model.height, model.width]) : this.window.map((n) => Math.max(1, n >> 1));
    this.fill = model.fill(input.values, given("fill", "mean"));
    this.isProbability = given("score", "probability") === "probability";
    this.joined = given("aggregate", "cells") !== "cells";
    this.starts = [0, 1].map((axis) => {
      const last = [model.height, model.width][axis] - this.window[axis];
      const starts = [];
      for (let at = 0; at < last; at += this.stride[axis]) starts.push(at);
      return [...starts, last];
    });
    this.cells = this.starts[0].length * this.starts[1].length;
    this.untouched = model.logits(input.values);
    this.targets = this.readTargets(given("target", "top1"));
    this.baselines = this.scores(this.untouched);
    this.predicted = argmax(this.untouched);
  }

  readTargets(text) {
    const { classes } = this.model;
    const ranked = [...this.untouched.keys()].sort((a, b) => this.untouched[b] - this.untouched[a]);
    return text.split(",").flatMap((part) => {
      const top = /^top(\d+)$/.exec(part);
      if (top) return ranked.slice(0, Number(top[1]));
      if (part.startsWith("node:")) {
        if (part !== "node:/conv1/Relu_output_0") throw new Refusal(`the model has no tensor "${part.slice(5)}"`, "did you mean /conv1/Relu_output_0?");
        return [part];
      }
      const index = /^\d+$/.test(part) ? Number(part) : classes.indexOf(part);
      if (index < 0) throw new Refusal(`no class is named "${part}"`, `the model has ${classes.length} classes, such as ${classes[0]}`);
      if (index >= classes.length) throw new Refusal(`target ${part} is beyond the ${classes.length} classes`, `0 to ${classes.length - 1}`);
      return [index];
    });
  }

  // The targets' scores as float32.
  scores(logits) {
    const values = this.isProbability ? softmax(logits) : logits;
    return this.targets.map((target) => Math.fround(typeof target === "number" ? values[target] : logits[0] + logits[1]));
  }

  unit(target) {
    return typeof target !== "number" ? "activation" : this.isProbability ? "probability" : "logit";
  }

  label(target) {
    return typeof target !== "number" ? `activity of ${target.slice(5)}` : this.model.classes[target];
  }

  at(start) {
    return this.model.logits(this.model.hidden(this.input.values, start, this.window, this.fill));
  }

  start(cell) {
    const columns = this.starts[1].length;
    return [this.starts[0][Math.floor(cell / columns)], this.starts[1][cell % columns]];
  }

  // Cells coarse to fine: every fourth of both axes first, then every second, then all.
  order() {
    const columns = this.starts[1].length;
    const level = (cell) => [4, 2, 1].find((step) => Math.floor(cell / columns) % step === 0 && (cell % columns) % step === 0);
    return [...Array(this.cells).keys()].sort((a, b) => level(b) - level(a) || a - b);
  }

  result(cell) {
    const logits = this.at(this.start(cell));
    return { cell, occluded: this.scores(logits), most_probable: argmax(logits) };
  }

  probe([y, x]) {
    const [h, w] = this.window;
    if (![y, x].every(Number.isInteger) || y < 0 || x < 0 || y + h > this.model.height || x + w > this.model.width) {
      throw new Refusal(`a window of ${h} x ${w} at ${y}, ${x} hangs over the input of ${this.model.height} x ${this.model.width}`, "choose a place inside");
    }
    const logits = this.at([y, x]);
    const occluded = this.scores(logits);
    const most = (values) => {
      const shares = softmax(values);
      const ranked = [...shares.keys()].sort((a, b) => shares[b] - shares[a]).slice(0, 5);
      return ranked.map((index) => ({ index, name: this.model.classes[index], value: Math.fround(shares[index]) }));
    };
    return {
      start: [y, x],
      window: [h, w],
      targets: this.targets.map((target, t) => ({
        label: this.label(target),
        unit: this.unit(target),
        baseline: this.baselines[t],
        occluded: occluded[t],
        sensitivity: Math.fround(this.baselines[t] - occluded[t]),
      })),
      classes: most(logits),
      classes_untouched: most(this.untouched),
    };
  }

  // Names of classes by index, as a feed has them.
  names(indices) {
    return Object.fromEntries(indices.map((index) => [String(index), this.model.classes[index]]));
  }

  // The feed with what is computed: a map from cell to result.
  feed(results) {
    const { model, input } = this;
    const names = ["y", "x"];
    const lengths = [model.height, model.width];
    const complete = results.size === this.cells;
    const axes = names.map((name, axis) => {
      const own = this.joined ? [...Array(lengths[axis]).keys()] : this.starts[axis];
      const size = this.joined ? 1 : this.window[axis];
      return { name, role: "spatial", length: lengths[axis], starts: own, ends: own.map((at) => at + size), scale: input.scale[axis], offset: 0 };
    });
    const column = (t) => Float32Array.from({ length: this.cells }, (_, cell) => results.get(cell)?.occluded[t] ?? NaN);
    const target = (entry, t) => {
      const object = { label: this.label(entry), index: typeof entry === "number" ? entry : null, unit: this.unit(entry), baseline: this.baselines[t] };
      object.score_title = typeof entry === "number" ? this.unit(entry) : this.label(entry);
      if (!this.joined) return { ...object, occluded: base64(column(t)) };
      return { ...object, sensitivity: base64(this.elements(column(t), this.baselines[t])), top_for: [], top_against: [] };
    };
    const said = Int32Array.from({ length: this.cells }, (_, cell) => results.get(cell)?.most_probable ?? -1);
    const given = Object.entries(this.settings).filter(([, value]) => value !== "");
    const seen = [...results.values()].map((result) => result.most_probable);
    return {
      schema: "occlude.page/1",
      input: input.name,
      setup: `${model.name} · window ${this.window.join(" × ")} · stride ${this.stride.join(" × ")}`,
      sign: "Positive (red): hiding this window lowers the score, so it is evidence for the target.",
      map_caption: `The map, ${this.starts.map((s) => s.length).join(" × ")} windows`,
      source_unit: "px",
      predicted: { index: this.predicted, label: model.classes[this.predicted] },
      axes,
      cells: this.joined ? "elements" : "windows",
      targets: this.targets.map(target),
      most_probable: this.joined ? null : base64(said),
      classes: this.names([this.predicted, ...seen]),
      complete,
      computed: results.size,
      windows: this.cells,
      ramp: RAMP,
      sequential: RAMP.slice(127),
      class_colours: ["0072b2", "e69f00", "009e73", "cc79a7", "56b4e9", "d55e00", "f0e442"],
      class_other: "9a9a9a",
      places: this.joined ? { from: "elements" } : { from: "cells", weights: [] },
      picture: { url: input.picture, width: model.width, height: model.height, caption: `The part of ${input.name} that the model saw`, alt: input.name },
      command: ["occlude map", model.name, input.name, ...given.map(([name, value]) => `--${name} ${value}`)].join(" "),
      notes: complete ? [] : ["This map is incomplete."],
      facts: [["model", model.name], ["windows", `${results.size} of ${this.cells}`]],
    };
  }

  // Per element the mean over the windows that cover it.
  elements(occluded, baseline) {
    const { height, width } = this.model;
    const sum = new Float64Array(height * width);
    const count = new Float64Array(height * width);
    for (let cell = 0; cell < this.cells; cell++) {
      if (Number.isNaN(occluded[cell])) continue;
      const [y, x] = this.start(cell);
      for (let row = y; row < y + this.window[0]; row++) {
        for (let col = x; col < x + this.window[1]; col++) {
          sum[row * width + col] += Math.fround(baseline - occluded[cell]);
          count[row * width + col] += 1;
        }
      }
    }
    return Float32Array.from(sum, (v, i) => (count[i] ? v / count[i] : NaN));
  }
}

function sizes(name, text, lengths) {
  const parts = /^\d+(x\d+)?$/.test(text) ? text.split("x").map(Number) : null;
  if (!parts) throw new Refusal(`${name} "${text}" is not a size`, `a whole number, or two as 16x24`);
  const pair = parts.length === 1 ? [parts[0], parts[0]] : parts;
  pair.forEach((size, axis) => {
    if (size < 1) throw new Refusal(`${name} ${text} is less than 1`, "choose at least 1");
    if (name === "window" && size > lengths[axis]) throw new Refusal(`window ${text} is larger than the input: ${lengths[axis]} elements along ${"yx"[axis]}`, `choose at most ${lengths[axis]}`);
  });
  return pair;
}

function base64(values) {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((v, i) => (values instanceof Int32Array ? view.setInt32(4 * i, v, true) : view.setFloat32(4 * i, v, true)));
  return Buffer.from(view.buffer).toString("base64");
}

// Blue, light grey, red: not the product's ramp, but as long and as symmetric.
const RAMP = Array.from({ length: 255 }, (_, i) => {
  const share = Math.abs(i - 127) / 127;
  const end = i < 127 ? [20, 80, 158] : [156, 28, 34];
  return end.map((v) => Math.round(245 + (v - 245) * share).toString(16).padStart(2, "0")).join("");
});

// A `.npy` file of float32.
export function npy(shape, values) {
  let header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")}${shape.length === 1 ? "," : ""}), }`;
  header = header.padEnd(64 * Math.ceil((11 + header.length) / 64) - 11) + "\n";
  const head = Buffer.alloc(10);
  head.write("\x93NUMPY\x01\x00", 0, "latin1");
  head.writeUInt16LE(header.length, 8);
  const body = Buffer.alloc(4 * values.length);
  values.forEach((v, i) => body.writeFloatLE(v, 4 * i));
  return Buffer.concat([head, Buffer.from(header, "latin1"), body]);
}
