// The page: headline, figures, readout, tables, and what pointer and keys do with them.
// In: a Feed. Out: the document, whose text is always set as text. The state that a reader would share (target, opacity,
// scale, pinned window) is kept in the address after "#". Drawing is in draw.js, arithmetic in feed.js.

"use strict";

const byId = (id) => document.getElementById(id);

function element(name, properties = {}, ...children) {
  const node = Object.assign(document.createElement(name), properties);
  node.append(...children);
  return node;
}

class Page {
  constructor(feed) {
    this.feed = feed;
    this.view = new View(feed);
    this.state = { target: 0, opacity: 80, shared: false, pinned: null };
    this.hovered = null;
    this.readHash();
    const strongest = this.strongest();
    if (strongest !== undefined) this.view.goTo(this.state.pinned ?? strongest);
    this.build();
    this.listen();
    feed.onChange(() => this.refresh());
    this.refresh();
  }

  get target() {
    return this.feed.targets[this.state.target];
  }

  // The cell with the largest magnitude.
  strongest() {
    const order = this.feed.order(this.state.target);
    const size = (cell) => Math.abs(this.target.sensitivity[cell]);
    return size(order.at(-1)) > size(order[0]) ? order.at(-1) : order[0];
  }

  // ---- what never changes -------------------------------------------------------------------------------------

