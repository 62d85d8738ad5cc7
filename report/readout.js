// The cards below the figures: what is known of the window under the pointer, the pinned one, or else the strongest one; and the
// same as a sentence for who listens to the page.
// In: a Page and the cells it shows. Out: cards, whose exact numbers are in `value` attributes.

"use strict";

class Readout {
  constructor(page) {
    this.page = page;
  }

  point() {
    const cards = this.page.shown.map((entry) => this.card(entry));
    if (this.page.planes.isOn) cards.unshift(this.place(this.page.planes.facts()));
    byId("readout").replaceChildren(...cards);
  }

  place(facts) {
    const rows = facts.map(([name, text]) => element("div", {}, element("dt", { textContent: name }), element("dd", { textContent: text })));
    return element("dl", { className: "card place" }, ...rows);
  }

  card({ cell, kind, title }) {
    const { feed, target, state: chosen } = this.page;
    const value = target.sensitivity[cell];
    const row = (name, text, exact, look = "") => {
      const dd = element("dd", { className: look });
      // The exact number travels in the value attribute; the text is rounded for reading.
      dd.append(exact === null ? text : element("data", { value: String(exact), textContent: text }));
      return element("div", {}, element("dt", { textContent: name }), dd);
    };
    const places = feed.info.source_unit ? [row(`in the source ${isVolume(feed) ? "volume" : "picture"}`, placeText(feed, cell, true), null)] : [];
    places.push(row("in the input tensor", placeText(feed, cell, false), null));
    const card = element("dl", { className: `card ${kind}${places.length < 2 || !feed.mostProbable ? " short" : ""}` });
    card.dataset.cell = String(cell);
    card.append(row(title, `${feed.rank(chosen.target, cell) ?? "–"} of ${feed.order(chosen.target).length}`, null, "big"), ...places);
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

  // What is known of a cell, as a sentence; `before` stands in front of it.
  say(cell, before = "") {
    const { feed, target, state: chosen } = this.page;
    const value = target.sensitivity[cell];
    const then = feed.mostProbable ? feed.mostProbable[cell] : -1;
    byId("spoken").textContent =
      `${before}${placeText(feed, cell, Boolean(feed.info.source_unit))}: ` +
      (Number.isNaN(value)
        ? "not computed"
        : `${target.unit} ${show(target.baseline)}${feed.hasScores ? ` to ${show(target.occluded[cell])}, difference` : ", value of the map"} ${showSigned(value)}, ` +
          `rank ${feed.rank(chosen.target, cell)} of ${feed.order(chosen.target).length}${then >= 0 ? `, the model then says ${feed.className(then)}` : ""}`);
  }
}
