// The box around the object, in a real browser: its shares against what the crate judges of the same boxes on the same map
// (NAME.judged.json, written beside the pages), drawn by mouse and touch, given by numbers.
// In: the reports of reports.mjs.

import assert from "node:assert/strict";
import { test } from "node:test";
import path from "node:path";
import { addressWith, blockOf, judgedOf, near, open, screenshots, setValue, until } from "./reports.mjs";

// The exact numbers of the panel by their names.
function result(page) {
  return page.locator("#object-result > div").evaluateAll((rows) =>
    Object.fromEntries(rows.map((row) => [row.querySelector("dt").textContent, Number(row.querySelector("data")?.value ?? NaN)])),
  );
}

const MAPS = ["report", "incomplete", "joined", "summed", "ellipse", "scales", "channels", "other", "signal", "volume"];

for (const name of MAPS) {
  test(`the shares in a box are those that the crate judges: ${name}`, async () => {
    const judged = judgedOf(name);
    assert.ok(judged.length > 0);
    for (const { box, targets } of judged) {
      for (const [t, expected] of targets.entries()) {
        const { page, wrong, close } = await open(`${name}.html`, { hash: `#target=${t}&box=${box.join()}` });
        assert.ok(await page.locator("#object-result").isVisible(), `${name} ${box}: ${await page.locator("#object").innerText()}`);
        const found = await result(page);
        const compare = (term, value, size = 1) => {
          if (value === null) assert.ok(Number.isNaN(found[term]), `${name} ${box}: ${term} is ${found[term]}, expected no value`);
          else near(found[term], value, 1e-6 * size, `${name} ${box} ${term}`);
        };
        compare("share of the positive evidence", expected.share_inside?.value ?? null);
        compare("share of the area", expected.object_share);
        compare("density inside over outside", expected.density_ratio?.value ?? null, Math.max(1, expected.density_ratio?.value ?? 1));
        assert.equal(found["elements in the box"], expected.object_places);
        assert.equal(found["left out, as no computed window covers them"] ?? 0, expected.places - expected.covered);
        assert.deepEqual(wrong, []);
        await close();
      }
    }
  });
}

test("the maps judged take every way that evidence per place comes", () => {
  const ways = MAPS.map((name) => blockOf(`${name}.html`).places).map(({ from, weights }) => `${from} ${weights?.length > 0}`);
  assert.deepEqual([...new Set(ways)].sort(), ["cells false", "cells true", "elements false", "windows false"]);
});

test("a drag with the mouse draws a box on picture and map, pins nothing, and is in the address", async () => {
  const { page, wrong, close } = await open("report.html");
  for (const stage of ["#picture-stage", "#map-stage"]) {
    await page.locator(stage).scrollIntoViewIfNeeded();
    const box = await page.locator(stage).boundingBox();
    const at = (x, y) => [box.x + x * box.width, box.y + y * box.height];
    await page.mouse.move(...at(0.25, 0.5));
    await page.mouse.down();
    await page.mouse.move(...at(0.5, 0.6), { steps: 3 });
    await page.mouse.move(...at(0.75, 0.25), { steps: 3 });
    await page.mouse.up();
    // 224 elements at 600/384 pixels from 80 on: fractions of 350 pixels from 125 on, along y from 25 on.
    const [y0, y1, x0, x1] = await page.evaluate("page.state.box");
    for (const [value, expected] of [[y0, 25 + 87.5], [y1, 25 + 175], [x0, 125 + 87.5], [x1, 125 + 262.5]]) near(value, expected, 2, stage);
    assert.equal(await page.evaluate("page.state.pinned"), null);
    assert.ok(await page.locator("#object-result").isVisible(), "the panel opens");
    assert.equal(await page.locator(".object-box").count(), 2);
    await addressWith(page, `box=${[y0, y1, x0, x1].join()}`);
    await page.screenshot({ path: path.join(screenshots, "box.png") });
    await page.getByRole("button", { name: "Remove the box" }).click();
    assert.equal(await page.locator(".object-box").count(), 0);
  }
  // A click still pins.
  await page.locator("#map-stage").click();
  assert.notEqual(await page.evaluate("page.state.pinned"), null);
  assert.deepEqual(wrong, []);
  await close();
});

test("by touch a box is drawn after the button was pressed", async () => {
  const { page, wrong, close } = await open("report.html", { hasTouch: true, viewport: { width: 412, height: 900 } });
  await page.getByText("A box around").tap();
  const touch = async (from, to) => {
    await page.locator("#map-stage").scrollIntoViewIfNeeded();
    const box = await page.locator("#map-stage").boundingBox();
    const client = await page.context().newCDPSession(page);
    const points = ([x, y]) => [{ x: box.x + x * box.width, y: box.y + y * box.height }];
    await client.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: points(from) });
    for (let i = 1; i <= 5; i++) await client.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: points([0, 1].map((k) => from[k] + ((to[k] - from[k]) * i) / 5)) });
    await client.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
  };
  await touch([0.2, 0.2], [0.7, 0.2]);
  assert.equal(await page.evaluate("page.state.box"), null, "without the button a touch is for scrolling");
  // A tap right after a synthetic touch may be taken for a part of that gesture, so the button is clicked.
  await page.getByRole("button", { name: "Draw the box" }).click();
  assert.equal(await page.locator("#draw").getAttribute("aria-pressed"), "true");
  await touch([0.2, 0.2], [0.7, 0.5]);
  await until(page, "page.state.box !== null");
  const [y0, y1, x0, x1] = await page.evaluate("page.state.box");
  for (const [value, expected] of [[y0, 25 + 70], [y1, 25 + 175], [x0, 125 + 70], [x1, 125 + 245]]) near(value, expected, 6, "touched");
  assert.equal(await page.locator("#draw").getAttribute("aria-pressed"), "false");
  assert.deepEqual(wrong, []);
  await close();
});

test("what cannot be judged is said", async () => {
  const { page, wrong, close } = await open("report.html");
  await page.getByText("A box around").click();
  for (const [id, value] of [["0-0", 100], ["0-1", 100.2], ["1-0", 150], ["1-1", 420]]) await setValue(page, `#box-${id}`, value);
  assert.match(await page.locator("#object-said").innerText(), /holds no middle of an element/);
  await setValue(page, "#box-0-1", 90);
  assert.match(await page.locator("#object-said").innerText(), /y1 has to be greater than y0/);
  assert.ok(await page.locator("#object-result").isHidden());
  assert.deepEqual(wrong, []);
  await close();
  const old = await open("report.html");
  await old.page.evaluate(`{ const info = JSON.parse(document.getElementById("feed").textContent); info.places = { from: null, why: "For a reason." }; page.show(new Feed(info)); }`);
  await old.page.getByText("A box around").click();
  assert.ok(await old.page.locator("#object-can").isHidden());
  assert.equal(await old.page.locator("#object-why").innerText(), "For a reason.");
  await old.close();
});
