// The page: takes a feed, holds what is hovered, and has its parts follow feed, state and pointer.
// In: a Feed. Out: the document, whose text is always set as text. What the reader chose is in state.js; figures, cards and tables have
// files of their own; drawing is in draw.js, arithmetic in feed.js.
//
// For a live page: `page` is null until there is a feed. `new Page(feed)` starts it, `page.show(feed)` takes another feed in place of the
// old one, `page.showSecond(feed, title)` puts a second map beside it (null takes it away); `page.set({...})` changes the state and
// `page.on("state", f)` tells of every change; while `page.hand` is true, the picture does not answer to the pointer.

"use strict";

class Page {
  constructor(feed) {
    this.hovered = null;
    this.shown = []; // what is read out: [{cell, kind, title}]
    this.hand = false; // whether a live page moves a window by hand over the picture
    this.isDragging = false; // whether a drag is under way, so that nothing below it answers
    this.isDrawing = false; // whether the next drag is to draw the box around the object
    this.listeners = { state: [], feed: [] };
    this.figures = new Figures(this);
    this.planes = new Planes(this);
    this.readout = new Readout(this);
    this.tables = new Tables(this);
    this.second = new SecondMap(this);
    this.parts = [this.figures, this.planes, this.second, new ObjectBox(this), this.readout, this.tables, new Listing(this)];
    this.refreshSoon = oncePerFrame(() => this.refresh());
    this.listen();
    this.show(feed);
  }

  // The values that the reader has chosen: see PROPS.
  get state() {
    return state.values;
  }

  get target() {
    return this.feed.targets[this.state.target];
  }

  // "state": after every change of what the reader has chosen. "feed": after another feed was taken.
  on(event, listener) {
    this.listeners[event].push(listener);
  }

  tell(event) {
    for (const listener of this.listeners[event]) listener(this);
  }

  // Takes a feed in place of the one before. What the reader chose stays where it still fits.
  show(feed) {
    const before = this.feed;
    this.feed = feed;
    this.view = new View(feed);
    this.hovered = null;
    if (before) this.carry(before);
    this.fit();
    state.save();
    const strongest = this.strongest();
    if (strongest !== undefined) this.view.goTo(this.state.pinned ?? strongest);
    this.build();
    feed.onChange(() => {
      if (this.feed === feed) this.refreshSoon(); // scores may come a thousand times a second
    });
    this.refresh();
    this.tell("feed");
  }

  // A second map beside the first, or none.
  showSecond(feed, title = "") {
    this.second.show(feed, title);
  }

  // The same targets by their names, and the pinned window if it is still there.
  carry(before) {
    const { values } = state;
    for (const name of ["target", "beside"]) {
      const label = before.targets[values[name]]?.label;
      const same = this.feed.targets.findIndex((target) => target.label === label);
      if (same >= 0) values[name] = same;
      else if (name === "beside") values.beside = null;
    }
    if (!this.feed.hasCellsOf(before)) values.pinned = null;
    if (this.target.unit !== before.targets[0].unit) values.weakFor = values.weakAgainst = 0;
  }

  // What does not fit the feed is as at first.
  fit() {
    const { values } = state;
    if (values.target >= this.feed.targets.length) values.target = 0;
    if (values.pinned !== null && values.pinned >= this.feed.cells) values.pinned = null;
    if (values.beside !== null && values.beside >= this.feed.targets.length) values.beside = null;
    const lengths = spatialAxes(this.feed).map(({ length }) => length);
    const isThere = (place, i) => Number.isInteger(place) && place >= 0 && place < lengths[i];
    if (values.voxel && !(isVolume(this.feed) && values.voxel.length === 3 && values.voxel.every(isThere))) values.voxel = null;
    if (values.box && values.box.length !== 2 * spatialAxes(this.feed).length) values.box = null;
    if (!LOOKS.find(({ name }) => name === values.view).has(this.feed)) values.view = "evidence";
  }

  // Whether there is more than one map in this map's unit, so that they could share a scale; and the other maps of the page.
  get couldShare() {
    const { shown } = this.second;
    if (shown && shown.feed !== this.feed) return shown.feed.targets[shown.t].unit === this.target.unit;
    return this.feed.targets.length > 1 && this.feed.oneUnit;
  }

  get isShared() {
    return this.state.shared && this.couldShare;
  }

  // The end of the scale of evidence.
  get limit() {
    const { shown } = this.second;
    const own = this.feed.limit(this.state.target, this.isShared && this.feed.oneUnit);
    return this.isShared && shown && shown.feed !== this.feed ? Math.max(own, shown.feed.limit(shown.t, false)) : own;
  }

  // The cell with the largest magnitude.
  strongest() {
    const order = this.feed.order(this.state.target);
    const size = (cell) => Math.abs(this.target.sensitivity[cell]);
    return size(order.at(-1)) > size(order[0]) ? order.at(-1) : order[0];
  }

  // ---- what follows the feed ----------------------------------------------------------------------------------

