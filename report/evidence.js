// Where the evidence lies: the evidence of every place of the input, and how much of it is in a box.
// In: a Feed, a target, a box. Out: numbers by the definitions of `crates/occlude/src/judge.rs`: the evidence of a place is the mean over
// the computed windows that cover it; only positive evidence counts; places that no window covers are left out. No document here.

"use strict";

// The spatial axes of a feed: they make the places.
function spatialAxes(feed) {
  return feed.axes.filter((axis) => axis.role !== "channel");
}

// Why a feed cannot say where evidence lies; undefined where it can.
function whyNoPlaces(feed) {
  const { places } = feed.info;
  if (!places) return "This page was written by a version that did not yet say where the evidence lies.";
  return places.from === null ? places.why : undefined;
}

// The evidence per place, row-major over the spatial axes, NaN = not covered; or {why} where the feed cannot say. Kept until scores come.
function evidenceOfPlaces(feed, t) {
  const target = feed.targets[t];
  if (target.places?.version === feed.version) return target.places;
  const why = whyNoPlaces(feed);
  const how = feed.info.places;
  const made = why ? { why } : { values: how.from === "elements" ? fromElements(feed, target) : fromWindows(feed, t, how) };
  if (made.values?.some((value) => value === Infinity || value === -Infinity)) return { why: "The evidence is infinite somewhere, so no share of it can be said." };
  target.places = { version: feed.version, ...made };
  return target.places;
}

function fromElements(feed, target) {
  const all = new Float32Array(spatialAxes(feed).reduce((n, axis) => n * axis.length, 1)).fill(NaN);
  for (let cell = 0; cell < feed.cells; cell++) {
    const index = feed.indexOf(cell);
    all[feed.axes.reduce((at, axis, i) => at * axis.length + axis.starts[index[i]], 0)] = target.sensitivity[cell];
  }
  return all;
}

// Windows spread to the elements that they cover. Boxes are added at their corners and summed up along each axis; windows of another
// shape are added element by element, by how much of each is hidden.
function fromWindows(feed, t, how) {
  const grids = how.from === "cells" ? [feed.axes] : how.grids;
  const counts = grids.map((axes) => axes.reduce((n, axis) => n * axis.starts.length, 1));
  const values = how.from === "cells" ? feed.targets[t].sensitivity : numbers(how.sensitivity[t], Float32Array, counts.reduce((a, b) => a + b, 0));
  const weights = new Map(how.weights.map(({ sizes, values: base64 }) => [sizes.join(), numbers(base64, Float32Array, sizes.reduce((a, b) => a * b, 1))]));
  const lengths = grids[0].map((axis) => axis.length);
  const spread = new Spread(lengths);
  let first = 0;
  grids.forEach((axes, g) => {
    for (let window = 0; window < counts[g]; window++) {
      const value = values[first + window];
      if (Number.isNaN(value)) continue;
      let rest = window;
      const box = new Array(axes.length);
      for (let i = axes.length - 1; i >= 0; i--) {
        const at = rest % axes[i].starts.length;
        rest = Math.floor(rest / axes[i].starts.length);
        box[i] = [axes[i].starts[at], axes[i].ends[at]];
      }
      const sizes = box.filter((_, i) => axes[i].role !== "channel").map(([start, end]) => end - start);
      const shares = weights.get(sizes.join());
      if (weights.size > 0 && shares) spread.addShares(box, value, shares);
      else spread.add(box, value);
    }
    first += counts[g];
  });
  const all = spread.mean();
  const channels = grids[0][0].role === "channel" ? lengths[0] : 1;
  return channels > 1 ? meanOverChannels(all, channels) : all;
}

class Spread {
  constructor(lengths) {
    this.lengths = lengths;
    const count = lengths.reduce((n, length) => n * length, 1);
    this.sums = new Float64Array(count);
    this.counts = new Float64Array(count);
    // Boxes lie in an array of differences, one longer along each axis, until they are summed up.
    this.padded = lengths.map((length) => length + 1);
    this.corners = new Float64Array(this.padded.reduce((n, length) => n * length, 1));
    this.boxes = new Float64Array(this.corners.length);
  }

