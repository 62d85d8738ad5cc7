// The figures, picture and map: what is painted on them by the reader's choice of view, opacity, divider and thresholds, and what pointer
// and keys do on them.
// In: a Page (its feed, view and state). Out: the figures of the document. A map by itself is in map_figure.js, how cells become
// pixels in draw.js, the second map in second.js.

"use strict";

class Figures {
  constructor(page) {
    this.page = page;
    this.map = new MapFigure(byId("map-stage"), byId("bar"));
    this.listen();
  }

  // ---- what follows the feed ----------------------------------------------------------------------------------

  build() {
    const { page } = this;
    const { feed, view } = page;
    const { picture, map_caption: mapCaption } = feed.info;
    const { aspect, isLine } = this.map.build(view);
    const isWide = isLine || aspect > 2.5;
    // The map of a volume is on its planes; here are its bar and thresholds.
    const isPlanes = isVolume(feed);
    for (const part of [document.querySelector("#map-figure .around"), byId("map-help")]) part.hidden = isPlanes;
    if (isPlanes) byId("map-figure").style.maxWidth = "";
    byId("picture-figure").hidden = !picture;
    byId("figures").classList.toggle("alone", !picture);
    byId("figures").classList.toggle("line", isWide && !isPlanes);
    byId("map-caption").textContent = mapCaption;
    if (picture) {
      byId("picture-stage").style.aspectRatio = aspect ?? "20 / 1";
      byId("picture-figure").style.maxWidth = byId("map-figure").style.maxWidth;
      byId("picture-caption").textContent = picture.caption;
      byId("picture").alt = picture.alt;
      for (const image of [byId("picture"), byId("picture-grey")]) {
        if (image.src !== picture.url) image.src = picture.url;
        image.classList.toggle("small", picture.width < 160 || isLine);
      }
    }
    this.buildSlices();
  }

  // The axes of the grid that a slider goes along: those that no figure shows.
  get sliced() {
    const { feed, view } = this.page;
    return view.others.filter((axis) => !isVolume(feed) || feed.axes[axis].role === "channel");
  }

  buildSlices() {
    const { page } = this;
    byId("slices").replaceChildren(
      ...this.sliced.map((axis) => {
        const { name, starts } = page.feed.axes[axis];
        const slider = element("input", { type: "range", min: "0", max: String(starts.length - 1), step: "1", id: `slice-${axis}` });
        slider.addEventListener("input", () => {
          page.view.fixed[axis] = Number(slider.value);
          page.hovered = null;
          page.refresh();
        });
        const label = element("label", { htmlFor: slider.id, textContent: name });
        return element("div", { className: "control" }, label, slider, element("output", { id: `slice-value-${axis}` }));
      }),
    );
  }

  // ---- what follows the state ---------------------------------------------------------------------------------

  refresh() {
    const { feed, view, target, state: chosen } = this.page;
    this.sayViews();
    byId("opacity").value = String(chosen.opacity);
    byId("opacity-value").textContent = `${chosen.opacity} %`;
    byId("divider").value = String(chosen.divider);
    byId("divider-value").textContent = chosen.divider === 0 ? "off" : `${chosen.divider} %`;
    byId("shared-scale").checked = chosen.shared;
    byId("scale-choice").hidden = !this.page.couldShare || chosen.view !== "evidence";
    for (const axis of this.sliced) {
      const at = view.fixed[axis];
      byId(`slice-${axis}`).value = String(at);
      byId(`slice-value-${axis}`).textContent = range(feed.axes[axis], at);
    }
    const seen = LOOKS.find(({ name }) => name === chosen.view).label(target);
    byId("map-stage").setAttribute("aria-label", `Map for ${target.label}, ${seen}: ${view.rows} rows of ${view.cols} ${feed.cell}s`);
    this.paint();
  }

  // The choice of views, of those that the feed can fill.
  sayViews() {
    const { page } = this;
    const { feed, target, state: chosen } = page;
    const views = LOOKS.filter(({ has }) => has(feed));
    const box = byId("views");
    box.hidden = views.length < 2;
    const key = views.map(({ name, label }) => name + label(target)).join();
    if (box.dataset.key !== key) {
      box.dataset.key = key;
      box.replaceChildren(
        ...views.map(({ name, label }) => {
          const radio = element("input", { type: "radio", name: "view", value: name });
          radio.addEventListener("change", () => page.set({ view: name }));
          return element("label", {}, radio, label(target));
        }),
      );
    }
    for (const radio of box.querySelectorAll("input")) radio.checked = radio.value === chosen.view;
    byId("sign").hidden = chosen.view !== "evidence";
    const signs = feed.info.stability?.[chosen.target];
    byId("stripes").hidden = !signs || chosen.view !== "evidence";
    byId("stripes-shown").checked = chosen.striped;
    byId("stripes-said").textContent = signs ?? "";
  }

  paint() {
    const { page } = this;
    const { feed, view, state: chosen } = page;
    const look = lookOf(chosen.view, feed, chosen.target, chosen, page.limit);
    if (isVolume(feed)) this.map.paintBar(feed, view, chosen.target, look, chosen);
    else this.map.paint(feed, view, chosen.target, look, chosen);
    this.weak(look);
    if (!feed.info.picture) return;
    paintCells(byId("overlay"), view, look.over, chosen.opacity / 100);
    // The map lies to the right of the divider, over a grey picture; to its left is the picture by itself.
    byId("picture-grey").hidden = chosen.opacity === 0;
    byId("over").style.clipPath = `inset(0 0 0 ${chosen.divider}%)`;
    byId("divider-line").hidden = chosen.divider === 0;
    byId("divider-line").style.left = `${chosen.divider}%`;
  }

