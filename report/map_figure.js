// One map as a figure: its cells, the marks on them, and below it the bar with its unit or the legend of classes.
// In: a stage and a place for the bar; what to paint: a Feed, a View, a target, a look. Out: pixels and text in both. The page has two of
// them when two maps are compared. What pointer and keys do is in figures.js.

"use strict";

class MapFigure {
  constructor(stage, bar) {
    this.stage = stage;
    this.canvas = element("canvas", { id: stage.id.replace("-stage", ""), ariaHidden: "true" });
    this.marks = element("div", { className: "marks", ariaHidden: "true" });
    stage.replaceChildren(this.canvas, this.marks);
    this.ends = element("div", { className: "bar-ends" });
    this.ramp = element("canvas", { ariaHidden: "true" });
    this.mark = element("div", { className: "bar-mark", ariaHidden: "true", hidden: true });
    this.untouched = element("div", { className: "bar-untouched", ariaHidden: "true" });
    this.ticks = element("div", { className: "bar-ticks", ariaHidden: "true" });
    this.strip = element("div", { className: "bar-strip" }, this.ramp, this.untouched, this.mark);
    this.legend = element("ul", { className: "legend" });
    bar.replaceChildren(this.ends, this.strip, this.ticks, this.legend);
  }

  build(view) {
    const isLine = view.row === null;
    const { aspect } = view;
    this.stage.style.aspectRatio = aspect ?? "4 / 1";
    // A tall figure stays within the screen, with its bar in sight.
    this.stage.closest("figure").style.maxWidth = aspect ? `max(240px, calc(max(46vh, 100vh - 440px) * ${aspect}))` : "";
    this.stage.classList.toggle("plot", isLine);
    return { aspect, isLine };
  }

  paint(feed, view, t, look, chosen) {
    this.view = view;
    const target = feed.targets[t];
    const ink = getComputedStyle(document.body).color;
    if (view.row === null && look.name === "evidence") paintBars(this.canvas, view, look.look, target.sensitivity, look.scale, ink);
    else paintCells(this.canvas, view, look.look, 1);
    this.paintBar(feed, view, t, look, chosen);
  }

  // The bar or the legend alone, of a map whose cells are drawn elsewhere.
  paintBar(feed, view, t, look, chosen) {
    Object.assign(this, { feed, view, look });
    const target = feed.targets[t];
    const isScaled = Boolean(look.scale);
    for (const part of [this.ends, this.strip, this.ticks]) part.hidden = !isScaled;
    this.legend.hidden = isScaled;
    if (!isScaled) this.paintLegend(look.legend);
    else if (look.name === "score") this.paintScoreBar(look.scale, target);
    else this.paintEvidenceBar(look.scale, target, chosen);
  }

  paintEvidenceBar(scale, target, chosen) {
    this.sayEnds("← evidence against", target.unit, "evidence for →");
    paintRamp(this.ramp, scale, (step) => isWeak(((step - 127) / 127) * scale.limit, chosen));
    this.untouched.hidden = true;
    // The exact ends are always told; round marks that would run into them give way.
    const room = this.strip.clientWidth > 400 ? 0.72 : this.strip.clientWidth > 320 ? 0.55 : 0;
    const inner = ticks(scale.limit).filter((value) => Math.abs(value) < room * scale.limit || value === 0);
    this.sayTicks(scale, scale.limit > 0 ? [-scale.limit, ...inner, scale.limit] : inner, (value) => showTick(Number(value.toPrecision(3))));
  }

  paintScoreBar(scale, target) {
    this.sayEnds("← lower", target.unit, "higher →");
    paintRamp(this.ramp, scale, () => false);
    this.untouched.hidden = false;
    this.untouched.title = `untouched: ${show(target.baseline)}`;
    this.untouched.style.left = `${100 * scale.place(target.baseline)}%`;
    this.sayTicks(scale, scale.most > scale.least ? [scale.least, scale.most] : [target.baseline], (value) => show(value));
    const said = element("span", { className: "centre", textContent: `line: untouched ${show(target.baseline)}` });
    this.ticks.append(said);
  }

  sayEnds(...texts) {
    this.ends.replaceChildren(...texts.map((textContent) => element("span", { textContent })));
  }

  sayTicks(scale, values, text) {
    this.ticks.replaceChildren(
      ...values.map((value) => {
        const at = scale.place(value);
        const tick = element("span", { textContent: text(value), className: at > 0.97 ? "last" : at < 0.03 ? "first" : "" });
        tick.style.left = `${100 * at}%`;
        return tick;
      }),
    );
  }

  paintLegend(entries) {
    this.legend.replaceChildren(
      ...entries.map(({ label, count, colour, pattern, isUntouched }) => {
        const swatch = element("canvas", { width: 44, height: 30, ariaHidden: "true" });
        const context = swatch.getContext("2d");
        context.fillStyle = colour;
        context.fillRect(0, 0, 44, 30);
        if (pattern) paintPattern(context, pattern, 0, 0, 44, 30);
        const name = element("span", { className: "name", textContent: label });
        if (isUntouched) name.append(" ", element("small", { textContent: "(untouched input)" }));
        return element("li", {}, swatch, name, element("span", { className: "count", textContent: `${count} ${count === 1 ? this.feed.cell : `${this.feed.cell}s`}` }));
      }),
    );
  }

  // Marks cells: [{cell, kind}], and the last one's value on the bar.
  point(cells) {
    const marks = cells.filter(({ cell }) => this.view.sees(cell)).map(({ cell, kind }) => markOf(this.view, cell, kind, this.view.row === null));
    this.marks.replaceChildren(...marks);
    const last = cells.at(-1);
    const value = last && this.look.values ? this.look.values[last.cell] : NaN;
    this.mark.hidden = Number.isNaN(value);
    if (!this.mark.hidden) this.mark.style.left = `${100 * this.look.scale.place(value)}%`;
  }
}

// A frame around a cell of a stage, or around its whole window.
function markOf(view, cell, kind, whole) {
  const node = element("div", { className: whole ? kind : `${kind} cell` });
  return putAt(node, view.rect(cell, whole));
}

function putAt(node, [left, top, right, bottom]) {
  Object.assign(node.style, {
    left: `${100 * left}%`,
    top: `${100 * top}%`,
    width: `${100 * (right - left)}%`,
    height: `${100 * (bottom - top)}%`,
  });
  return node;
}