  add(box, value) {
    for (let corner = 0; corner < 1 << box.length; corner++) {
      let at = 0;
      let sign = 1;
      box.forEach(([start, end], axis) => {
        const isEnd = (corner >> axis) & 1;
        at = at * this.padded[axis] + (isEnd ? end : start);
        if (isEnd) sign = -sign;
      });
      this.corners[at] += sign * value;
      this.boxes[at] += sign;
    }
  }

  // `shares` are row-major over the last axes of the box; the axis before them, of channels, repeats them.
  addShares(box, value, shares) {
    const sizes = box.map(([start, end]) => end - start);
    const count = sizes.reduce((n, size) => n * size, 1);
    for (let place = 0; place < count; place++) {
      let [rest, at, stride] = [place, 0, 1];
      for (let axis = box.length - 1; axis >= 0; axis--) {
        at += (box[axis][0] + (rest % sizes[axis])) * stride;
        rest = Math.floor(rest / sizes[axis]);
        stride *= this.lengths[axis];
      }
      const share = shares[place % shares.length];
      this.sums[at] += value * share;
      this.counts[at] += share;
    }
  }

  mean() {
    let stride = 1;
    for (const length of [...this.padded].reverse()) {
      for (let at = stride; at < this.corners.length; at++) {
        if (Math.floor(at / stride) % length > 0) {
          this.corners[at] += this.corners[at - stride];
          this.boxes[at] += this.boxes[at - stride];
        }
      }
      stride *= length;
    }
    return Float32Array.from(this.sums, (sum, place) => {
      let [rest, at, step] = [place, 0, 1];
      for (let axis = this.lengths.length - 1; axis >= 0; axis--) {
        at += (rest % this.lengths[axis]) * step;
        rest = Math.floor(rest / this.lengths[axis]);
        step *= this.padded[axis];
      }
      const count = this.counts[place] + this.boxes[at];
      return count > 0 ? (sum + (this.boxes[at] > 0 ? this.corners[at] : 0)) / count : NaN;
    });
  }
}

function meanOverChannels(values, channels) {
  const places = values.length / channels;
  return Float32Array.from({ length: places }, (_, place) => {
    let [sum, count] = [0, 0];
    for (let at = place; at < values.length; at += places) if (!Number.isNaN(values[at])) [sum, count] = [sum + values[at], count + 1];
    return sum / count;
  });
}

// The elements whose middles lie in a box: one [first, last + 1) per axis; `box` is [start, end) per axis, in the source's unit where the
// axis has one.
function elementsIn(axes, box) {
  return axes.map(({ length, scale = 1, offset = 0 }, i) => {
    const isIn = (element) => offset + scale * (element + 0.5) >= box[i][0] && offset + scale * (element + 0.5) < box[i][1];
    let first = 0;
    while (first < length && !isIn(first)) first++;
    let end = first;
    while (end < length && isIn(end)) end++;
    return [first, end];
  });
}

// How the evidence is shared between the elements inside and those outside; null where a ratio has no value.
function shareInside(values, axes, inside) {
  const found = { covered: 0, objectPlaces: 0, objectCovered: 0, evidenceInside: 0, evidenceOutside: 0 };
  values.forEach((value, place) => {
    let rest = place;
    let isIn = true;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const at = rest % axes[axis].length;
      rest = Math.floor(rest / axes[axis].length);
      isIn &&= at >= inside[axis][0] && at < inside[axis][1];
    }
    if (isIn) found.objectPlaces += 1;
    if (Number.isNaN(value)) return;
    found.covered += 1;
    if (isIn) found.objectCovered += 1;
    found[isIn ? "evidenceInside" : "evidenceOutside"] += Math.max(0, value);
  });
  const { covered, objectCovered, evidenceInside, evidenceOutside } = found;
  const all = evidenceInside + evidenceOutside;
  return {
    ...found,
    places: values.length,
    areaShare: objectCovered / covered,
    evidenceShare: all > 0 ? evidenceInside / all : null,
    densityRatio: evidenceOutside > 0 && objectCovered > 0 ? evidenceInside / objectCovered / (evidenceOutside / (covered - objectCovered)) : null,
  };
}
