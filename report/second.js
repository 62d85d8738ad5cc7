// A second map beside the first: another target, the map of another report, or one that a live page holds; with the rank correlation of
// the two.
// In: a Page, a file that the reader chose or dropped, `show(feed, title)`. Out: the second figure and what is said of both. Of a foreign
// report only its data block is read, as JSON; nothing of it is run. The correlation is in rank.js.

"use strict";

// More cells than this are no map of ours, or none that a page could show.
const MOST_CELLS = 1 << 22;

class SecondMap {
  constructor(page) {
    this.page = page;
    this.figure = new MapFigure(byId("second-stage"), byId("second-bar"));
    this.given = null; // {feed, title}, where the second map is not of this feed
    this.givenTarget = 0;
    this.listen();
  }

  // Another feed's map beside this one, or none.
  show(feed, title) {
    this.given = feed ? { feed, title } : null;
    if (feed) {
      const label = this.page.target.label;
      this.givenTarget = Math.max(0, feed.targets.findIndex((target) => target.label === label));
      byId("compare").open = true;
      feed.onChange(() => {
        if (this.given?.feed === feed) this.page.refreshSoon();
      });
    }
    this.page.refresh();
  }

  // What the second map is of: {feed, t}; null where there is none.
  get shown() {
    if (this.given) return { feed: this.given.feed, t: this.givenTarget };
    const { beside } = this.page.state;
    return beside === null ? null : { feed: this.page.feed, t: beside };
  }

  build() {
    if (this.page.state.beside !== null) byId("compare").open = true;
    this.key = null;
  }

  // ---- what follows the state ---------------------------------------------------------------------------------

  refresh() {
    const { page } = this;
    const { shown } = this;
    this.sayChoice();
    byId("second-figure").hidden = !shown;
    byId("figures").classList.toggle("two", Boolean(shown));
    byId("likeness").hidden = !shown;
    byId("second-remove").hidden = !shown;
    if (!shown) {
      byId("second-marks-said").textContent = "";
      return;
    }
    const { feed, t } = shown;
    if (this.seen !== feed) {
      this.seen = feed;
      this.besides = null;
      this.laid = null;
    }
    if (this.laid !== page.state.convention) {
      this.laid = page.state.convention;
      this.plane = isVolume(feed) ? planesOf(feed, this.laid)[0] : null; // of volumes one plane, the first
      this.view = new View(feed, this.plane);
      this.figure.build(this.view);
    }
    const target = feed.targets[t];
    const isSame = feed === page.feed;
    // The class of a window does not depend on the target, so a second map of it would be the first one again.
    const wanted = page.state.view === "class" && isSame ? "evidence" : page.state.view;
    const name = LOOKS.find((look) => look.name === wanted && look.has(feed)) ? wanted : "evidence";
    // Thresholds are in the unit of the first map.
    const chosen = target.unit === page.target.unit ? page.state : { weakFor: 0, weakAgainst: 0 };
    const look = lookOf(name, feed, t, chosen, page.isShared && target.unit === page.target.unit ? page.limit : feed.limit(t, false));
    const what = LOOKS.find((one) => one.name === name).label(target);
    const where = isSame ? "" : `${this.given.title}: `;
    byId("second-caption").textContent = `${where}${target.label}, ${what}${this.plane ? `; ${this.plane.title.toLowerCase()}, at the crosshair` : ""}`;
    byId("second-stage").setAttribute("aria-label", `Second map: ${where}${target.label}, ${what}`);
    this.look = { look, chosen };
    this.follow();
    this.compare(feed, t);
  }

  // Painted at the same place as the first map, of axes that are not seen.
  follow() {
    const { page, shown } = this;
    if (!shown || this.seen !== shown.feed) return;
    const { cells } = this.beside(shown.feed);
    const cell = cells?.[page.planes.cell ?? page.view.cell(0, 0)];
    if (cell >= 0) this.view.goTo(cell);
    this.figure.paint(shown.feed, this.view, shown.t, this.look.look, this.look.chosen);
  }

  // The select of the second map's target, made anew only when there is something else to choose from.
  sayChoice() {
    const { page } = this;
    const feed = this.given?.feed ?? page.feed;
    const key = [this.given?.title ?? "", ...feed.targets.map(({ label }) => label)].join("\n");
    const select = byId("second-target");
    if (this.key !== key) {
      this.key = key;
      const options = feed.targets.map((target, t) => element("option", { value: String(t), textContent: target.label }));
      if (!this.given) options.unshift(element("option", { value: "", textContent: "none" }));
      select.replaceChildren(...options);
    }
    select.value = this.given ? String(this.givenTarget) : page.state.beside === null ? "" : String(page.state.beside);
    byId("second-choice").hidden = feed.targets.length < 2 && !this.given;
    byId("second-of").textContent = this.given ? `Target of the second map (${this.given.title})` : "Second target of this map";
  }

  compare(feed, t) {
    const { page } = this;
    this.beside(feed);
    const said = byId("likeness");
    if (this.besides.why) {
      said.textContent = this.besides.why;
      return;
    }
    const { value, count } = likeness(page.feed, page.state.target, feed, t, this.besides);
    const how = this.besides.isSame ? "" : ` The grids differ: the second map is read at the middles of the first one's ${page.feed.cell}s.`;
    said.replaceChildren("Spearman’s rank correlation of the evidence in both maps: ");
    said.append(value === null ? "no value, as one of them has no order" : element("data", { value: String(value), textContent: show(value, 3) }));
    said.append(`, over ${count} ${page.feed.cell}s.${how}`);
  }

