// The three planes of a volume, linked by a crosshair: axial, coronal, sagittal, or across each axis where directions are not known.
// In: a Page whose feed has three spatial axes; pointer, wheel, keys, sliders. Out: the planes with grey values, map, marks and letters; the
// voxel at the crosshair, which is part of the state. Until the reader moves it, it is in the strongest window. How planes lie and what a
// voxel holds is in volume.js, the look of cells in looks.js.

"use strict";

// Turns of a wheel in pixels that make one slice.
const WHEEL = 40;

class Planes {
  constructor(page) {
    this.page = page;
    this.planes = []; // [{title, normal, edges, view, ...elements}]
    this.grey = null;
    this.look = null;
    this.moveSoon = oncePerFrame(() => this.follow());
    byId("planes-opacity").addEventListener("input", () => page.set({ opacity: Number(byId("planes-opacity").value) }));
    for (const radio of document.querySelectorAll("#convention input")) radio.addEventListener("change", () => page.set({ convention: radio.value }));
  }

  get isOn() {
    return isVolume(this.page.feed);
  }

  // The voxel at the crosshair, an index per spatial axis.
  get voxel() {
    const { state, feed } = this.page;
    if (state.voxel) return state.voxel;
    const strongest = this.page.strongest();
    return strongest === undefined ? spatialAxes(feed).map(({ length }) => Math.floor(length / 2)) : this.middleOf(strongest);
  }

  // The cell at the crosshair, or the one nearest to it; null for what is no volume.
  get cell() {
    if (!this.isOn) return null;
    const { feed, view } = this.page;
    const { voxel } = this;
    const spatial = spatialAxes(feed);
    return feed.cellAt(feed.axes.map((axis, i) => (axis.role === "channel" ? view.fixed[i] : nearestCell(axis, voxel[spatial.indexOf(axis)] + 0.5))));
  }

  middleOf(cell) {
    const { feed } = this.page;
    const index = feed.indexOf(cell);
    return feed.axes.flatMap(({ role, starts, ends }, i) => (role === "channel" ? [] : [Math.floor((starts[index[i]] + ends[index[i]] - 1) / 2)]));
  }

  // ---- what follows the feed ----------------------------------------------------------------------------------

  build() {
    const { feed } = this.page;
    byId("planes").hidden = !this.isOn;
    this.planes = [];
    this.grey = null;
    if (!this.isOn) return;
    const { volume } = feed.info;
    byId("planes-note").textContent = volume?.note ?? "";
    byId("convention").hidden = !volume?.codes;
    byId("planes-opacity-control").hidden = !volume?.slices;
    const three = planesOf(feed, this.page.state.convention);
    this.planes = three.map((_, i) => this.figure(i));
    byId("planes-three").replaceChildren(...this.planes.map(({ figure }) => figure));
    this.lay();
    const mine = this.planes;
    greyOf(volume).then((grey) => {
      if (this.planes !== mine) return; // another feed has come
      this.grey = grey;
      this.page.refreshSoon();
    });
  }

  figure(i) {
    const plane = { grey: element("canvas", { ariaHidden: "true" }), map: element("canvas", { id: `plane-${i}`, ariaHidden: "true" }) };
    const hidden = (className) => element("div", { className, ariaHidden: "true" });
    plane.letters = ["left", "right", "top", "bottom"].map((edge) => element("span", { className: `letter ${edge}`, ariaHidden: "true" }));
    plane.lines = [hidden("cross upright"), hidden("cross level")];
    plane.marks = hidden("marks");
    plane.object = hidden("object-layer");
    plane.stage = element("div", { id: `plane-stage-${i}`, className: "stage", tabIndex: 0 }, plane.grey, plane.map, plane.object, plane.marks, ...plane.lines, ...plane.letters);
    plane.stage.setAttribute("role", "application");
    plane.stage.setAttribute("aria-roledescription", "plane of the volume");
    plane.stage.setAttribute("aria-describedby", "planes-help");
    plane.name = element("b");
    plane.where = element("output");
    plane.slider = element("input", { type: "range", min: "0", step: "1", id: `plane-slice-${i}` });
    plane.figure = element("figure", { className: "plane" }, element("figcaption", {}, plane.name, " ", plane.where), plane.stage, element("div", { className: "control" }, plane.slider));
    this.listen(plane);
    return plane;
  }

