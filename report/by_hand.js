// A window moved by hand over the picture: what the model says with this very place hidden.
// In: pointer and arrow keys, the feed on the page (axes, picture), what is asked of the model. Out: questions to
// /api/probe, one at a time, and their answers in words, bars and numbers. Answers to what is no longer asked are
// dropped. Not here: the map.

"use strict";

class ByHand {
  // `ask()` gives {model, input, settings} or null; `on.moved(start or null)`, `on.toggled()`, `on.refused(error)`,
  // `on.answered()`.
  constructor(ask, on) {
    Object.assign(this, { ask, on });
    this.isOn = false;
    this.feed = null;
    this.start = null; // of the window, in elements, one number per spatial axis
    this.size = null;
    this.era = 0; // grows with every change of what is asked
    this.prober = new Newest((place) => this.probe(place));
    this.build();
    byId("live-hand").addEventListener("click", (event) => this.toggle(!this.isOn, event.detail === 0));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "h" || event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
      if (event.target.matches("input:not([type=range], [type=checkbox], [type=radio]), textarea, select")) return;
      if (!byId("live-hand").disabled) this.toggle(!this.isOn, true);
    });
  }

  build() {
    this.patch = element("div", { className: "hand-window" });
    this.stage = element("div", { id: "hand-stage", tabIndex: 0 }, this.patch);
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-roledescription", "window moved by hand");
    this.stage.setAttribute("aria-describedby", "hand-help");
    this.spoken = element("p", { className: "hidden" });
    this.spoken.setAttribute("role", "status");
    this.place = element("p", { id: "hand-place" });
    this.scores = element("table", { id: "hand-scores" });
    this.classes = element("div", { id: "hand-classes", className: "hand-tables" });
    const help = "Arrow keys move the window by one element, with Shift by ten; h lets go of it.";
    this.panel = element(
      "section",
      { id: "by-hand" },
      element("h2", { id: "by-hand-title", textContent: "Window by hand" }),
      this.place,
      this.scores,
      this.classes,
      element("p", { id: "hand-help", className: "meta", textContent: help }),
      this.spoken,
    );
    this.panel.setAttribute("aria-labelledby", "by-hand-title");
    // The answer stays in sight of the picture: in the column of the form where there is one, else below the picture.
    this.wide = matchMedia("(min-width: 1100px)");
    this.wide.addEventListener("change", () => this.settle());
    const move = (event) => {
      event.stopPropagation();
      const isDrag = event.pointerType === "mouse" || event.buttons > 0;
      if (isDrag) this.moveTo(this.under(event), false);
    };
    this.stage.addEventListener("pointermove", move);
    this.stage.addEventListener("pointerdown", (event) => {
      this.stage.setPointerCapture(event.pointerId);
      move(event);
    });
    this.stage.addEventListener("click", (event) => event.stopPropagation());
    this.stage.addEventListener("keydown", (event) => this.key(event));
  }

  // ---- the space it moves in ----------------------------------------------------------------------------------

  // Another feed is on the page: its axes, its picture.
  fit(feed) {
    this.feed = feed;
    this.axes = feed.axes.filter((axis) => axis.role !== "channel"); // outermost first, as `start`
    const isPossible = this.axes.length <= 2;
    byId("live-hand").disabled = !isPossible;
    byId("live-hand-why").hidden = isPossible;
    byId("live-hand-why").textContent = isPossible ? "" : `A window can be moved by hand over one or two axes; this input has ${this.axes.length}.`;
    if (!isPossible) return this.toggle(false, false);
    this.settle();
    this.stage.setAttribute("aria-label", `Window over ${feed.info.input}`);
    if (this.start) this.start = this.inside(this.start);
    this.draw();
  }

  // The window's size: as the server last said, as it is asked for, or as the map's windows are.
  get window() {
    if (this.size?.length === this.axes.length) return this.size;
    const asked = /^\d+(x\d+)*$/.test(this.ask()?.settings.window ?? "") ? this.ask().settings.window.split("x").map(Number) : null;
    if (asked) return this.axes.map((_, i) => asked.at(i - this.axes.length) ?? asked[0]);
    return this.axes.map((axis) => Math.max(...axis.starts.map((start, i) => axis.ends[i] - start)));
  }

  inside(start) {
    const { window } = this;
    return this.axes.map(({ length }, i) => Math.max(0, Math.min(length - window[i], Math.round(start[i] ?? 0))));
  }

  // The start of the window whose middle is under the pointer.
  under(event) {
    const box = this.stage.getBoundingClientRect();
    const shares = [(event.clientY - box.top) / box.height, (event.clientX - box.left) / box.width].slice(-this.axes.length);
    return shares.map((share, i) => share * this.axes[i].length - this.window[i] / 2);
  }

  // The figure that it moves over, and where its answer goes.
  settle() {
    if (!this.isOn) return;
    const figure = this.feed.info.picture ? "picture" : "map";
    const host = byId(`${figure}-stage`);
    if (this.stage.parentElement !== host) host.append(this.stage);
    const room = this.wide.matches ? byId("live") : byId(`${figure}-figure`);
    if (this.panel.parentElement !== room) room.append(this.panel);
    byId("live").classList.toggle("by-hand", this.wide.matches);
  }

  // ---- on and off ---------------------------------------------------------------------------------------------

  toggle(isOn, withFocus) {
    if (isOn === this.isOn || !page) return;
    this.isOn = isOn;
    page.hand = isOn;
    byId("live-hand").setAttribute("aria-pressed", String(isOn));
    if (isOn) {
      this.settle();
      page.hover(null);
      this.moveTo(this.start ?? this.first(), withFocus);
      if (withFocus) this.stage.focus();
    } else {
      const hadFocus = document.activeElement === this.stage;
      this.stage.remove();
      this.panel.remove();
      byId("live").classList.remove("by-hand");
      this.prober.forget();
      if (hadFocus) byId("live-hand").focus();
      this.on.moved(null);
    }
    this.on.toggled();
  }

  // Where it begins: at the strongest window of the map, else in the middle.
  first() {
    const cell = this.feed.hasScores ? page.strongest() : undefined;
    if (cell === undefined) return this.axes.map(({ length }, i) => (length - this.window[i]) / 2);
    const index = this.feed.indexOf(cell);
    return this.axes.map((axis) => axis.starts[index[this.feed.axes.indexOf(axis)]]);
  }

  key(event) {
    const step = event.shiftKey ? 10 : 1;
    const by = { ArrowUp: [-step, 0], ArrowDown: [step, 0], ArrowLeft: [0, -step], ArrowRight: [0, step] }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const change = by.slice(-this.axes.length);
    this.moveTo(this.start.map((at, i) => at + change[i]), true);
  }

  moveTo(start, isSpoken) {
    const before = this.start;
    this.start = this.inside(start);
    this.isSpoken = isSpoken;
    this.draw();
    if (before && this.isAnswered && before.every((at, i) => at === this.start[i])) return;
    this.isAnswered = false;
    this.on.moved(this.start);
    this.prober.ask(this.start);
  }

  // Something else is asked of the model now: what is shown is no answer to it.
  renew() {
    this.era += 1;
    this.size = null;
    this.isAnswered = false;
    if (!this.isOn || !this.feed) return;
    this.start = this.inside(this.start);
    this.draw();
    this.prober.ask(this.start);
  }

  async probe(start) {
    const asked = this.ask();
    if (!asked || !this.isOn) return;
    const { era } = this;
    this.panel.setAttribute("aria-busy", "true");
    try {
      const answer = await askServer("/api/probe", { method: "POST", json: { ...asked, start } });
      if (era !== this.era || !this.isOn) return;
      this.size = answer.window;
      this.isAnswered = !this.prober.hasNewer;
      this.tell(answer);
      this.on.answered();
    } catch (error) {
      if (era === this.era) this.on.refused(error);
    } finally {
      if (!this.prober.hasNewer) this.panel.removeAttribute("aria-busy");
    }
  }

  // ---- what is seen -------------------------------------------------------------------------------------------

  draw() {
    if (!this.start || !this.feed) return;
    const { window, axes, start } = this;
    const share = (i) => [(100 * start[i]) / axes[i].length, (100 * window[i]) / axes[i].length];
    const [left, width] = share(axes.length - 1);
    const [top, height] = axes.length > 1 ? share(axes.length - 2) : [0, 100];
    Object.assign(this.patch.style, { left: `${left}%`, top: `${top}%`, width: `${width}%`, height: `${height}%` });
  }

  // "x 96–112, y 72–88 px", in the source's unit where the feed has one.
  placeText(start, window) {
    const unit = this.feed.info.source_unit;
    const parts = this.axes.map((axis, i) => {
      const edge = (at) => (unit && axis.scale !== undefined ? showPlace(Math.round(axis.offset + axis.scale * at)) : String(at));
      return `${axis.name} ${edge(start[i])}–${edge(start[i] + window[i])}`;
    });
    return parts.reverse().join(", ") + (unit ? ` ${unit}` : " elements");
  }

  tell({ start, window, targets, classes, classes_untouched: before }) {
    const where = this.placeText(start, window);
    this.place.textContent = `Hidden: ${where}`;
    this.panel.dataset.start = start.join(",");
    this.draw();
    const cell = (value, text, look = "") => element("td", { className: `number ${look}` }, element("data", { value: String(value), textContent: text }));
    const head = ["target", "untouched", "hidden", "difference"];
    const rows = targets.map(({ label, unit, baseline, occluded, sensitivity }) => {
      const look = sensitivity > 0 ? "for" : sensitivity < 0 ? "against" : "";
      const name = element("th", { scope: "row", textContent: `${label}, ${unit}` });
      return element("tr", {}, name, cell(baseline, show(baseline)), cell(occluded, show(occluded)), cell(sensitivity, showSigned(sensitivity), look));
    });
    fillHandTable(this.scores, "Scores at this place", head, rows);
    this.classes.hidden = classes.length === 0;
    this.classes.replaceChildren(
      this.shares("hand-then", "With it hidden", classes),
      this.shares("hand-before", "Untouched", before),
    );
    if (this.isSpoken && this.isAnswered) {
      const [{ label, unit, baseline, occluded }] = targets;
      const then = classes.length > 0 ? `; the model then says ${classes[0].name}` : "";
      this.spoken.textContent = `${where}: ${unit} of ${label} ${show(baseline)} to ${show(occluded)}${then}`;
    }
  }

  // Classes with bars of their probabilities; the same scale in both tables.
  shares(id, caption, classes) {
    const rows = classes.map(({ name, index, value }) => {
      const bar = element("span", { className: "hand-bar" });
      bar.setAttribute("aria-hidden", "true");
      bar.style.width = `${100 * Math.max(0, Math.min(1, value))}%`;
      const number = element("td", { className: "number" }, element("data", { value: String(value), textContent: show(value) }));
      return element("tr", {}, element("th", { scope: "row", textContent: name ?? `class ${index}` }), element("td", { className: "hand-track" }, bar), number);
    });
    const table = element("table", { id });
    fillHandTable(table, caption, ["most probable", "", "probability"], rows);
    return table;
  }
}

function fillHandTable(table, caption, head, rows) {
  const cells = head.map((text, i) => element(text ? "th" : "td", { textContent: text, className: i > 0 ? "number" : "", ...(text ? { scope: "col" } : {}) }));
  table.replaceChildren(element("caption", { textContent: caption }), element("thead", {}, element("tr", {}, ...cells)), element("tbody", {}, ...rows));
}
