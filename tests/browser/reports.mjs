// What the browser tests of reports share: the browser, opening a report, its feed decoded here on its own, screenshots.
// In: REPORTS, a folder with the pages (default: target/tmp, where `cargo test -p occlude --test pictures --test zeiler` writes them), and
// CHROMIUM, a Chromium or Chrome (default: the usual places). Out: helpers; no test.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const here = path.dirname(fileURLToPath(import.meta.url));
export const reports = process.env.REPORTS ?? path.join(here, "../../target/tmp");
export const screenshots = path.join(reports, "screenshots");
const browserPath =
  process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((file) => existsSync(file));

let browser;
before(async () => {
  assert.ok(browserPath, "no Chromium found: install it (Debian: apt-get install chromium) or name one in CHROMIUM");
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"] });
  mkdirSync(screenshots, { recursive: true });
});
after(() => browser?.close());

// The data block of a report file, as it is.
export function blockOf(name) {
  return JSON.parse(readFileSync(path.join(reports, name), "utf8").match(/id="feed">(.*?)<\/script>/s)[1]);
}

export function floats(base64) {
  const bytes = Buffer.from(base64, "base64");
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
}

// The feed of a report file, with its numbers decoded.
export function feedOf(name) {
  const feed = blockOf(name);
  for (const target of feed.targets) {
    target.occluded = target.occluded && floats(target.occluded);
    target.sensitivity = target.sensitivity ? floats(target.sensitivity) : target.occluded.map((score) => target.baseline - score);
  }
  if (feed.most_probable) {
    const { classes, which } = feed.most_probable;
    feed.most_probable = Array.from(Buffer.from(which, "base64"), (i) => classes[i]);
  }
  feed.columns = feed.axes.at(-1).starts.length;
  return feed;
}

// What the crate judged of boxes on this map: [{box, targets}].
export function judgedOf(name) {
  return JSON.parse(readFileSync(path.join(reports, `${name}.judged.json`), "utf8"));
}

// Opens a report and fails on any script error, refused resource or request that leaves the file.
export async function open(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, offline: true, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on("pageerror", (error) => wrong.push(String(error)));
  // That canvases are read back is these tests' doing.
  const isOurs = (text) => text.includes("willReadFrequently");
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && !isOurs(message.text()) && wrong.push(message.text()));
  page.on("request", (request) => /^(file|data|about):/.test(request.url()) || wrong.push(request.url()));
  await page.goto(pathToFileURL(path.join(reports, name)).href + (options.hash ?? ""));
  await page.waitForSelector("#page:not([hidden])");
  return { page, wrong, close: () => context.close() };
}

// Where the middle of a cell is on a map, in CSS pixels of the window.
export async function middleOf(page, feed, cell, stage = "#map-stage") {
  await page.locator(stage).scrollIntoViewIfNeeded();
  const box = await page.locator(stage).boundingBox();
  const along = (axis, i) => (axis.starts[i] + axis.ends[i]) / 2 / axis.length;
  return {
    x: box.x + box.width * along(feed.axes.at(-1), cell % feed.columns),
    y: box.y + box.height * along(feed.axes.at(-2), Math.floor(cell / feed.columns) % feed.axes.at(-2).starts.length),
  };
}

// The colours, as rrggbb, of a canvas at the middles of these cells.
export function coloursOf(page, canvas, feed, cells) {
  const along = (axis, i) => (axis.starts[i] + axis.ends[i]) / 2 / axis.length;
  const places = cells.map((cell) => [along(feed.axes.at(-1), cell % feed.columns), along(feed.axes.at(-2), Math.floor(cell / feed.columns))]);
  return page.locator(canvas).evaluate((node, all) => {
    const pen = node.getContext("2d");
    return all.map(([x, y]) => {
      const [r, g, b, alpha] = pen.getImageData(Math.floor(x * node.width), Math.floor(y * node.height), 1, 1).data;
      return alpha === 0 ? "" : [r, g, b].map((v) => v.toString(16).padStart(2, "0")).join("");
    });
  }, places);
}

// A slider or field is set as a reader would, with the events that follow.
export function setValue(page, selector, value) {
  return page.locator(selector).evaluate((node, text) => {
    node.value = text;
    node.dispatchEvent(new Event("input", { bubbles: true }));
    node.dispatchEvent(new Event("change", { bubbles: true }));
  }, String(value));
}

// Waits until something is so in the page. (Playwright's own waitForFunction needs eval, which the page's policy refuses.)
export async function until(page, test, argument) {
  for (let tries = 0; tries < 400; tries++) {
    if (await page.evaluate(test, argument)) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`never so: ${test}; the address is ${page.url()}`);
}

// The address, once what is to be in it is there.
export async function addressWith(page, ...parts) {
  await until(page, (wanted) => wanted.every((part) => decodeURIComponent(location.hash).includes(part)), parts);
  return page.evaluate(() => location.hash);
}

export function near(actual, expected, tolerance, what) {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, expected ${expected}`);
}
