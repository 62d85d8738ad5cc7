// The page of the five panels in a real browser, against the published reference (tests/conformance/zeiler_fergus_reference.json):
// hovered, walked by keyboard, and its pixels read back.
// In: REPORTS, a folder with zeiler.html (default: target/tmp, where `cargo test -p occlude --test zeiler` writes it), and
// CHROMIUM, as in report.test.mjs. Run: npm ci && node --test

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const here = path.dirname(fileURLToPath(import.meta.url));
const reports = process.env.REPORTS ?? path.join(here, "../../target/tmp");
const browserPath =
  process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((file) => existsSync(file));
const reference = JSON.parse(readFileSync(path.join(here, "../conformance/zeiler_fergus_reference.json"), "utf8"));
const feed = JSON.parse(readFileSync(path.join(reports, "zeiler.html"), "utf8").match(/id="feed">(.*?)<\/script>/s)[1]);

let browser;
before(async () => {
  assert.ok(browserPath, "no Chromium found: install it (Debian: apt-get install chromium) or name one in CHROMIUM");
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
});
after(() => browser?.close());

// Opens the page and fails on any script error, refused resource or request that leaves the file.
async function open(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1600, height: 1000 }, offline: true, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && wrong.push(message.text()));
  page.on("request", (request) => /^(file|data):/.test(request.url()) || wrong.push(request.url()));
  await page.goto(pathToFileURL(path.join(reports, "zeiler.html")).href);
  await page.waitForSelector("#page:not([hidden])");
  return { page, wrong, close: () => context.close() };
}

async function hover(page, panel, row, col) {
  const box = await page.locator(`#panel-${panel} .stage`).boundingBox();
  await page.mouse.move(box.x + ((col + 0.5) / 8) * box.width, box.y + ((row + 0.5) / 8) * box.height);
}

// What the reading says, by its terms.
function reading(page) {
  return page.locator("#reading").evaluate((list) =>
    Object.fromEntries([...list.querySelectorAll("dt")].map((dt) => [dt.textContent, dt.nextElementSibling.querySelector(".big").textContent])),
  );
}

async function checkReading(page, row, col) {
  const said = await reading(page);
  const [activity, probability] = [said["(b) total activity"], said["(d) probability"]].map(Number);
  assert.ok(Math.abs(activity - reference.fig_b_total_activation_of_strongest_map[row][col]) < 0.006, `(b) at ${row}, ${col}: ${activity}`);
  assert.ok(Math.abs(probability - reference.fig_d_probability_correct_class[row][col]) < 6e-5, `(d) at ${row}, ${col}: ${probability}`);
  assert.equal(said["(e) most probable class"], `class ${reference.fig_e_most_probable_label[row][col]}`);
  const [top, left] = [row, col].map((place) => Math.max(0, place - 1));
  const [bottom, right] = [row, col].map((place) => Math.min(8, place + 2));
  assert.equal(said.occluder, `x ${left}–${right}, y ${top}–${bottom} elements`);
}

test("every panel reads out the position under the pointer, and the untouched input elsewhere", async () => {
  const { page, wrong, close } = await open();
  const untouched = await reading(page);
  assert.equal(untouched["(d) probability"], reference.probabilities_unoccluded[0].toFixed(4));
  for (const [panel, row, col] of [["b", 0, 0], ["d", 3, 6], ["e", 4, 1], ["a", 7, 7], ["c", 5, 2]]) {
    await hover(page, panel, row, col);
    await checkReading(page, row, col);
    const at = await page.locator("#panel-a .occluder").evaluate((node) => [node.style.left, node.style.top].map(parseFloat));
    assert.deepEqual(at, [col, row].map((place) => 12.5 * Math.max(0, place - 1)), "the occluder is drawn on the input");
  }
  await page.mouse.move(2, 2);
  assert.deepEqual(await reading(page), untouched);
  assert.ok(!(await page.locator("#panel-a .occluder").isVisible()));
  assert.deepEqual(wrong, []);
  await close();
});

test("arrow keys walk the positions", async () => {
  const { page, wrong, close } = await open();
  await page.locator("#panel-d .stage").focus();
  for (const key of ["ArrowDown", "ArrowDown", "ArrowDown", "End", "ArrowLeft"]) await page.keyboard.press(key);
  await checkReading(page, 2, 6);
  assert.match(await page.locator("#spoken").textContent(), /class 0/);
  await page.keyboard.press("Escape");
  assert.equal((await reading(page)).occluder, "nowhere");
  assert.deepEqual(wrong, []);
  await close();
});

test("pixels of (b) and (d) are the ramp's colours, those of (e) the legend's", async () => {
  const { page, close } = await open();
  const pixels = (panel) =>
    page.locator(`#panel-${panel} canvas`).first().evaluate((canvas) => {
      const pen = canvas.getContext("2d");
      const hex = (v) => v.toString(16).padStart(2, "0");
      return Array.from({ length: 64 }, (_, cell) => {
        const [x, y] = [(cell % 8) + 0.5, Math.floor(cell / 8) + 0.5].map((at) => Math.floor((at / 8) * canvas.width));
        return "#" + [...pen.getImageData(x, y, 1, 1).data.slice(0, 3)].map(hex).join("");
      });
    });
  for (const [panel, values, { range }] of [
    ["b", reference.fig_b_total_activation_of_strongest_map.flat(), feed.activity],
    ["d", reference.fig_d_probability_correct_class.flat(), feed.probability],
  ]) {
    const seen = await pixels(panel);
    values.forEach((value, cell) => {
      const step = ((value - range[0]) / (range[1] - range[0])) * 254;
      const near = [Math.floor(step), Math.ceil(step), Math.round(step)].map((at) => feed.ramp[Math.min(254, Math.max(0, at))]);
      assert.ok(near.includes(seen[cell]), `(${panel}) cell ${cell}: ${seen[cell]}, expected one of ${near}`);
    });
  }
  const seen = await pixels("e");
  reference.fig_e_most_probable_label.flat().forEach((label, cell) => assert.equal(seen[cell], feed.classes[label].colour));
  const legend = await page.locator(".legend li").allInnerTexts();
  assert.deepEqual(legend.map((text) => text.split(/\s*\n\s*/).join(" ")), ["class 0 56", "class 1 8"]);
  await close();
});

test("the page fits a telephone", async () => {
  const { page, close } = await open({ viewport: { width: 360, height: 700 } });
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  await close();
});
