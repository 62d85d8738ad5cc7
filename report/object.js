// A box that the reader draws around the object: by dragging over picture, map or a volume's planes, or by numbers; and how much of the
// evidence is in it.
// In: a Page, drags, numbers. Out: the box on all figures, its shares in words. The arithmetic is in evidence.js.

"use strict";

class ObjectBox {
  constructor(page) {
    this.page = page;
    this.known = new WeakSet(); // the stages that are listened to
    this.listen();
  }

  // ---- what follows the feed ----------------------------------------------------------------------------------

  build() {
    const { feed } = this.page;
    this.axes = spatialAxes(feed);
    this.unit = feed.info.source_unit ?? (this.axes.length > 0 ? "elements" : "");
    // What numbers are rounded to: whole ones, unless the source has few.
    const extents = this.axes.map(({ length, scale = 1 }) => Math.abs(scale * length));
    this.step = feed.info.source_unit ? Math.min(1, 10 ** Math.floor(Math.log10(Math.min(...extents) / 100))) : 1;
    byId("box-fields").replaceChildren(
      ...this.axes.flatMap((axis, i) => {
        const [least, most] = this.ends(axis);
        return [0, 1].map((end) => {
          const field = element("input", { type: "number", id: `box-${i}-${end}`, step: String(this.step), min: show10(least), max: show10(most), inputMode: "decimal" });
          field.addEventListener("change", () => this.readFields());
          return element("label", {}, `${axis.name}${end} `, field);
        });
      }),
    );
    byId("box-unit").textContent = `in ${this.unit === "px" ? "pixels of the source picture" : this.unit === "elements" ? "elements of the input" : `${this.unit} of the source`}; ${this.axes.map(({ name }) => `${name}0 to ${name}1`).join(", ")}, ends not included`;
    const why = whyNoPlaces(feed);
    byId("object-can").hidden = why !== undefined;
    byId("object-why").hidden = why === undefined;
    byId("object-why").textContent = why ?? "";
    if (this.page.state.box) byId("object").open = true;
    byId("object-hint").textContent = this.page.planes.isOn
      ? "Press the button, then drag over a plane; a drag over another plane sets the box's ends along the third axis. Or give its edges as numbers."
      : "Drag over the picture or the map to draw the box; on a touch screen press the button first. Or give its edges as numbers.";
    for (const { stage } of this.page.planes.planes) if (!this.known.has(stage)) this.listenTo(stage);
  }

  // The figures that show the box: {stage, layer, view, and for a plane its normal axis}.
  get figures() {
    const { page } = this;
    const flat = ["picture", "map"].map((name) => ({ stage: byId(`${name}-stage`), layer: byId(`${name}-object`), view: page.view }));
    return [...flat, ...page.planes.planes.map(({ stage, object, view, normal }) => ({ stage, layer: object, view, normal }))];
  }

  viewOf(stage) {
    return this.figures.find((figure) => figure.stage === stage)?.view;
  }

  // Where an axis of the input begins and ends, in the unit of the numbers.
  ends({ length, scale = 1, offset = 0 }) {
    return [offset, offset + scale * length];
  }

  // The box of the state as [start, end) per spatial axis; null where there is none that fits.
  box() {
    const { box } = this.page.state;
    if (!box || box.length !== 2 * this.axes.length) return null;
    return this.axes.map((_, i) => [box[2 * i], box[2 * i + 1]]);
  }

  // ---- what follows the state ---------------------------------------------------------------------------------

  refresh() {
    const box = this.box();
    this.axes.forEach((_, i) => {
      for (const end of [0, 1]) {
        const field = byId(`box-${i}-${end}`);
        if (document.activeElement !== field || box) field.value = box ? String(box[i][end]) : "";
      }
    });
    byId("box-remove").hidden = !box;
    byId("draw").setAttribute("aria-pressed", String(this.page.isDrawing));
    for (const { stage } of this.figures) stage.classList.toggle("drawing", this.page.isDrawing);
    this.mark(this.drawn ?? box);
    this.judge(box);
  }

  // The crosshair of a volume has moved: its planes cut the box elsewhere.
  point() {
    if (this.page.planes.isOn) this.mark(this.drawn ?? this.box());
  }

  // The frame on every figure; of the axes that are not seen, on every slice, but for planes only where they cut the box.
  mark(box) {
    const { planes, feed } = this.page;
    for (const { layer, view, normal } of this.figures) {
      layer.replaceChildren();
      if (!box) continue;
      const ends = (gridAxis) => {
        const axis = feed.axes[gridAxis];
        return box[this.axes.indexOf(axis)].map((value) => Math.max(0, Math.min(1, (value - (axis.offset ?? 0)) / (axis.scale ?? 1) / axis.length)));
      };
      if (normal !== undefined) {
        const middle = (planes.voxel[this.axes.indexOf(feed.axes[normal])] + 0.5) / feed.axes[normal].length;
        const [from, to] = ends(normal).sort((a, b) => a - b);
        if (!(from <= middle && middle < to)) continue;
      }
      const along = (gridAxis) => (gridAxis === null ? [0, 1] : view.span(gridAxis, ...ends(gridAxis).sort((a, b) => a - b)));
      const [left, right] = along(view.col);
      const [top, bottom] = along(view.row);
      layer.append(putAt(element("div", { className: "object-box" }), [left, top, right, bottom]));
    }
  }

