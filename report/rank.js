// How alike two maps are: their numbers in pairs, and Spearman's rank correlation over them.
// In: two Feeds, each with a target. Out: pairs, or why there are none; a number from -1 to 1. No document here.

"use strict";

// For every cell of `first` the cell of `second` at its middle, -1 where that lies beyond; or {why} where places cannot be told apart.
// Places are compared in elements where both inputs have as many, else in the source.
function cellsBeside(first, second) {
  if (first.hasCellsOf(second)) return { cells: Array.from({ length: first.cells }, (_, cell) => cell), isSame: true };
  const names = (feed) => feed.axes.map((axis) => axis.name).join();
  if (names(first) !== names(second)) return { why: `The maps have different axes (${names(first)} and ${names(second)}), so they are not compared window by window.` };
  const inElements = first.axes.every((axis, i) => axis.length === second.axes[i].length);
  const inSource = first.axes.every((axis, i) => axis.role === "channel" || (axis.scale !== undefined && second.axes[i].scale !== undefined));
  if (!inElements && !inSource) return { why: "The maps are of inputs of different sizes, without a source in common, so they are not compared window by window." };
  const along = first.axes.map((axis, i) => {
    const other = second.axes[i];
    return axis.starts.map((start, at) => {
      let middle = (start + axis.ends[at]) / 2;
      if (!inElements && axis.role !== "channel") middle = (axis.offset + axis.scale * middle - other.offset) / other.scale;
      return middle < 0 || middle > other.length ? -1 : nearestCell(other, middle);
    });
  });
  const beside = (cell) => {
    const index = first.indexOf(cell).map((at, axis) => along[axis][at]);
    return index.includes(-1) ? -1 : second.cellAt(index);
  };
  return { cells: Array.from({ length: first.cells }, (_, cell) => beside(cell)), isSame: false };
}

// Ranks from 1; equal numbers get the mean of the ranks that they take up.
function meanRanks(values) {
  const order = [...values.keys()].sort((a, b) => values[a] - values[b]);
  const ranks = new Float64Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (to < order.length && values[order[to]] === values[order[from]]) to++;
    for (let i = from; i < to; i++) ranks[order[i]] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}

// Spearman's rank correlation: Pearson's of the ranks; null where one side has no order.
function spearman(a, b) {
  const [ranksA, ranksB] = [meanRanks(a), meanRanks(b)];
  const middle = (a.length + 1) / 2;
  let [both, ofA, ofB] = [0, 0, 0];
  ranksA.forEach((rank, i) => {
    const [x, y] = [rank - middle, ranksB[i] - middle];
    both += x * y;
    ofA += x * x;
    ofB += y * y;
  });
  return ofA > 0 && ofB > 0 ? both / Math.sqrt(ofA * ofB) : null;
}

// The correlation of two maps over the cells that both have computed.
function likeness(first, t, second, u, beside) {
  const [a, b] = [[], []];
  beside.cells.forEach((other, cell) => {
    const [x, y] = [first.targets[t].sensitivity[cell], other < 0 ? NaN : second.targets[u].sensitivity[other]];
    if (Number.isNaN(x) || Number.isNaN(y)) return;
    a.push(x);
    b.push(y);
  });
  return { count: a.length, value: a.length > 1 ? spearman(a, b) : null };
}
