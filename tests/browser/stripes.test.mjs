// Stripes over the cells whose sign is not stable: where the file says, on any colour, and off with a box that the address keeps.
// In: the page of `crates/occlude/tests/stability.rs`.

import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { addressWith, blockOf, feedOf, open, screenshots } from "./reports.mjs";

// Of each cell, how many colours its inner part has on the map.
function shadesOf(page, feed) {
  const cells = [...feed.targets[0].sensitivity.keys()];
  const part = (axis, i, from) => {
    const { starts, ends, length } = feed.axes[axis];
    const middle = (k) => (starts[k] + ends[k]) / 2;
    const left = i > 0 ? (middle(i - 1) + middle(i)) / 2 : starts[i];
    const right = i + 1 < starts.length ? (middle(i) + middle(i + 1)) / 2 : ends[i];
    return (left + (right - left) * from) / length;
  };
  const boxes = cells.map((cell) => {
    const [row, column] = [Math.floor(cell / feed.columns), cell % feed.columns];
    return [part(1, column, 0.15), part(0, row, 0.15), part(1, column, 0.85), part(0, row, 0.85)];
  });
  return page.locator("#map").evaluate((node, all) => {
    const pen = node.getContext("2d");
    return all.map(([left, top, right, bottom]) => {
      const [x, y] = [Math.ceil(left * node.width), Math.ceil(top * node.height)];
      const { data } = pen.getImageData(x, y, Math.floor(right * node.width) - x, Math.floor(bottom * node.height) - y);
      const seen = new Set();
      for (let i = 0; i < data.length; i += 4) seen.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
      return seen.size;
    });
  }, boxes);
}

test("cells whose sign depends on the choice have stripes, the others have none, and the box takes them off", async () => {
  const feed = feedOf("stable.html");
  const marked = new Set(blockOf("stable.html").targets[0].marked);
  assert.ok(marked.size > 0 && marked.size < feed.targets[0].sensitivity.length);
  const { page, wrong, close } = await open("stable.html");
  const striped = (shades) => shades.flatMap((count, cell) => (count > 1 ? [cell] : []));
  assert.deepEqual(striped(await shadesOf(page, feed)), [...marked].sort((a, b) => a - b));
  assert.equal(await page.locator("#stripes-said").textContent(), feed.stability[0]);
  await page.screenshot({ path: path.join(screenshots, "stripes.png"), fullPage: true });
  await page.getByLabel("stripes where the sign is not stable").uncheck();
  assert.deepEqual(striped(await shadesOf(page, feed)), []);
  const hash = await addressWith(page, "stripes=off");
  const again = await open("stable.html", { hash });
  assert.deepEqual(striped(await shadesOf(again.page, feed)), []);
  await again.page.getByLabel("stripes where the sign is not stable").check();
  assert.equal(striped(await shadesOf(again.page, feed)).length, marked.size);
  assert.deepEqual([...wrong, ...again.wrong], []);
  await again.close();
  await close();
});

test("there are none in other views, and no box in a page without them", async () => {
  const { page, close } = await open("stable.html", { hash: "#view=score" });
  assert.ok(await page.locator("#stripes").isHidden());
  await close();
  const plain = await open("report.html");
  assert.ok(await plain.page.locator("#stripes").isHidden());
  await plain.close();
});
