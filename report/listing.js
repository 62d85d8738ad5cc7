// All windows as a table, on demand: in pages of 200, by place or by difference.
// In: a Page. Out: the table in the document, filled only while it is open.

"use strict";

const ROWS = 200;

class Listing {
  constructor(page) {
    this.page = page;
    this.from = 0;
    const box = byId("listing");
    box.addEventListener("toggle", () => {
      if (box.open === (page.state.listed !== null)) return;
      page.set({ listed: box.open ? "place" : null });
    });
    byId("listing-before").addEventListener("click", () => this.turn(-ROWS));
    byId("listing-after").addEventListener("click", () => this.turn(ROWS));
  }

  build() {
    this.from = 0;
    byId("listing-title").textContent = `Show all ${this.page.feed.cells} ${this.page.feed.cell}s as a table`;
  }

  refresh() {
    const { listed } = this.page.state;
    byId("listing").open = listed !== null;
    if (listed === null) return;
    const order = this.order(listed);
    if (this.from >= order.length) this.from = 0;
    const rows = [...order.slice(this.from, this.from + ROWS)];
    this.fill(rows, listed);
    const said = `${this.from + 1} to ${this.from + rows.length} of ${order.length} ${this.page.feed.cell}s`;
    byId("listing-said").textContent = said;
    byId("listing-before").disabled = this.from === 0;
    byId("listing-after").disabled = this.from + ROWS >= order.length;
    byId("listing-turn").hidden = order.length <= ROWS;
  }

  // Cells in the order that was asked for; those that were not computed come last.
  order(listed) {
    const { feed, state: chosen } = this.page;
    const all = Array.from({ length: feed.cells }, (_, cell) => cell);
    if (listed === "place") return all;
    const known = feed.order(chosen.target);
    const { sensitivity } = feed.targets[chosen.target];
    const missing = all.filter((cell) => Number.isNaN(sensitivity[cell]));
    return [...(listed === "for" ? known : [...known].reverse()), ...missing];
  }

  turn(by) {
    this.from = Math.max(0, this.from + by);
    this.refresh();
    byId("listing-table").scrollIntoView({ block: "nearest" });
  }

  fill(cells, listed) {
    const { page } = this;
    const { feed, target } = page;
    const isInSource = Boolean(feed.info.source_unit);
    const heads = [
      { text: isInSource ? `in the source ${isVolume(feed) ? "volume" : "picture"}` : `place of the ${feed.cell}`, next: "place", sorted: listed === "place" ? "ascending" : "none" },
      ...(isInSource ? [{ text: "in the input tensor" }] : []),
      ...(feed.hasScores ? [{ text: `${target.unit} then`, number: true }] : []),
      {
        text: feed.hasScores ? "difference" : "value of the map",
        number: true,
        next: listed === "for" ? "against" : "for",
        sorted: listed === "for" ? "descending" : listed === "against" ? "ascending" : "none",
      },
      ...(feed.mostProbable ? [{ text: "the model then says" }] : []),
    ];
    const header = element("tr", {}, ...heads.map((head) => this.head(head)));
    const rows = cells.map((cell) => {
      const value = target.sensitivity[cell];
      const button = element("button", { type: "button", textContent: placeText(feed, cell, isInSource) });
      button.addEventListener("click", () => page.pin(cell));
      const row = element("tr", {}, element("td", {}, button));
      row.dataset.cell = String(cell);
      if (isInSource) row.append(element("td", { textContent: placeText(feed, cell, false) }));
      if (feed.hasScores) row.append(this.number(target.occluded[cell], show(target.occluded[cell])));
      row.append(this.number(value, showSigned(value), value > 0 ? "for" : value < 0 ? "against" : ""));
      if (feed.mostProbable) row.append(element("td", { textContent: feed.mostProbable[cell] >= 0 ? feed.className(feed.mostProbable[cell]) : "–" }));
      return row;
    });
    const caption = element("caption", { textContent: `All ${feed.cell}s of ${target.label}` });
    // The heads are made anew, so the one that was used gets the focus again.
    const used = document.activeElement?.dataset?.sort;
    byId("listing-table").replaceChildren(caption, element("thead", {}, header), element("tbody", {}, ...rows));
    if (used) byId("listing-table").querySelector(`[data-sort="${used}"]`)?.focus();
  }

  head({ text, number, next, sorted }) {
    const th = element("th", { scope: "col", className: number ? "number" : "" });
    if (!next) th.textContent = text;
    else {
      const arrow = { ascending: " ↑", descending: " ↓", none: "" }[sorted];
      const button = element("button", { type: "button", textContent: text + arrow });
      button.dataset.sort = next === "place" ? "place" : "difference";
      button.addEventListener("click", () => {
        this.from = 0;
        this.page.set({ listed: next });
      });
      th.ariaSort = sorted;
      th.append(button);
    }
    return th;
  }

  number(value, text, look = "") {
    return element("td", { className: `number ${look}` }, element("data", { value: String(value), textContent: text }));
  }
}
