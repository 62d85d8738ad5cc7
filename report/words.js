// Numbers and places in words, one wording for all of the page.
// In: numbers, a Feed and one of its cells. Out: text. The same rules as in the PNG figure (`output/words.rs`).

"use strict";

// A number to read: four significant digits, a true minus sign, never "-0".
function show(value, digits = 4) {
  if (Number.isNaN(value)) return "not computed";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size === 0) return "0";
  const text = size >= 1e-3 && size < 1e5 ? trim(size, digits) : size.toExponential(digits - 2).replace("e-", "e−").replace("e+", "e");
  return value < 0 ? "−" + text : text;
}

function trim(size, digits) {
  const places = Math.max(0, Math.min(4, digits - 1 - Math.floor(Math.log10(size))));
  return size.toFixed(places);
}

function showSigned(value) {
  const text = show(value);
  return value > 0 ? "+" + text : text;
}

// A tick's number: as short as it can be.
function showTick(value) {
  const text = String(Number(Math.abs(value).toPrecision(6))).replace("e-", "e−");
  return value > 0 ? "+" + text : value < 0 ? "−" + text : "0";
}

// One window along an axis, from edge to edge: "24–40" covers the elements 24 to 39; channels go by number.
function range(axis, i) {
  if (axis.role !== "channel") return `${axis.starts[i]}–${axis.ends[i]}`;
  return axis.ends[i] - axis.starts[i] > 1 ? `${axis.starts[i]}–${axis.ends[i] - 1}` : String(axis.starts[i]);
}

// Where a window is, from edge to edge: "x 96–112, y 72–88 px" in the source picture, or in elements of the tensor.
function placeText(feed, cell, inSource) {
  const index = feed.indexOf(cell);
  const parts = feed.axes.map((axis, i) => {
    if (!inSource || axis.scale === undefined) return `${axis.name} ${range(axis, index[i])}`;
    const edge = (place) => showPlace(Math.round(axis.offset + axis.scale * place));
    return `${axis.name} ${edge(axis.starts[index[i]])}–${edge(axis.ends[index[i]])}`;
  });
  // x before y, as pictures are read; indices i, j, k in their own order.
  if (!feed.info.volume?.affine) parts.reverse();
  return parts.join(", ") + (inSource ? ` ${feed.info.source_unit}` : "");
}

// "x 14, y 12, z 10"
function voxelText(feed, voxel) {
  const parts = spatialAxes(feed).map(({ name }, i) => `${name} ${voxel[i]}`);
  if (!feed.info.volume?.affine) parts.reverse();
  return parts.join(", ");
}

function showPlace(place) {
  return place < 0 ? `−${-place}` : String(place);
}