  // The thresholds, in the unit of the map, and what they hide in words.
  weak({ name, scale }) {
    const { feed, target, state: chosen } = this.page;
    byId("weak").hidden = name !== "evidence" || !(scale.limit > 0);
    if (byId("weak").hidden) return;
    let [shown, weakFor, weakAgainst] = [0, 0, 0];
    for (const value of target.sensitivity) {
      if (Number.isNaN(value)) continue;
      if (!isWeak(value, chosen)) shown += 1;
      else if (value > 0) weakFor += 1;
      else if (value < 0) weakAgainst += 1;
    }
    for (const [id, value] of [["weak-for", chosen.weakFor], ["weak-against", chosen.weakAgainst]]) {
      const slider = byId(id);
      slider.max = String(Math.max(scale.limit, value));
      slider.step = String(scale.limit / 200);
      slider.value = String(value);
      byId(`${id}-value`).textContent = value > 0 ? show(value, 3) : "off";
      slider.setAttribute("aria-valuetext", value > 0 ? `${show(value, 3)} ${target.unit}` : "off, nothing is hidden");
    }
    const some = (count, side, from) => `${count} with evidence ${side} below ${show(from, 3)} ${target.unit}`;
    const hidden = [
      ...(chosen.weakFor > 0 ? [some(weakFor, "for", chosen.weakFor)] : []),
      ...(chosen.weakAgainst > 0 ? [some(weakAgainst, "against", chosen.weakAgainst)] : []),
    ];
    byId("weak-said").textContent = hidden.length > 0 ? `${shown} ${feed.cell}s are shown; hidden: ${hidden.join(", ")}.` : "";
  }

  // Marks the windows that are read out.
  point() {
    const { page } = this;
    this.map.point(page.shown);
    const marks = page.shown.filter(({ cell }) => page.view.sees(cell)).map(({ cell, kind }) => markOf(page.view, cell, kind, true));
    for (const mark of marks) if (mark.className === "hovered") mark.classList.add("hidden-part");
    byId("picture-marks").replaceChildren(...marks);
  }

  // ---- what the reader does -----------------------------------------------------------------------------------

  listen() {
    const { page } = this;
    for (const stage of [byId("picture-stage"), byId("map-stage")]) {
      const cellUnder = (event) => page.view.hit(...fractionOf(stage, event));
      // While a window is moved by hand over the picture, the picture is not for pointing at windows of the map; nor is it in a drag.
      const isTaken = () => page.isDragging || (page.hand && stage.id === "picture-stage");
      stage.addEventListener("pointermove", (event) => isTaken() || page.hover(cellUnder(event)));
      stage.addEventListener("pointerleave", () => isTaken() || page.hover(null));
      stage.addEventListener("click", (event) => {
        if (isTaken()) return;
        const cell = cellUnder(event);
        page.hover(cell);
        page.pin(page.state.pinned === cell ? null : cell);
      });
    }
    byId("map-stage").addEventListener("keydown", (event) => this.walk(event));
    byId("map-stage").addEventListener("focus", () => {
      if (page.hovered === null && byId("map-stage").matches(":focus-visible")) page.hover(page.state.pinned ?? page.strongest() ?? 0);
    });
    byId("opacity").addEventListener("input", () => page.set({ opacity: Number(byId("opacity").value) }));
    byId("divider").addEventListener("input", () => page.set({ divider: Number(byId("divider").value) }));
    byId("weak-for").addEventListener("input", () => page.set({ weakFor: rounded(byId("weak-for").value) }));
    byId("weak-against").addEventListener("input", () => page.set({ weakAgainst: rounded(byId("weak-against").value) }));
    byId("stripes-shown").addEventListener("change", () => page.set({ striped: byId("stripes-shown").checked }));
    byId("shared-scale").addEventListener("change", () => page.set({ shared: byId("shared-scale").checked }));
    drag(byId("divider-line"), page, (event) => {
      page.set({ divider: Math.round(100 * Math.max(0.01, Math.min(1, fractionOf(byId("picture-stage"), event)[0]))) });
    });
  }

  walk(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { page } = this;
    const { view, feed } = page;
    const index = feed.indexOf(page.hovered ?? page.state.pinned ?? page.strongest() ?? 0);
    let row = view.row === null ? 0 : index[view.row];
    let col = index[view.col];
    if (event.key === "ArrowLeft") col -= 1;
    else if (event.key === "ArrowRight") col += 1;
    else if (event.key === "ArrowUp") row -= 1;
    else if (event.key === "ArrowDown") row += 1;
    else if (event.key === "Home") col = 0;
    else if (event.key === "End") col = view.cols - 1;
    else if (event.key === "Enter" || event.key === " ") {
      const cell = feed.cellAt(index);
      page.pin(page.state.pinned === cell ? null : cell);
      event.preventDefault();
      return;
    } else return;
    event.preventDefault();
    const cell = view.cell(Math.max(0, Math.min(view.rows - 1, row)), Math.max(0, Math.min(view.cols - 1, col)));
    page.hover(cell);
    page.readout.say(cell);
  }
}

// A slider's number without the digits that no one set.
function rounded(text) {
  return Number(Number(text).toPrecision(6));
}

// Where an event is on a stage, in fractions of it.
function fractionOf(stage, event) {
  const box = stage.getBoundingClientRect();
  return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
}

// A handle that follows the pointer: `move` with every place of it while it is held. What lies below does not answer meanwhile.
function drag(handle, page, move) {
  handle.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    event.stopPropagation();
    handle.setPointerCapture(event.pointerId);
    page.isDragging = true;
  });
  handle.addEventListener("pointermove", (event) => {
    if (handle.hasPointerCapture(event.pointerId)) move(event);
  });
  handle.addEventListener("lostpointercapture", () => page.endDrag());
}