  build() {
    const { info } = this.feed;
    byId("page").hidden = false;
    document.title = `${this.feed.targets[0].label} · ${info.input} · occlude`;
    byId("setup").textContent = info.setup;

    byId("sign").textContent = info.sign;
    byId("scale-choice").hidden = this.feed.targets.length < 2 || !this.feed.oneUnit;
    byId("target-keys").hidden = this.feed.targets.length < 2;
    this.buildFigures();
    this.buildTargets();
    this.buildSlices();
    byId("command-box").hidden = !info.command;
    byId("command").textContent = info.command ?? "";
    byId("notes").replaceChildren(...info.notes.map((note) => element("li", { textContent: note })));
    byId("facts").replaceChildren(
      ...info.facts.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]),
    );
  }

  buildFigures() {
    const { picture, map_caption: mapCaption } = this.feed.info;
    const { view } = this;
    const line = view.row === null;
    byId("picture-figure").hidden = !picture;
    const size = (axis) => this.feed.axes[axis].length;
    const aspect = line ? null : size(view.col) / size(view.row);
    const wide = line || aspect > 2.5;
    byId("figures").classList.toggle("one", !picture && !wide);
    byId("figures").classList.toggle("line", wide);
    byId("map-stage").style.aspectRatio = aspect ?? "4 / 1";
    // A tall figure stays within the screen, with its controls in sight.
    if (aspect) for (const stage of ["picture-stage", "map-stage"]) byId(stage).style.maxWidth = `max(240px, calc(80vh * ${aspect}))`;
    byId("map-stage").classList.toggle("plot", line);
    byId("map-caption").textContent = mapCaption;
    if (picture) {
      byId("picture-stage").style.aspectRatio = aspect ?? "20 / 1";
      byId("picture-caption").textContent = picture.caption;
      byId("picture").src = picture.url;
      byId("picture").alt = picture.alt;
      byId("picture").classList.toggle("small", picture.width < 160 || line);
    }
    byId("picture").style.width = byId("picture").style.height = "100%";
  }

  buildTargets() {
    const { targets } = this.feed;
    const box = byId("targets");
    box.hidden = targets.length < 2;
    if (targets.length < 2) return;
    if (targets.length <= 8) {
      box.setAttribute("role", "radiogroup");
      box.setAttribute("aria-label", "Target");
      box.replaceChildren(
        ...targets.map((target, t) => {
          const radio = element("input", { type: "radio", name: "target", value: String(t) });
          radio.addEventListener("change", () => this.set({ target: t }));
          return element("label", {}, radio, target.label, element("small", { textContent: show(target.baseline) }));
        }),
      );
    } else {
      const select = element("select", { ariaLabel: "Target" });
      select.append(...targets.map((target, t) => element("option", { value: String(t), textContent: `${target.label}  (${show(target.baseline)})` })));
      select.addEventListener("change", () => this.set({ target: Number(select.value) }));
      box.replaceChildren(select);
    }
  }

  buildSlices() {
    byId("slices").replaceChildren(
      ...this.view.others.map((axis) => {
        const { name, starts } = this.feed.axes[axis];
        const slider = element("input", { type: "range", min: "0", max: String(starts.length - 1), step: "1", id: `slice-${axis}` });
        slider.addEventListener("input", () => {
          this.view.fixed[axis] = Number(slider.value);
          this.hovered = null;
          this.refresh();
        });
        const label = element("label", { htmlFor: slider.id, textContent: name });
        return element("div", { className: "control" }, label, slider, element("output", { id: `slice-value-${axis}` }));
      }),
    );
  }

  // ---- what follows the state ---------------------------------------------------------------------------------

  refresh() {
    const { feed, state, target } = this;
    const { info } = feed;
    this.scale = new Scale(info.ramp, feed.limit(state.target, state.shared && feed.oneUnit));
    byId("headline").textContent = target.label;
    byId("untouched").textContent = `${target.unit} on the untouched input: ${show(target.baseline)}${this.predicted()}`;
    byId("bar-unit").textContent = target.unit;
    byId("incomplete").hidden = info.complete;
    byId("incomplete").textContent = `Incomplete: ${info.computed} of ${info.windows ?? feed.cells} windows were computed. The others are hatched, and nothing below speaks for them.`;
    byId("opacity").value = String(state.opacity);
    byId("opacity-value").textContent = `${state.opacity} %`;
    byId("shared-scale").checked = state.shared;
    for (const radio of document.querySelectorAll("#targets input")) radio.checked = Number(radio.value) === state.target;
    const select = document.querySelector("#targets select");
    if (select) select.value = String(state.target);
    for (const axis of this.view.others) {
      const at = this.view.fixed[axis];
      byId(`slice-${axis}`).value = String(at);
      byId(`slice-value-${axis}`).textContent = range(feed.axes[axis], at);
    }
    byId("map-stage").setAttribute("aria-label", `Map for ${target.label}: ${this.view.rows} rows of ${this.view.cols} ${feed.cell}s`);
    this.paint();
    this.table();
    this.point();
    this.writeHash();
  }

  predicted() {
    const { info } = this.feed;
    if (!info.predicted) return "";
    return this.target.index === info.predicted.index ? ", the most probable class" : `; the model says ${info.predicted.label}`;
  }

  paint() {
    const { view, scale, state, target } = this;
    const ink = getComputedStyle(document.body).color;
    if (view.row === null) paintBars(byId("map"), view, target.sensitivity, scale, ink);
    else paintCells(byId("map"), view, target.sensitivity, scale, 1, () => 1);
    if (this.feed.info.picture) {
      // Over the picture, weak evidence is see-through, so that the picture stays in sight.
      const alpha = (position) => Math.max(0, Math.min(1, 1.7 * Math.abs(position) - 0.08));
      paintCells(byId("overlay"), view, target.sensitivity, scale, state.opacity / 100, alpha);
      byId("picture").style.filter = state.opacity > 0 ? "grayscale(1) contrast(0.72) brightness(1.18)" : "";
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

  // ---- the window under the pointer ---------------------------------------------------------------------------

  // Marks the hovered and the pinned window and says their numbers; with neither, those of the strongest one.
  point() {
    const { view, state } = this;
    const shown = [];
    if (state.pinned !== null) shown.push({ cell: state.pinned, kind: "pinned", title: `Pinned ${this.feed.cell}` });
    if (this.hovered !== null && this.hovered !== state.pinned) shown.push({ cell: this.hovered, kind: "hovered", title: `This ${this.feed.cell}` });
    if (shown.length === 0) {
      const cell = this.strongest();
      if (cell !== undefined) shown.push({ cell, kind: "strongest", title: `Strongest ${this.feed.cell}` });
    }
    for (const layer of document.querySelectorAll(".marks")) {
      const onPicture = layer.parentElement.id === "picture-stage";
      const marks = shown.filter(({ cell }) => view.sees(cell)).flatMap(({ cell, kind }) => {
        const whole = this.mark(cell, kind, onPicture || view.row === null);
        if (onPicture && kind === "hovered") whole.classList.add("hidden-part");
        return [whole];
      });
      layer.replaceChildren(...marks);
    }
    byId("readout").replaceChildren(...shown.map((entry) => this.card(entry)));
    const last = shown.at(-1);
    const mark = byId("bar-mark");
    const value = last ? this.target.sensitivity[last.cell] : NaN;
    mark.hidden = Number.isNaN(value);
    if (!mark.hidden) mark.style.left = `${50 + 50 * this.scale.position(value)}%`;
  }

  mark(cell, kind, whole) {
    const [left, top, right, bottom] = this.view.rect(cell, whole);
    const node = element("div", { className: whole ? kind : `${kind} cell` });
    Object.assign(node.style, {
      left: `${100 * left}%`,
      top: `${100 * top}%`,
      width: `${100 * (right - left)}%`,
      height: `${100 * (bottom - top)}%`,
    });
    return node;
  }

  card({ cell, kind, title }) {
    const { feed, target, state } = this;
    const value = target.sensitivity[cell];
    const row = (name, text, exact, look = "") => {
      const dd = element("dd", { className: look });
      // The exact number travels in the value attribute; the text is rounded for reading.
      dd.append(exact === null ? text : element("data", { value: String(exact), textContent: text }));
      return element("div", {}, element("dt", { textContent: name }), dd);
    };
    const places = feed.info.source_unit ? [row("in the source picture", placeText(feed, cell, true), null)] : [];
    places.push(row("in the input tensor", placeText(feed, cell, false), null));
    const card = element("dl", { className: `card ${kind}${places.length < 2 || !feed.mostProbable ? " short" : ""}` });
    card.dataset.cell = String(cell);
    card.append(row(title, `${feed.rank(state.target, cell) ?? "–"} of ${feed.order(state.target).length}`, null, "big"), ...places);
    if (Number.isNaN(value)) {
      card.append(row("score", "not computed", null));
      return card;
    }
    card.append(row(target.unit, show(target.baseline), target.baseline));
    if (feed.hasScores) card.append(row("with it hidden", show(target.occluded[cell]), target.occluded[cell]));
    card.append(
      row(feed.hasScores ? "difference" : "value of the map", showSigned(value), value, `big ${value > 0 ? "for" : value < 0 ? "against" : ""}`),
    );
    const then = feed.mostProbable ? feed.mostProbable[cell] : -1;
    if (then >= 0) card.append(row("the model then says", feed.className(then), null));
    return card;
  }

  say(cell) {
    const { feed, target, state } = this;
    const value = target.sensitivity[cell];
    const then = feed.mostProbable ? feed.mostProbable[cell] : -1;
    byId("spoken").textContent =
      `${placeText(feed, cell, Boolean(feed.info.source_unit))}: ` +
      (Number.isNaN(value)
        ? "not computed"
        : `${target.unit} ${show(target.baseline)}${feed.hasScores ? ` to ${show(target.occluded[cell])}, difference` : ", value of the map"} ${showSigned(value)}, ` +
          `rank ${feed.rank(state.target, cell)} of ${feed.order(state.target).length}${then >= 0 ? `, the model then says ${feed.className(then)}` : ""}`);
  }

  // ---- the tables ---------------------------------------------------------------------------------------------

  table() {
    const { feed, target, state } = this;
    const order = feed.order(state.target);
    if (!feed.hasScores) {
      this.fillWindows(byId("top-for"), `Evidence for ${target.label}`, target.top_for);
      this.fillWindows(byId("top-against"), `Evidence against ${target.label}`, target.top_against);
      byId("summary").textContent = this.summary(order);
      return;
    }
    const up = order.filter((cell) => target.sensitivity[cell] > 0).slice(0, 8);
    const down = order.filter((cell) => target.sensitivity[cell] < 0).slice(-8).reverse();
    this.fillTable(byId("top-for"), `Evidence for ${target.label}`, up);
    this.fillTable(byId("top-against"), `Evidence against ${target.label}`, down);
    byId("summary").textContent = this.summary(order);
  }

  summary(order) {
    const { feed, target, state } = this;
    if (order.length === 0) return "No window has been computed yet.";
    const best = order[0];
    const score = target.unit;
    if (!feed.hasScores) {
      return `Each element of the input has a number of its own. The largest is ${showSigned(target.sensitivity[best])}, at ${placeText(feed, best, Boolean(feed.info.source_unit))}.`;
    }
    let text =
      target.sensitivity[best] > 0
        ? `Hiding ${placeText(feed, best, Boolean(feed.info.source_unit))} lowers the ${score} of ${target.label} the most, from ${show(target.baseline)} to ${show(target.occluded[best])}.`
        : `No window lowers the ${score} of ${target.label} when hidden.`;
    if (feed.mostProbable && feed.info.predicted) {
      const flips = order.filter((cell) => feed.mostProbable[cell] >= 0 && feed.mostProbable[cell] !== feed.info.predicted.index).length;
      text += ` With ${flips} of ${order.length} windows hidden, the model says something else than ${feed.info.predicted.label}.`;
    }
    return text;
  }

  // The strongest windows of a map whose cells are elements: they have no cell of their own to go to.
  fillWindows(table, caption, windows) {
    const classes = windows.some(({ then }) => then !== null);
    const head = ["hidden window", "score then", "difference", ...(classes ? ["the model then says"] : [])];
    const header = element("tr", {}, ...head.map((text, i) => element("th", { scope: "col", textContent: text, className: i === 1 || i === 2 ? "number" : "" })));
    const rows = windows.map(({ place, score, difference, then }) => {
      const row = element("tr", {}, element("td", { textContent: place }), element("td", { className: "number", textContent: show(score) }));
      row.append(element("td", { className: `number ${difference > 0 ? "for" : "against"}`, textContent: showSigned(difference) }));
      if (classes) row.append(element("td", { textContent: then ?? "–" }));
      return row;
    });
    if (rows.length === 0) rows.push(element("tr", {}, element("td", { colSpan: head.length, textContent: "none" })));
    table.replaceChildren(element("caption", { textContent: caption }), element("thead", {}, header), element("tbody", {}, ...rows));
  }

  fillTable(table, caption, cells) {
    const { feed, target } = this;
    const unit = Boolean(feed.info.source_unit);
    const classes = feed.mostProbable !== null;
    const head = ["hidden window", "score then", "difference", ...(classes ? ["the model then says"] : [])];
    const header = element("tr", {}, ...head.map((text, i) => element("th", { scope: "col", textContent: text, className: i === 1 || i === 2 ? "number" : "" })));
    const rows = cells.map((cell) => {
      const button = element("button", { type: "button", textContent: placeText(feed, cell, unit) });
      button.addEventListener("click", () => this.pin(cell));
      const value = target.sensitivity[cell];
      const row = element("tr", {}, element("td", {}, button));
      row.dataset.cell = String(cell);
      row.append(element("td", { className: "number", textContent: show(target.occluded[cell]) }));
      row.append(element("td", { className: `number ${value > 0 ? "for" : "against"}`, textContent: showSigned(value) }));
      if (classes) row.append(element("td", { textContent: feed.mostProbable[cell] >= 0 ? feed.className(feed.mostProbable[cell]) : "–" }));
      return row;
    });
    if (rows.length === 0) rows.push(element("tr", {}, element("td", { colSpan: head.length, textContent: "none" })));
    table.replaceChildren(element("caption", { textContent: caption }), element("thead", {}, header), element("tbody", {}, ...rows));
  }

  // ---- what the reader does -----------------------------------------------------------------------------------

  listen() {
    for (const stage of [byId("picture-stage"), byId("map-stage")]) {
      const cellUnder = (event) => {
        const box = stage.getBoundingClientRect();
        return this.view.hit((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
      };
      stage.addEventListener("pointermove", (event) => this.hover(cellUnder(event)));
      stage.addEventListener("pointerleave", () => this.hover(null));
      stage.addEventListener("click", (event) => {
        const cell = cellUnder(event);
        this.hover(cell);
        this.pin(this.state.pinned === cell ? null : cell);
      });
    }
    byId("map-stage").addEventListener("keydown", (event) => this.walk(event));
    byId("map-stage").addEventListener("focus", () => {
      if (this.hovered === null && byId("map-stage").matches(":focus-visible")) this.hover(this.state.pinned ?? this.strongest() ?? 0);
    });
    document.addEventListener("keydown", (event) => this.key(event));
    byId("opacity").addEventListener("input", () => this.set({ opacity: Number(byId("opacity").value) }));
    byId("shared-scale").addEventListener("change", () => this.set({ shared: byId("shared-scale").checked }));
    byId("copy").addEventListener("click", () => this.copy());
    addEventListener("resize", () => this.refresh());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.refresh());
    addEventListener("hashchange", () => {
      this.readHash();
      this.refresh();
    });
  }

  set(change) {
    Object.assign(this.state, change);
    this.refresh();
  }

  hover(cell) {
    if (cell === this.hovered) return;
    this.hovered = cell;
    this.point();
  }

  pin(cell) {
    if (cell !== null) this.view.goTo(cell);
    this.set({ pinned: cell });
  }

  walk(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const { view, feed } = this;
    const index = feed.indexOf(this.hovered ?? this.state.pinned ?? this.strongest() ?? 0);
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
      this.pin(this.state.pinned === cell ? null : cell);
      event.preventDefault();
      return;
    } else return;
    event.preventDefault();
    const cell = view.cell(Math.max(0, Math.min(view.rows - 1, row)), Math.max(0, Math.min(view.cols - 1, col)));
    this.hover(cell);
    this.say(cell);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("select")) return;
    if (event.key === "Escape") {
      this.hovered = null;
      this.set({ pinned: null });
    } else if (event.key === "[" || event.key === "]") {
      const step = event.key === "[" ? -10 : 10;
      this.set({ opacity: Math.max(0, Math.min(100, this.state.opacity + step)) });
    } else if (/^[1-9]$/.test(event.key) && Number(event.key) <= this.feed.targets.length) {
      this.set({ target: Number(event.key) - 1 });
    }
  }

  async copy() {
    try {
      await navigator.clipboard.writeText(this.feed.info.command);
      byId("copy").textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(byId("command")); // no clipboard here: the reader's own copy key does it
      byId("copy").textContent = "Selected";
    }
  }

  // ---- the state in the address -------------------------------------------------------------------------------

  readHash() {
    const asked = new URLSearchParams(location.hash.slice(1));
    const whole = (name, most) => {
      const value = Number(asked.get(name));
      return asked.has(name) && Number.isInteger(value) && value >= 0 && value <= most ? value : undefined;
    };
    const { feed, state } = this;
    state.target = whole("target", feed.targets.length - 1) ?? state.target;
    state.opacity = whole("opacity", 100) ?? state.opacity;
    state.pinned = whole("window", feed.cells - 1) ?? state.pinned;
    state.shared = asked.has("scale") ? asked.get("scale") === "all" : state.shared;
  }

  writeHash() {
    const { target, opacity, shared, pinned } = this.state;
    const said = new URLSearchParams({ target: String(target), opacity: String(opacity), scale: shared ? "all" : "one" });
    if (pinned !== null) said.set("window", String(pinned));
    if (location.hash.slice(1) !== said.toString()) history.replaceState(null, "", `#${said}`);
  }
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
  return parts.reverse().join(", ") + (inSource ? ` ${feed.info.source_unit}` : "");
}

function showPlace(place) {
  return place < 0 ? `−${-place}` : String(place);
}

// The page of the embedded feed; a live page has none yet and starts when its server sends the first feed.
const embedded = byId("feed").textContent;
const page = embedded ? new Page(new Feed(JSON.parse(embedded))) : null;
