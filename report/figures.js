// The two figures, picture and map: their shapes and captions, what is painted on them, the bar, the marks on windows, and what
// pointer and keys do on them.
// In: a Page (its feed, view and state). Out: the figures of the document. How cells become pixels is in draw.js.

"use strict";

class Figures {
  constructor(page) {
    this.page = page;
    this.listen();
  }

  // ---- what follows the feed ----------------------------------------------------------------------------------

  build() {
    const { feed, view } = this.page;
    const { picture, map_caption: mapCaption } = feed.info;
    const line = view.row === null;
    byId("picture-figure").hidden = !picture;
    const size = (axis) => feed.axes[axis].length;
    const aspect = line ? null : size(view.col) / size(view.row);
    const wide = line || aspect > 2.5;
    byId("figures").classList.toggle("one", !picture && !wide);
    byId("figures").classList.toggle("line", wide);
    byId("map-stage").style.aspectRatio = aspect ?? "4 / 1";
    // A tall figure stays within the screen, with its controls in sight.
    for (const stage of ["picture-stage", "map-stage"]) byId(stage).style.maxWidth = aspect ? `max(240px, calc(80vh * ${aspect}))` : "";
    byId("map-stage").classList.toggle("plot", line);
    byId("map-caption").textContent = mapCaption;
    if (picture) {
      byId("picture-stage").style.aspectRatio = aspect ?? "20 / 1";
      byId("picture-caption").textContent = picture.caption;
      if (byId("picture").src !== picture.url) byId("picture").src = picture.url;
      byId("picture").alt = picture.alt;
      byId("picture").classList.toggle("small", picture.width < 160 || line);
    }
    byId("picture").style.width = byId("picture").style.height = "100%";
    byId("scale-choice").hidden = feed.targets.length < 2 || !feed.oneUnit;
    this.buildSlices();
  }

  buildSlices() {
    const { page } = this;
    byId("slices").replaceChildren(
      ...page.view.others.map((axis) => {
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
    byId("bar-unit").textContent = target.unit;
    byId("opacity").value = String(chosen.opacity);
    byId("opacity-value").textContent = `${chosen.opacity} %`;
    byId("shared-scale").checked = chosen.shared;
    for (const axis of view.others) {
      const at = view.fixed[axis];
      byId(`slice-${axis}`).value = String(at);
      byId(`slice-value-${axis}`).textContent = range(feed.axes[axis], at);
    }
    byId("map-stage").setAttribute("aria-label", `Map for ${target.label}: ${view.rows} rows of ${view.cols} ${feed.cell}s`);
    this.paint();
  }

  paint() {
    const { feed, view, scale, target, state: chosen } = this.page;
    const ink = getComputedStyle(document.body).color;
    if (view.row === null) paintBars(byId("map"), view, target.sensitivity, scale, ink);
    else paintCells(byId("map"), view, target.sensitivity, scale, 1, () => 1);
    if (feed.info.picture) {
      // Over the picture, weak evidence is see-through, so that the picture stays in sight.
      const alpha = (position) => Math.max(0, Math.min(1, 1.7 * Math.abs(position) - 0.08));
      paintCells(byId("overlay"), view, target.sensitivity, scale, chosen.opacity / 100, alpha);
      byId("picture").style.filter = chosen.opacity > 0 ? "grayscale(1) contrast(0.72) brightness(1.18)" : "";
    }
    paintRamp(byId("ramp"), scale);
    // The exact ends are always told; round marks that would run into them give way.
    const inner = ticks(scale.limit).filter((value) => Math.abs(value) < 0.72 * scale.limit || value === 0);
    const marks = scale.limit > 0 ? [-scale.limit, ...inner, scale.limit] : inner;
    byId("bar-ticks").replaceChildren(
      ...marks.map((value) => {
        const at = (scale.position(value) + 1) / 2;
        const tick = element("span", { textContent: showTick(Number(value.toPrecision(3))) });
        tick.className = at > 0.97 ? "last" : at < 0.03 ? "first" : "";
        tick.style.left = `${100 * at}%`;
        return tick;
      }),
    );
  }

  // Marks the windows that are read out, and the last one's value on the bar.
  point() {
    const { view, target, scale, shown } = this.page;
    for (const layer of document.querySelectorAll(".marks")) {
      const onPicture = layer.parentElement.id === "picture-stage";
      const marks = shown.filter(({ cell }) => view.sees(cell)).map(({ cell, kind }) => {
        const whole = this.mark(cell, kind, onPicture || view.row === null);
        if (onPicture && kind === "hovered") whole.classList.add("hidden-part");
        return whole;
      });
      layer.replaceChildren(...marks);
    }
    const last = shown.at(-1);
    const mark = byId("bar-mark");
    const value = last ? target.sensitivity[last.cell] : NaN;
    mark.hidden = Number.isNaN(value);
    if (!mark.hidden) mark.style.left = `${50 + 50 * scale.position(value)}%`;
  }

  mark(cell, kind, whole) {
    const [left, top, right, bottom] = this.page.view.rect(cell, whole);
    const node = element("div", { className: whole ? kind : `${kind} cell` });
    Object.assign(node.style, {
      left: `${100 * left}%`,
      top: `${100 * top}%`,
      width: `${100 * (right - left)}%`,
      height: `${100 * (bottom - top)}%`,
    });
    return node;
  }

  // ---- what the reader does -----------------------------------------------------------------------------------

  listen() {
    const { page } = this;
    for (const stage of [byId("picture-stage"), byId("map-stage")]) {
      const cellUnder = (event) => {
        const box = stage.getBoundingClientRect();
        return page.view.hit((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      };
      // While a window is moved by hand over the picture, the picture is not for pointing at windows of the map.
      const isTaken = () => page.hand && stage.id === "picture-stage";
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
    byId("shared-scale").addEventListener("change", () => page.set({ shared: byId("shared-scale").checked }));
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
