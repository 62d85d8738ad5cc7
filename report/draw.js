// Drawing on canvases: a map's cells as they are, a bar chart for signals, the colour ramp.
// In: a Feed, a View (which axes are seen), a scale. Out: pixels. Knows no controls and no text.
// The ramp comes with the feed, so that page and PNG have the same colours; positions are fractions of the stage.

"use strict";

// Which two axes of the grid are seen, which way they run, and where on the other ones: the last two, or for signals the only one; or
// those of a plane of a volume, {col, row, isColBack, isRowBack, spacing}, where an axis may run from right to left or from bottom to top.
class View {
  constructor(feed, plane = null) {
    this.feed = feed;
    const spatial = feed.axes.map((axis, i) => i).filter((i) => feed.axes[i].role !== "channel");
    this.col = plane?.col ?? spatial.at(-1);
    this.row = plane?.row ?? (spatial.length > 1 ? spatial.at(-2) : null);
    this.back = new Set([...(plane?.isColBack ? [this.col] : []), ...(plane?.isRowBack ? [this.row] : [])]);
    this.others = feed.axes.map((axis, i) => i).filter((i) => i !== this.col && i !== this.row);
    this.fixed = feed.axes.map(() => 0);
    this.edges = feed.axes.map(cellEdges);
    this.rows = this.row === null ? 1 : feed.axes[this.row].starts.length;
    this.cols = feed.axes[this.col].starts.length;
    // Width over height, by the elements' true sizes; none for signals.
    const extent = (axis) => feed.axes[axis].length * (plane?.spacing[axis] ?? 1);
    this.aspect = this.row === null ? null : extent(this.col) / extent(this.row);
  }

  cell(row, col) {
    const index = [...this.fixed];
    if (this.row !== null) index[this.row] = row;
    index[this.col] = col;
    return this.feed.cellAt(index);
  }

  // The fractions of the stage, [least, greatest], that a stretch of an axis takes; both in fractions of their whole.
  span(axis, from, to) {
    return this.back.has(axis) ? [1 - to, 1 - from] : [from, to];
  }

  // Where along an axis a fraction of the stage is, as a fraction of the axis.
  along(axis, fraction) {
    return this.back.has(axis) ? 1 - fraction : fraction;
  }

  // The fractions [left, top, right, bottom] that a cell, or the whole window, takes of the stage.
  rect(cell, whole) {
    const index = this.feed.indexOf(cell);
    const along = (axis) => {
      if (axis === null) return [0, 1];
      const { starts, ends, length } = this.feed.axes[axis];
      const [from, to] = whole ? [starts[index[axis]], ends[index[axis]]] : this.edges[axis][index[axis]];
      return this.span(axis, from / length, to / length);
    };
    const [left, right] = along(this.col);
    const [top, bottom] = along(this.row);
    return [left, top, right, bottom];
  }

  // The cell at a place of the stage, in fractions.
  hit(x, y) {
    const at = (axis, fraction) => nearestCell(this.feed.axes[axis], this.along(axis, fraction) * this.feed.axes[axis].length);
    return this.cell(this.row === null ? 0 : at(this.row, y), at(this.col, x));
  }

  sees(cell) {
    const index = this.feed.indexOf(cell);
    return this.others.every((axis) => index[axis] === this.fixed[axis]);
  }

  goTo(cell) {
    const index = this.feed.indexOf(cell);
    for (const axis of this.others) this.fixed[axis] = index[axis];
  }
}

// A symmetric scale about zero, for evidence.
class Scale {
  constructor(ramp, limit) {
    this.ramp = ramp; // "rrggbb" from strongest against to strongest for
    this.limit = limit;
  }

  position(value) {
    return this.limit > 0 ? Math.max(-1, Math.min(1, value / this.limit)) : 0;
  }

  // Where a value stands on the bar, 0 to 1.
  place(value) {
    return (this.position(value) + 1) / 2;
  }

  colour(value) {
    const middle = (this.ramp.length - 1) / 2;
    const steps = Math.round(middle * Math.abs(this.position(value))); // the same distance for both signs
    return "#" + this.ramp[value < 0 ? middle - steps : middle + steps];
  }
}

// A scale from the least to the greatest of some values and another one, for what has no middle.
class RangeScale {
  constructor(ramp, values, another) {
    this.ramp = ramp; // "rrggbb" from dark to light
    this.least = another;
    this.most = another;
    for (const value of values) {
      if (value < this.least) this.least = value;
      if (value > this.most) this.most = value;
    }
  }

  place(value) {
    return this.most > this.least ? Math.max(0, Math.min(1, (value - this.least) / (this.most - this.least))) : 0.5;
  }

  colour(value) {
    return "#" + this.ramp[Math.round(this.place(value) * (this.ramp.length - 1))];
  }
}

// Makes a canvas as sharp as the screen and gives its context in device pixels.
function sharp(canvas) {
  const box = canvas.parentElement.getBoundingClientRect();
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(box.width * ratio));
  canvas.height = Math.max(1, Math.round(box.height * ratio));
  canvas.style.width = box.width + "px";
  canvas.style.height = box.height + "px";
  return canvas.getContext("2d");
}

