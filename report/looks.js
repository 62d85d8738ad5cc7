// The ways to look at a map: its evidence, the most probable class of every window, the score with every window hidden.
// In: a Feed, a target, what the reader chose. Out: which ways there are, and for one of them how every cell looks, with its scale or its
// legend. Colours come with the feed. No document here.

"use strict";

const LOOKS = [
  { name: "evidence", label: () => "evidence", has: () => true },
  { name: "class", label: () => "most probable class", has: (feed) => feed.mostProbable !== null && feed.info.class_colours !== undefined },
  { name: "score", label: (target) => target.score_title, has: (feed) => feed.hasScores && feed.info.sequential !== undefined },
];

// Whether a number is weaker than what the reader wants to see.
function isWeak(value, { weakFor, weakAgainst }) {
  if (value > 0) return value < weakFor;
  if (value < 0) return -value < weakAgainst;
  return weakFor > 0 && weakAgainst > 0;
}

// How the cells of a map look: `look(cell)` as draw.js wants it on a ground of its own, `over(cell)` on top of the picture; with `scale`
// for a bar or `legend` for a list.
function lookOf(name, feed, t, chosen, limit) {
  if (name === "class") return classLook(feed);
  const target = feed.targets[t];
  const missing = feed.isUncovered ? undefined : null;
  if (name === "score") {
    const scale = new RangeScale(feed.info.sequential, target.occluded, target.baseline);
    const look = (cell) => (Number.isNaN(target.occluded[cell]) ? missing : { colour: scale.colour(target.occluded[cell]) });
    return { name, scale, look, over: look, values: target.occluded };
  }
  const scale = new Scale(feed.info.ramp, limit);
  const seen = (alpha) => (cell) => {
    const value = target.sensitivity[cell];
    if (Number.isNaN(value)) return missing;
    if (isWeak(value, chosen)) return undefined;
    return { colour: scale.colour(value), alpha: alpha(scale.position(value)), isStriped: chosen.striped && target.marked.has(cell) };
  };
  // Over the picture, weak evidence is see-through, so that the picture stays in sight.
  const over = seen((position) => Math.max(0, Math.min(1, 1.7 * Math.abs(position) - 0.08)));
  return { name, scale, look: seen(() => 1), over, values: target.sensitivity };
}

// Classes by colour and pattern: as many as there are colours, the others all alike.
function classLook(feed) {
  const colours = feed.info.class_colours.map((colour) => "#" + colour);
  const counted = feed.classCounts();
  // While windows come in, a class keeps the colour that it got.
  const before = feed.info.complete ? [] : (feed.classOrder ?? []);
  const known = new Set(before);
  const order = [...before, ...counted.map(({ index }) => index).filter((index) => !known.has(index))];
  feed.classOrder = order;
  const untouched = feed.info.predicted?.index;
  const counts = new Map(counted.map(({ index, count }) => [index, count]));
  const shapes = new Map(order.slice(0, colours.length).map((index, i) => [index, { colour: colours[i], pattern: PATTERNS[i] }]));
  const other = { colour: "#" + feed.info.class_other, pattern: PATTERNS.at(-1) };
  const legend = order.slice(0, colours.length).map((index) => ({
    label: feed.className(index),
    count: counts.get(index) ?? 0,
    isUntouched: index === untouched,
    ...shapes.get(index),
  }));
  const others = order.slice(colours.length);
  if (others.length > 0) {
    const count = others.reduce((n, index) => n + (counts.get(index) ?? 0), 0);
    legend.push({ label: others.length === 1 ? feed.className(others[0]) : `${others.length} other classes`, count, isUntouched: false, ...other });
  }
  const missing = feed.isUncovered ? undefined : null;
  const look = (cell) => (feed.mostProbable[cell] < 0 ? missing : (shapes.get(feed.mostProbable[cell]) ?? other));
  return { name: "class", legend, look, over: look };
}
