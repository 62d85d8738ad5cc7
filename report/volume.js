// A volume and its planes: which axes each plane shows and which way they run, what stands at its edges, places in millimetres, grey values.
// In: a Feed with three spatial axes and what it says of the volume (`volume`: grey values, affine from voxels to RAS millimetres, the
// directions in which its axes run). Out: planes for draw.js, numbers, bytes. What is drawn of it, and what pointer and keys do, is in planes.js.

"use strict";

function isVolume(feed) {
  return spatialAxes(feed).length === 3;
}

// The three planes of a volume: {title, col, row, normal: axes of the feed, isColBack, isRowBack: whether an axis runs from right to left or
// from bottom to top, spacing: per axis of the feed, edges: letters at left, right, top and bottom, or null}. Where it is known which way the
// axes run, they are laid by the patient: anterior or superior up, in sagittal planes anterior to the left, and in the others the patient's
// right to the left or to the right, by convention. Else every axis runs as its indices do.
function planesOf(feed, convention) {
  const { codes = null, spacing = null } = feed.info.volume ?? {};
  const spatial = spatialAxes(feed).map((axis) => feed.axes.indexOf(axis));
  const sizes = feed.axes.map((_, i) => spacing?.[spatial.indexOf(i)] ?? 1);
  if (!codes) {
    const [z, y, x] = spatial;
    return [[x, y, z], [x, z, y], [y, z, x]].map(([col, row, normal]) => ({
      title: `Across ${feed.axes[normal].name}`, col, row, normal, isColBack: false, isRowBack: false, spacing: sizes, edges: null,
    }));
  }
  const along = (pair) => spatial[codes.findIndex((code) => pair.includes(code))];
  const [rightLeft, frontBack, upDown] = ["RL", "AP", "SI"].map(along);
  const sides = convention === "neurological" ? ["L", "R"] : ["R", "L"];
  const plane = (title, col, row, normal, [left, right], [top, bottom]) => ({
    title, col, row, normal, spacing: sizes,
    isColBack: codes[spatial.indexOf(col)] !== right,
    isRowBack: codes[spatial.indexOf(row)] !== bottom,
    edges: { left, right, top, bottom },
  });
  return [
    plane("Axial", rightLeft, frontBack, upDown, sides, ["A", "P"]),
    plane("Coronal", rightLeft, upDown, frontBack, sides, ["S", "I"]),
    plane("Sagittal", frontBack, upDown, rightLeft, ["A", "P"], ["S", "I"]),
  ];
}

const DIRECTIONS = { R: "right", L: "left", A: "anterior", P: "posterior", S: "superior", I: "inferior" };

// Where the middle of a voxel is in millimetres, [right, anterior, superior]; null where that is not known.
function millimetres(feed, voxel) {
  const affine = feed.info.volume?.affine;
  if (!affine) return null;
  return affine.map((row) => row[0] * voxel[0] + row[1] * voxel[1] + row[2] * voxel[2] + row[3]);
}

// "12.0 left, 3.5 anterior, 40.0 superior"
function directionText(mm) {
  return mm.map((value, i) => `${Math.abs(value).toFixed(1)} ${DIRECTIONS["RAS LPI"[value < -0.05 ? i + 4 : i]]}`).join(", ");
}

function millimetreText(value) {
  const text = Math.abs(value).toFixed(1);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

// What the map says of a voxel: how many computed windows cover it, and the mean, least and greatest of their sensitivities. Of windows that
// hide one channel, those of `channel`, the index along that axis of the grid.
function evidenceAt(feed, t, voxel, channel = 0) {
  const spatial = spatialAxes(feed);
  const covering = feed.axes.map((axis) => {
    if (axis.role === "channel") return [channel];
    const place = voxel[spatial.indexOf(axis)];
    return [...axis.starts.keys()].filter((i) => axis.starts[i] <= place && place < axis.ends[i]);
  });
  const cells = covering.reduce((all, indices, axis) => all.flatMap((cell) => indices.map((i) => cell * feed.axes[axis].starts.length + i)), [0]);
  const values = cells.map((cell) => feed.targets[t].sensitivity[cell]).filter((value) => !Number.isNaN(value));
  return {
    count: values.length,
    mean: values.reduce((sum, value) => sum + value, 0) / values.length,
    least: Math.min(...values),
    most: Math.max(...values),
  };
}

// The grey values of a volume, row-major over its shown voxels; null where none were sent. They come as one picture of all slices along the
// first axis, `columns` of them in a row.
async function greyOf(volume) {
  if (!volume?.slices) return null;
  const [slices, rows, cols] = volume.size;
  const { url, columns } = volume.slices;
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = element("canvas", { width: image.width, height: image.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, image.width, image.height);
  const grey = new Uint8Array(slices * rows * cols);
  let at = 0;
  for (let slice = 0; slice < slices; slice++) {
    const left = (slice % columns) * cols;
    const top = Math.floor(slice / columns) * rows;
    for (let row = 0; row < rows; row++) {
      let from = 4 * ((top + row) * image.width + left);
      for (let col = 0; col < cols; col++, from += 4) grey[at++] = data[from];
    }
  }
  return grey;
}

// The value that a voxel's grey stands for, of the shown voxel that holds it.
function greyValueAt({ size, every, black, white }, grey, voxel) {
  const [slice, row, col] = voxel.map((place, i) => Math.floor(place / every[i]));
  return black + ((white - black) * grey[(slice * size[1] + row) * size[2] + col]) / 255;
}

// One slice in grey, on a canvas: the whole stage of a view, whose axes may run backwards.
function paintSlice(canvas, view, volume, grey, voxel) {
  const context = sharp(canvas);
  const spatial = spatialAxes(view.feed);
  const place = (axis) => spatial.indexOf(view.feed.axes[axis]);
  const [col, row] = [place(view.col), place(view.row)];
  const normal = [0, 1, 2].find((axis) => axis !== col && axis !== row);
  const { size, every } = volume;
  const steps = [size[1] * size[2], size[2], 1];
  const first = Math.floor(voxel[normal] / every[normal]) * steps[normal];
  const [width, height] = [size[col], size[row]];
  const image = new ImageData(width, height);
  const isBack = [view.back.has(view.col), view.back.has(view.row)];
  let at = 0;
  for (let y = 0; y < height; y++) {
    const from = first + (isBack[1] ? height - 1 - y : y) * steps[row];
    for (let x = 0; x < width; x++, at += 4) {
      const value = grey[from + (isBack[0] ? width - 1 - x : x) * steps[col]];
      image.data[at] = image.data[at + 1] = image.data[at + 2] = value;
      image.data[at + 3] = 255;
    }
  }
  const small = element("canvas", { width, height });
  small.getContext("2d").putImageData(image, 0, 0);
  // Where the length is no multiple of what a shown voxel stands for, the last one reaches beyond the end.
  const along = (axis, extent, isBackwards) => {
    const whole = (extent * size[axis] * every[axis]) / spatial[axis].length;
    return [isBackwards ? extent - whole : 0, whole];
  };
  const [left, w] = along(col, canvas.width, isBack[0]);
  const [top, h] = along(row, canvas.height, isBack[1]);
  context.imageSmoothingQuality = "high";
  context.drawImage(small, left, top, w, h);
}