// One rectangle a cell. `look` says of a cell: {colour, alpha, pattern}, null where it was not computed, undefined to leave it out.
function paintCells(canvas, view, look, opacity) {
  const context = sharp(canvas);
  const { width, height } = canvas;
  const pixels = (axis, extent) => {
    if (axis === null) return [[0, extent]];
    const { length } = view.feed.axes[axis];
    return view.edges[axis].map(([from, to]) => view.span(axis, from / length, to / length).map((edge) => Math.round(edge * extent)));
  };
  const across = pixels(view.col, width);
  const down = pixels(view.row, height);
  for (let row = 0; row < view.rows; row++) {
    const [y, bottom] = down[row];
    for (let col = 0; col < view.cols; col++) {
      const seen = look(view.cell(row, col));
      if (seen === undefined) continue;
      const [x, right] = across[col];
      const [w, h] = [right - x, bottom - y];
      context.globalAlpha = opacity * (seen === null ? 1 : (seen.alpha ?? 1));
      if (seen === null) {
        paintMissing(context, x, y, w, h);
      } else {
        context.fillStyle = seen.colour;
        context.fillRect(x, y, w, h);
        if (seen.pattern) paintPattern(context, seen.pattern, x, y, w, h);
        if (seen.isStriped) {
          context.globalAlpha = opacity;
          paintStripes(context, x, y, w, h);
        }
      }
    }
  }
}

// Patterns tell classes apart without colour. They run through all cells of a class, so that its area is seen as one.
const PATTERNS = ["", "rising", "falling", "level", "upright", "dots", "grid", "cross"];

function paintPattern(context, pattern, x, y, w, h) {
  const step = Math.max(6, Math.round(7 * (window.devicePixelRatio || 1)));
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.strokeStyle = context.fillStyle = "rgba(0, 0, 0, 0.62)";
  context.lineWidth = Math.max(1, step / 6);
  context.beginPath();
  const from = (at) => Math.ceil(at / step) * step;
  if (pattern === "level" || pattern === "grid") for (let at = from(y); at < y + h; at += step) line(context, x, at, x + w, at);
  if (pattern === "upright" || pattern === "grid") for (let at = from(x); at < x + w; at += step) line(context, at, y, at, y + h);
  if (pattern === "rising" || pattern === "cross") for (let at = from(x + y); at < x + y + w + h; at += step) line(context, at - y, y, at - y - h, y + h);
  if (pattern === "falling" || pattern === "cross") for (let at = from(x - y - h); at < x - y + w; at += step) line(context, at + y, y, at + y + h, y + h);
  context.stroke();
  if (pattern === "dots") {
    for (let row = from(y); row < y + h; row += step) {
      for (let col = from(x); col < x + w; col += step) context.fillRect(col, row, step / 3, step / 3);
    }
  }
  context.restore();
}

// Over a cell whose sign depends on how the map was made: dark stripes with a light edge, so that they show on any colour.
function paintStripes(context, x, y, w, h) {
  const step = Math.max(8, Math.round(9 * (window.devicePixelRatio || 1)));
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  for (const [style, width] of [["rgba(255, 255, 255, 0.5)", step / 2.6], ["rgba(0, 0, 0, 0.62)", step / 6]]) {
    context.strokeStyle = style;
    context.lineWidth = Math.max(1, width);
    context.beginPath();
    for (let at = Math.ceil((x - y - h) / step) * step; at < x - y + w; at += step) line(context, at + y, y, at + y + h, y + h);
    context.stroke();
  }
  context.restore();
}

function line(context, x0, y0, x1, y1) {
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
}

// A signal's map: one bar a window, up for evidence for the target and down for evidence against it. `look` as in paintCells.
function paintBars(canvas, view, look, values, scale, ink) {
  const context = sharp(canvas);
  const { width, height } = canvas;
  const middle = height / 2;
  for (let col = 0; col < view.cols; col++) {
    const cell = view.cell(0, col);
    const [left, , right] = view.rect(cell, false);
    const x = Math.round(left * width);
    const w = Math.max(1, Math.round(right * width) - x);
    const value = values[cell];
    const seen = look(cell);
    if (seen === undefined) continue;
    if (seen === null) {
      paintMissing(context, x, 0, w, height);
    } else {
      const top = middle - scale.position(value) * (middle - 6);
      context.fillStyle = seen.colour;
      context.fillRect(x, Math.min(top, middle), w, Math.abs(top - middle));
      context.strokeStyle = ink;
      context.strokeRect(x + 0.5, Math.min(top, middle), Math.max(1, w - 1), Math.abs(top - middle));
      if (seen.isStriped) paintStripes(context, x, Math.min(top, middle), w, Math.max(8, Math.abs(top - middle)));
    }
  }
  context.fillStyle = ink;
  context.fillRect(0, Math.round(middle), width, 1);
}

function paintMissing(context, x, y, w, h) {
  context.save();
  context.beginPath();
  context.rect(x, y, w, h);
  context.clip();
  context.fillStyle = "#d9d9d6";
  context.fillRect(x, y, w, h);
  context.strokeStyle = "#a3a39f";
  context.lineWidth = 2;
  context.beginPath();
  for (let d = Math.floor((x + y) / 10) * 10; d < x + w + y + h; d += 10) {
    context.moveTo(d - y, y);
    context.lineTo(d - y - h, y + h);
  }
  context.stroke();
  context.restore();
}

// The colours of a scale in a row; steps that `isLeftOut` are left out.
function paintRamp(canvas, scale, isLeftOut) {
  canvas.width = scale.ramp.length;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  scale.ramp.forEach((colour, i) => {
    if (isLeftOut(i)) return;
    context.fillStyle = "#" + colour;
    context.fillRect(i, 0, 1, 1);
  });
}
