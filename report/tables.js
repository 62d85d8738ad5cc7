// The tables: the strongest windows for and against the target, and the sentence above them.
// In: a Page. Out: tables whose windows can be pinned from their rows.

"use strict";

const TOP = 8;

class Tables {
  constructor(page) {
    this.page = page;
  }

  refresh() {
    const { feed, target, state: chosen } = this.page;
    const order = feed.order(chosen.target);
    const [above, below] = [`Evidence for ${target.label}`, `Evidence against ${target.label}`];
    if (feed.hasScores) {
      this.fill(byId("top-for"), above, [...order.subarray(0, TOP)].filter((cell) => target.sensitivity[cell] > 0).map((cell) => this.ofCell(cell)));
      this.fill(byId("top-against"), below, [...order.subarray(-TOP)].filter((cell) => target.sensitivity[cell] < 0).reverse().map((cell) => this.ofCell(cell)));
    } else {
      // The strongest windows of a map whose cells are elements have no cell of their own to go to.
      this.fill(byId("top-for"), above, target.top_for);
      this.fill(byId("top-against"), below, target.top_against);
    }
    byId("summary").textContent = this.summary(order);
  }

  // What a table says of a cell.
  ofCell(cell) {
    const { feed, target } = this.page;
    const then = feed.mostProbable ? feed.mostProbable[cell] : -1;
    return {
      cell,
      place: placeText(feed, cell, Boolean(feed.info.source_unit)),
      score: target.occluded[cell],
      difference: target.sensitivity[cell],
      then: then >= 0 ? feed.className(then) : null,
    };
  }

  summary(order) {
    const { feed, target } = this.page;
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
      text += ` With ${feed.flips} of ${order.length} windows hidden, the model says something else than ${feed.info.predicted.label}.`;
    }
    return text;
  }

  fill(table, caption, windows) {
    const { page } = this;
    const classes = page.feed.hasScores ? page.feed.mostProbable !== null : windows.some(({ then }) => then !== null);
    const head = ["hidden window", "score then", "difference", ...(classes ? ["the model then says"] : [])];
    const header = element("tr", {}, ...head.map((text, i) => element("th", { scope: "col", textContent: text, className: i === 1 || i === 2 ? "number" : "" })));
    const rows = windows.map(({ cell, place, score, difference, then }) => {
      const row = element("tr", {});
      const first = element("td", {});
      if (cell === undefined) first.textContent = place;
      else {
        const button = element("button", { type: "button", textContent: place });
        button.addEventListener("click", () => page.pin(cell));
        first.append(button);
        row.dataset.cell = String(cell);
      }
      row.append(first, element("td", { className: "number", textContent: show(score) }));
      row.append(element("td", { className: `number ${difference > 0 ? "for" : "against"}`, textContent: showSigned(difference) }));
      if (classes) row.append(element("td", { textContent: then ?? "–" }));
      return row;
    });
    if (rows.length === 0) rows.push(element("tr", {}, element("td", { colSpan: head.length, textContent: "none" })));
    table.replaceChildren(element("caption", { textContent: caption }), element("thead", {}, header), element("tbody", {}, ...rows));
  }
}