  // Which cells of the second map lie at those of the first one.
  beside(feed) {
    const { feed: first } = this.page;
    if (this.besides?.first !== first || this.besides.second !== feed) this.besides = { first, second: feed, ...cellsBeside(first, feed) };
    return this.besides;
  }

  // The same places are marked in both maps.
  point() {
    const { page, shown } = this;
    if (!shown) return;
    const { cells } = this.beside(shown.feed);
    const marked = cells ? page.shown.map(({ cell, kind }) => ({ cell: cells[cell], kind })).filter(({ cell }) => cell >= 0) : [];
    this.figure.point(marked);
    const target = shown.feed.targets[shown.t];
    const names = { pinned: "At the pinned place", crosshair: "At the crosshair", hovered: "At this place", strongest: "At the place of the first map's strongest" };
    byId("second-marks-said").textContent = marked
      .map(({ cell, kind }) => {
        const value = target.sensitivity[cell];
        return `${names[kind]}: ${Number.isNaN(value) ? "not computed" : `${showSigned(value)} ${target.unit}`}.`;
      })
      .join(" ");
  }

  // ---- what the reader does -----------------------------------------------------------------------------------

  listen() {
    const { page } = this;
    byId("second-target").addEventListener("change", () => {
      const { value } = byId("second-target");
      if (this.given) {
        this.givenTarget = Number(value);
        page.refresh();
      } else page.set({ beside: value === "" ? null : Number(value) });
    });
    byId("second-remove").addEventListener("click", () => {
      this.given = null;
      page.set({ beside: null });
      byId("second-file").value = "";
      (byId("second-choice").hidden ? byId("second-file") : byId("second-target")).focus();
    });
    byId("second-file").addEventListener("change", () => {
      const [file] = byId("second-file").files;
      if (file) this.read(file);
    });
    // A report may be dropped anywhere; what else is dropped is not for here.
    const isReport = (event) => [...(event.dataTransfer?.items ?? [])].some((item) => item.kind === "file" && item.type === "text/html");
    document.addEventListener("dragover", (event) => isReport(event) && event.preventDefault(), true);
    document.addEventListener("drop", (event) => {
      const file = [...(event.dataTransfer?.files ?? [])].find(({ name }) => /\.html?$/i.test(name));
      if (!file) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.read(file);
    }, true);
    byId("second-stage").addEventListener("pointermove", (event) => {
      if (this.besides?.cells && !page.isDragging) page.hover(this.firstAt(...fractionOf(byId("second-stage"), event)));
    });
    byId("second-stage").addEventListener("pointerleave", () => page.isDragging || page.hover(null));
    byId("second-stage").addEventListener("click", (event) => {
      if (!this.besides?.cells) return;
      const cell = this.firstAt(...fractionOf(byId("second-stage"), event));
      page.pin(page.state.pinned === cell ? null : cell);
    });
  }

  // The first map's cell at a place of the second one: fractions are the same in both, unless only the source is in common.
  firstAt(x, y) {
    const [first, second] = [this.page.view, this.view];
    const along = (axis, otherAxis, fraction) => {
      if (axis === null) return 0;
      const [one, other] = [this.page.feed.axes[axis], this.seen.axes[otherAxis]];
      let place = fraction * other.length;
      if (one.length !== other.length) place = (other.offset + other.scale * place - one.offset) / one.scale;
      return nearestCell(one, place);
    };
    return first.cell(along(first.row, second.row, y), along(first.col, second.col, x));
  }

  async read(file) {
    const said = byId("second-error");
    said.textContent = "";
    try {
      const feed = feedOfReport(await file.text());
      this.show(feed, file.name);
    } catch (error) {
      byId("compare").open = true;
      said.textContent = `${file.name} cannot be compared: ${error.message}`;
    }
  }
}

// The feed in a report's text. It is read as data: its script block is JSON, and the rest of the file is left alone.
function feedOfReport(text) {
  const found = /<script type="application\/json" id="feed">([^<]+)</.exec(text);
  if (!found) throw new Error("it is no report of occlude: it has no block of data.");
  let info;
  try {
    info = JSON.parse(found[1]);
  } catch {
    throw new Error("its block of data is damaged.");
  }
  const isList = (value) => Array.isArray(value) && value.length > 0;
  const isAxis = (axis) => isList(axis?.starts) && axis.starts.length === axis.ends?.length && Number.isInteger(axis.length) && [...axis.starts, ...axis.ends].every(Number.isInteger);
  if (info?.schema === "occlude.page/1" && !(isList(info.axes) && info.axes.every(isAxis) && isList(info.targets) && isList(info.ramp))) {
    throw new Error("its block of data lacks axes, targets or colours.");
  }
  const cells = info?.axes?.reduce((product, axis) => product * axis.starts.length, 1);
  if (cells > MOST_CELLS) throw new Error(`it has ${cells} cells; up to ${MOST_CELLS} can be shown.`);
  return new Feed(info);
}