  // The planes as the convention has them: their axes, titles and letters.
  lay() {
    const { feed, state } = this.page;
    this.convention = state.convention;
    planesOf(feed, state.convention).forEach((laid, i) => {
      const plane = Object.assign(this.planes[i], laid, { view: new View(feed, laid) });
      const { view, stage, slider, name, letters, edges, title } = plane;
      stage.style.aspectRatio = String(view.aspect);
      name.textContent = title;
      slider.max = String(feed.axes[plane.normal].length - 1);
      slider.setAttribute("aria-label", `${title}: slice`);
      for (const letter of letters) letter.textContent = edges ? edges[letter.className.split(" ")[1]] : "";
    });
    // One scale for all three: the columns are as wide as the planes.
    const extents = this.planes.map(({ view, col, spacing }) => ({ width: feed.axes[col].length * spacing[col], aspect: view.aspect }));
    const tallest = Math.max(...extents.map(({ width, aspect }) => width / aspect));
    const all = extents.reduce((sum, { width }) => sum + width, 0);
    byId("planes-three").style.setProperty("--columns", extents.map(({ width }) => `minmax(0, ${width}fr)`).join(" "));
    byId("planes-three").style.setProperty("--widest", `calc(max(280px, 56vh) * ${all / tallest} + 40px)`);
  }

  // ---- what follows the state ---------------------------------------------------------------------------------

  refresh() {
    if (!this.isOn) return;
    const { feed, state: chosen, limit } = this.page;
    if (this.convention !== chosen.convention) this.lay();
    for (const radio of document.querySelectorAll("#convention input")) radio.checked = radio.value === chosen.convention;
    byId("planes-opacity").value = String(chosen.opacity);
    byId("planes-opacity-value").textContent = `${chosen.opacity} %`;
    this.look = lookOf(chosen.view, feed, chosen.target, chosen, limit);
    this.paint();
  }

  // What follows the crosshair, on all of the page.
  follow() {
    if (!this.isOn) return;
    this.paint();
    this.page.second.follow();
    this.page.point();
  }

  // The slices at the crosshair.
  paint() {
    const { page } = this;
    const { feed, view } = page;
    const { voxel } = this;
    view.goTo(this.cell);
    const index = feed.indexOf(this.cell);
    const spatial = spatialAxes(feed);
    for (const plane of this.planes) {
      plane.view.fixed = [...index];
      const at = voxel[spatial.indexOf(feed.axes[plane.normal])];
      plane.slider.value = String(at);
      plane.where.textContent = this.sliceText(plane, at, voxel);
      plane.slider.setAttribute("aria-valuetext", plane.where.textContent);
      plane.stage.setAttribute("aria-label", this.label(plane));
      const { volume } = feed.info;
      plane.grey.hidden = !this.grey;
      if (this.grey) paintSlice(plane.grey, plane.view, volume, this.grey, voxel);
      paintCells(plane.map, plane.view, this.grey ? this.look.over : this.look.look, this.grey ? page.state.opacity / 100 : 1);
    }
  }

  sliceText(plane, at, voxel) {
    const axis = this.page.feed.axes[plane.normal];
    const mm = millimetres(this.page.feed, voxel);
    const along = { Axial: 2, Coronal: 1, Sagittal: 0 }[plane.title];
    const where = mm ? ` · ${directionText(mm).split(", ")[along].replace(" ", " mm ")}` : "";
    return `${axis.name} ${at} of ${axis.length}${where}`;
  }

  label({ title, edges, where }) {
    const said = edges ? `, ${DIRECTIONS[edges.left]} is on the left of the screen, ${DIRECTIONS[edges.top]} at the top` : "";
    return `${title}, ${where.textContent}${said}`;
  }

  // The crosshair, and the windows that are read out, where the planes cut them.
  point() {
    const { page } = this;
    const { feed } = page;
    const { voxel } = this;
    const spatial = spatialAxes(feed);
    const at = (axis) => voxel[spatial.indexOf(feed.axes[axis])];
    for (const { view, normal, lines, marks } of this.planes) {
      const middle = (axis) => view.along(axis, (at(axis) + 0.5) / feed.axes[axis].length);
      lines[0].style.left = `${100 * middle(view.col)}%`;
      lines[1].style.top = `${100 * middle(view.row)}%`;
      const cut = page.shown.filter(({ cell }) => {
        const i = feed.indexOf(cell)[normal];
        return feed.axes[normal].starts[i] <= at(normal) && at(normal) < feed.axes[normal].ends[i];
      });
      marks.replaceChildren(...cut.map(({ cell, kind }) => markOf(view, cell, kind, true)));
    }
  }