  judge(box) {
    const { feed, state: chosen, target } = this.page;
    const said = byId("object-said");
    // Spreading windows over places takes time, so it waits for a box.
    const { values, why } = box ? evidenceOfPlaces(feed, chosen.target) : { why: "No box yet." };
    byId("object-result").hidden = true;
    if (why) {
      said.textContent = why;
      return;
    }
    const found = shareInside(values, this.axes, elementsIn(this.axes, box));
    if (found.objectPlaces === 0) {
      said.textContent = "The box holds no middle of an element of the input.";
      return;
    }
    if (found.objectCovered === 0) {
      said.textContent = "No computed window covers the box: its places are without evidence.";
      return;
    }
    byId("object-result").hidden = false;
    const percent = (value) => (value === null ? "no value" : `${show(100 * value, 3)} %`);
    if (found.evidenceShare === null) said.textContent = `Nothing is evidence for ${target.label} anywhere, so its share in the box has no value.`;
    else {
      said.textContent = `The box holds ${percent(found.evidenceShare)} of the evidence for ${target.label}, on ${percent(found.areaShare)} of the area.`;
      if (found.densityRatio !== null) said.textContent += ` The evidence is ${show(found.densityRatio, 3)} times as dense inside as outside.`;
      else if (found.evidenceOutside === 0) said.textContent += " No evidence lies outside, so the ratio of densities has no value.";
    }
    const row = (name, value, text) => {
      const dd = element("dd", {}, value === null ? text : element("data", { value: String(value), textContent: text }));
      return element("div", {}, element("dt", { textContent: name }), dd);
    };
    byId("object-result").replaceChildren(
      row("share of the positive evidence", found.evidenceShare, percent(found.evidenceShare)),
      row("share of the area", found.areaShare, percent(found.areaShare)),
      row("density inside over outside", found.densityRatio, found.densityRatio === null ? "no value" : show(found.densityRatio, 3)),
      row("elements in the box", found.objectPlaces, String(found.objectPlaces)),
    );
    if (found.covered < found.places) {
      const missing = found.places - found.covered;
      byId("object-result").append(row("left out, as no computed window covers them", missing, `${missing} of ${found.places} elements, ${found.objectPlaces - found.objectCovered} of them in the box`));
    }
  }

  // ---- what the reader does -----------------------------------------------------------------------------------

  listen() {
    const { page } = this;
    byId("draw").addEventListener("click", () => {
      page.isDrawing = !page.isDrawing;
      this.refresh();
    });
    byId("box-remove").addEventListener("click", () => {
      page.set({ box: null });
      byId("draw").focus();
    });
    byId("object").addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !page.isDrawing) return;
      event.preventDefault();
      page.isDrawing = false;
      this.refresh();
    });
    for (const stage of [byId("picture-stage"), byId("map-stage")]) this.listenTo(stage);
  }

  // A drag draws: with a mouse at any time, by touch once it was asked for, as otherwise touch scrolls. On planes drags move the crosshair
  // unless it was asked for.
  listenTo(stage) {
    const { page } = this;
    this.known.add(stage);
    let from = null;
    stage.addEventListener("pointerdown", (event) => {
      const isMeant = page.isDrawing || (event.pointerType === "mouse" && !stage.closest("#planes"));
      if (event.button !== 0 || !isMeant || (page.hand && stage.id === "picture-stage") || byId("object-can").hidden) return;
      from = { x: event.clientX, y: event.clientY, at: fractionOf(stage, event) };
    });
    stage.addEventListener("pointermove", (event) => {
      if (!from) return;
      if (!page.isDragging) {
        if (Math.hypot(event.clientX - from.x, event.clientY - from.y) < 6) return;
        stage.setPointerCapture(event.pointerId);
        page.isDragging = true;
        page.hover(null);
      }
      this.drawn = this.between(this.viewOf(stage), from.at, fractionOf(stage, event));
      this.mark(this.drawn);
    });
    const end = () => {
      if (!from) return;
      from = null;
      if (!page.isDragging) return;
      page.endDrag();
      const box = this.drawn;
      this.drawn = null;
      page.isDrawing = false;
      byId("object").open = true;
      if (box && box.every(([start, end]) => end > start)) page.set({ box: box.flat() });
      else this.refresh();
    };
    stage.addEventListener("pointerup", end);
    stage.addEventListener("pointercancel", () => {
      from = null;
      this.drawn = null;
      page.endDrag();
      this.refresh();
    });
  }

  // The box between two places of a stage; of axes that are not seen all, or on a volume's planes what the box before had.
  between(view, [x0, y0], [x1, y1]) {
    const { feed, planes } = this.page;
    const before = planes.isOn ? this.box() : null;
    return this.axes.map((axis, i) => {
      const ends = this.ends(axis);
      const gridAxis = feed.axes.indexOf(axis);
      if (gridAxis !== view.col && gridAxis !== view.row) return before?.[i] ?? ends;
      const place = (fraction) => this.round(ends[0] + (ends[1] - ends[0]) * view.along(gridAxis, Math.max(0, Math.min(1, fraction))));
      return (gridAxis === view.col ? [x0, x1] : [y0, y1]).map(place).sort((a, b) => a - b);
    });
  }

  round(value) {
    return Number((Math.round(value / this.step) * this.step).toPrecision(10));
  }

  // A box by numbers, once all are there.
  readFields() {
    const numbers = this.axes.flatMap((_, i) => [0, 1].map((end) => byId(`box-${i}-${end}`).value));
    if (numbers.includes("")) return;
    const box = numbers.map(Number);
    const empty = this.axes.find((_, i) => !(box[2 * i + 1] > box[2 * i]));
    if (empty) {
      byId("object-said").textContent = `The box is empty: ${empty.name}1 has to be greater than ${empty.name}0.`;
      byId("object-result").hidden = true;
      return;
    }
    this.page.set({ box });
  }
}

// A bound of a field: a number as HTML takes it, without the digits of rounding.
function show10(value) {
  return String(Number(value.toPrecision(10)));
}
