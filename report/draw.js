// Drawing on canvases: a map's cells as they are, a bar chart for signals, the colour ramp.
// In: a Feed, a View (which axes are seen), a scale. Out: pixels. Knows no controls and no text.
// The ramp comes with the feed, so that page and PNG have the same colours; positions are fractions of the stage.

"use strict";

// Which two axes of the grid are seen, and where on the other ones: the last two, or for signals the only one.
class View {
  constructor(feed) {
    this.feed = feed;
    const spatial = feed.axes.map((axis, i) => i).filter((i) => feed.axes[i].role !== "channel");
    this.col = spatial.at(-1);
    this.row = spatial.length > 1 ? spatial.at(-2) : null;
    this.others = feed.axes.map((axis, i) => i).filter((i) => i !== this.col && i !== this.row);
    this.fixed = feed.axes.map(() => 0);
    this.edges = feed.axes.map(cellEdges);
    this.rows = this.row === null ? 1 : feed.axes[this.row].starts.length;
    this.cols = feed.axes[this.col].starts.length;
  }

  cell(row, col) {
    const index = [...this.fixed];
    if (this.row !== null) index[this.row] = row;
    index[this.col] = col;
    return this.feed.cellAt(index);
  }

  // The fractions [left, top, right, bottom] that a cell, or the whole window, takes of the stage.
  rect(cell, whole) {
    const index = this.feed.indexOf(cell);
    const along = (axis) => {
      if (axis === null) return [0, 1];
      const { starts, ends, length } = this.feed.axes[axis];
      const [from, to] = whole ? [starts[index[axis]], ends[index[axis]]] : this.edges[axis][index[axis]];
      return [from / length, to / length];
    };
    const [left, right] = along(this.col);
    const [top, bottom] = along(this.row);
    return [left, top, right, bottom];
  }

  // The cell at a place of the stage, in fractions.
  hit(x, y) {
    const at = (axis, fraction) => nearestCell(this.feed.axes[axis], fraction * this.feed.axes[axis].length);
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

class Scale {
  constructor(ramp, limit) {
    this.ramp = ramp; // "rrggbb" from strongest against to strongest for
    this.limit = limit;
  }

  position(value) {
    return this.limit > 0 ? Math.max(-1, Math.min(1, value / this.limit)) : 0;
  }

  colour(value) {
    const middle = (this.ramp.length - 1) / 2;
    const steps = Math.round(middle * Math.abs(this.position(value))); // the same distance for both signs
    return "#" + this.ramp[value < 0 ? middle - steps : middle + steps];
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

// One rectangle a cell. `opacity` and `alpha` say how solid: the map is solid; over a picture, cells near zero are
// see-through.
function paintCells(canvas, view, values, scale, opacity, alpha) {
  const context = sharp(canvas);
  const { width, height } = canvas;
  for (let row = 0; row < view.rows; row++) {
    for (let col = 0; col < view.cols; col++) {
      const cell = view.cell(row, col);
      const [left, top, right, bottom] = view.rect(cell, false);
      const x = Math.round(left * width);
      const y = Math.round(top * height);
      const w = Math.round(right * width) - x;
      const h = Math.round(bottom * height) - y;
      const value = values[cell];
      if (Number.isNaN(value) && view.feed.isUncovered) continue;
      context.globalAlpha = opacity * (Number.isNaN(value) ? 1 : alpha(scale.position(value)));
      if (Number.isNaN(value)) {
        paintMissing(context, x, y, w, h);
      } else {
        context.fillStyle = scale.colour(value);
        context.fillRect(x, y, w, h);
      }
    }
  }
}

// A signal's map: one bar a window, up for evidence for the target and down for evidence against it.
function paintBars(canvas, view, values, scale, ink) {
  const context = sharp(canvas);
  const { width, height } = canvas;
  const middle = height / 2;
  for (let col = 0; col < view.cols; col++) {
    const cell = view.cell(0, col);
    const [left, , right] = view.rect(cell, false);
    const x = Math.round(left * width);
    const w = Math.max(1, Math.round(right * width) - x);
    const value = values[cell];
    if (Number.isNaN(value)) {
      paintMissing(context, x, 0, w, height);
    } else {
      const top = middle - scale.position(value) * (middle - 6);
      context.fillStyle = scale.colour(value);
      context.fillRect(x, Math.min(top, middle), w, Math.abs(top - middle));
      context.strokeStyle = ink;
      context.strokeRect(x + 0.5, Math.min(top, middle), Math.max(1, w - 1), Math.abs(top - middle));
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

function paintRamp(canvas, scale) {
  canvas.width = scale.ramp.length;
  canvas.height = 1;
  const context = canvas.getContext("2d");
  scale.ramp.forEach((colour, i) => {
    context.fillStyle = "#" + colour;
    context.fillRect(i, 0, 1, 1);
  });
}