  // What is known of the voxel at the crosshair, as names and texts.
  facts() {
    const { feed, state: chosen, target, view } = this.page;
    const { voxel } = this;
    const facts = [["Voxel at the crosshair", voxelText(feed, voxel)]];
    const mm = millimetres(feed, voxel);
    if (mm) facts.push(["millimetres (RAS)", `${mm.map(millimetreText).join(", ")}: ${directionText(mm)}`]);
    if (this.grey) facts.push(["grey value, about", show(greyValueAt(feed.info.volume, this.grey, voxel), 3)]);
    const channel = feed.axes.findIndex((axis) => axis.role === "channel");
    const { count, mean, least, most } = evidenceAt(feed, chosen.target, voxel, channel < 0 ? 0 : view.fixed[channel]);
    if (!feed.hasScores) facts.push(["value of the map", count === 0 ? "none" : showSigned(mean)]);
    else if (count === 0) facts.push(["windows that cover it", "none computed; the nearest one is told"]);
    else if (count === 1) facts.push(["windows that cover it", `one, difference ${showSigned(mean)} ${target.unit}`]);
    else facts.push(["windows that cover it", `${count}, mean difference ${showSigned(mean)} ${target.unit}, from ${showSigned(least)} to ${showSigned(most)}`]);
    return facts;
  }

  // ---- what the reader does -----------------------------------------------------------------------------------

  // Moves the crosshair, to the nearest voxel that there is.
  moveTo(voxel) {
    const { feed } = this.page;
    const inside = spatialAxes(feed).map(({ length }, i) => Math.max(0, Math.min(length - 1, Math.round(voxel[i]))));
    if (inside.join() === this.page.state.voxel?.join()) return;
    this.page.state.voxel = inside;
    state.save(); // only what hangs on the crosshair is done again, not all that a change of the state is told to
    this.moveSoon();
  }

  // Moves it by so many voxels along an axis of the feed.
  step(axis, by) {
    const voxel = [...this.voxel];
    voxel[spatialAxes(this.page.feed).indexOf(this.page.feed.axes[axis])] += by;
    this.moveTo(voxel);
  }

  listen(plane) {
    const { page } = this;
    const { stage, slider } = plane;
    const follow = (event) => {
      const { view } = plane;
      const voxel = [...this.voxel];
      const spatial = spatialAxes(page.feed);
      const [x, y] = fractionOf(stage, event);
      for (const [axis, fraction] of [[view.col, x], [view.row, y]]) {
        const { length } = page.feed.axes[axis];
        voxel[spatial.indexOf(page.feed.axes[axis])] = Math.floor(view.along(axis, fraction) * length);
      }
      this.moveTo(voxel);
    };
    stage.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || page.isDrawing) return;
      stage.setPointerCapture(event.pointerId);
      follow(event);
    });
    stage.addEventListener("pointermove", (event) => stage.hasPointerCapture(event.pointerId) && !page.isDrawing && follow(event));
    let turned = 0;
    stage.addEventListener(
      "wheel",
      (event) => {
        if (event.ctrlKey || event.metaKey) return; // the browser's own zoom
        event.preventDefault();
        if (Math.sign(event.deltaY) !== Math.sign(turned)) turned = 0;
        turned += event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : Math.sign(event.deltaY) * WHEEL;
        const slices = Math.trunc(turned / WHEEL);
        if (slices === 0) return;
        turned -= slices * WHEEL;
        this.step(plane.normal, -Math.sign(slices) * Math.min(3, Math.abs(slices)));
      },
      { passive: false },
    );
    stage.addEventListener("keydown", (event) => this.key(event, plane));
    slider.addEventListener("input", () => {
      const voxel = [...this.voxel];
      voxel[spatialAxes(page.feed).indexOf(page.feed.axes[plane.normal])] = Number(slider.value);
      this.moveTo(voxel);
    });
  }

  key(event, { view, normal }) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { page } = this;
    const { length } = page.feed.axes[normal];
    const by = event.shiftKey ? 10 : 1;
    const onScreen = (axis, sign) => () => this.step(axis, (view.back.has(axis) ? -sign : sign) * by);
    const does = {
      ArrowLeft: onScreen(view.col, -1),
      ArrowRight: onScreen(view.col, 1),
      ArrowUp: onScreen(view.row, -1),
      ArrowDown: onScreen(view.row, 1),
      PageUp: () => this.step(normal, by),
      PageDown: () => this.step(normal, -by),
      Home: () => this.step(normal, -length),
      End: () => this.step(normal, length),
      Enter: () => page.pin(page.state.pinned === this.cell ? null : this.cell),
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
    page.readout.say(this.cell, `${this.facts().map((fact) => fact.join(" ")).join("; ")}. `);
  }
}