  build() {
    const { info, targets } = this.feed;
    byId("page").hidden = false;
    byId("page").classList.remove("waiting");
    document.title = `${targets[0].label} · ${info.input} · occlude`;
    byId("setup").textContent = info.setup;
    byId("sign").textContent = info.sign;
    byId("target-keys").hidden = targets.length < 2;
    this.buildTargets();
    byId("command-box").hidden = !info.command;
    byId("command").textContent = info.command ?? "";
    byId("notes").replaceChildren(...info.notes.map((note) => element("li", { textContent: note })));
    byId("facts").replaceChildren(
      ...info.facts.flatMap(([name, value]) => [element("dt", { textContent: name }), element("dd", { textContent: value })]),
    );
    for (const part of this.parts) part.build?.();
  }

  buildTargets() {
    const { targets } = this.feed;
    const box = byId("targets");
    box.hidden = targets.length < 2;
    box.removeAttribute("role");
    box.removeAttribute("aria-label");
    if (targets.length < 2) {
      box.replaceChildren();
    } else if (targets.length <= 8) {
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

  // ---- what follows the state ---------------------------------------------------------------------------------

  refresh() {
    const { feed, target } = this;
    const { info } = feed;
    this.dress();
    byId("headline").textContent = target.label;
    byId("untouched").textContent = `${target.unit} on the untouched input: ${show(target.baseline)}${this.predicted()}`;
    byId("incomplete").hidden = info.complete;
    byId("incomplete").textContent = `Incomplete: ${info.computed} of ${info.windows ?? feed.cells} windows were computed. The others are hatched, and nothing below speaks for them.`;
    for (const radio of document.querySelectorAll("#targets input")) radio.checked = Number(radio.value) === this.state.target;
    const select = document.querySelector("#targets select");
    if (select) select.value = String(this.state.target);
    for (const part of this.parts) part.refresh?.();
    this.point();
  }

  // Light or dark: as the system is, unless the reader has chosen.
  dress() {
    const { look } = this.state;
    if (look === "auto") delete document.documentElement.dataset.look;
    else document.documentElement.dataset.look = look;
    byId("look").value = look;
  }

  predicted() {
    const { info } = this.feed;
    if (!info.predicted) return "";
    return this.target.index === info.predicted.index ? ", the most probable class" : `; the model says ${info.predicted.label}`;
  }

  // Marks the hovered and the pinned window and says their numbers; with neither, those of the strongest one.
  point() {
    const { pinned } = this.state;
    const shown = [];
    if (pinned !== null) shown.push({ cell: pinned, kind: "pinned", title: `Pinned ${this.feed.cell}` });
    if (this.hovered !== null && this.hovered !== pinned) shown.push({ cell: this.hovered, kind: "hovered", title: `This ${this.feed.cell}` });
    const here = this.planes.cell;
    if (here !== null && here !== pinned) shown.push({ cell: here, kind: "crosshair", title: `${this.feed.hasScores ? "Window" : "Element"} at the crosshair` });
    if (shown.length === 0) {
      const cell = this.strongest();
      if (cell !== undefined) shown.push({ cell, kind: "strongest", title: `Strongest ${this.feed.cell}` });
    }
    this.shown = shown;
    for (const part of this.parts) part.point?.();
  }

  // ---- what the reader does -----------------------------------------------------------------------------------

  listen() {
    document.addEventListener("keydown", (event) => this.key(event));
    byId("copy").addEventListener("click", () => this.copy());
    byId("look").addEventListener("change", () => this.set({ look: byId("look").value }));
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault(); // the address is the state's
      byId("top").focus();
    });
    const sizes = new ResizeObserver(this.refreshSoon);
    for (const id of ["map-stage", "planes-three"]) sizes.observe(byId(id));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", this.refreshSoon);
    state.onChange(() => {
      this.fit();
      this.refresh();
      this.tell("state");
    });
  }

  set(change) {
    state.set(change);
  }

  // A drag is over, once the click that ends it has been passed by.
  endDrag() {
    setTimeout(() => {
      this.isDragging = false;
    });
  }

  hover(cell) {
    if (cell === this.hovered) return;
    this.hovered = cell;
    this.point();
  }

  pin(cell) {
    if (cell !== null) this.view.goTo(cell);
    if (cell !== null && this.planes.isOn && cell !== this.planes.cell) this.state.voxel = this.planes.middleOf(cell);
    this.set({ pinned: cell });
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
    // Keys that are typed into a field are the field's; a slider and a tick take no letters.
    if (event.target.matches?.("select, textarea, input:not([type=range], [type=checkbox], [type=radio]), [contenteditable]")) return;
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
}

// The page of the embedded feed; a live page has none yet and starts when its server sends the first feed.
let page = null;
if (byId("feed").textContent) {
  page = new Page(new Feed(JSON.parse(byId("feed").textContent)));
} else {
  byId("page").hidden = false;
  byId("page").classList.add("waiting");
}
