// What the tests of the live page share: a server (a stand-in of their own, or the real one), a browser, a page, and
// what is read off the page. In: OCCLUDE_SERVER, the address of a running `occlude serve` with EfficientNet-Lite0 and
// coffee.jpg (default: the stand-in); CHROMIUM. Out: helpers. Not here: tests.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { StandIn, plainPicture } from "./stand_in.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
export const real = process.env.OCCLUDE_SERVER?.replace(/\/$/, "") ?? null;
export const needsStandIn = real ? "needs the stand-in's tricks" : false;
export const SIZE = real ? "56" : "16"; // a window of which few are needed
const patience = real ? 120_000 : 20_000; // milliseconds
const reports = process.env.REPORTS ?? path.join(here, "../../target/tmp");
export const screenshots = path.join(reports, "screenshots");
const browserPath =
  process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((file) => existsSync(file));

let browser;
before(async () => {
  assert.ok(browserPath, "no Chromium found: install it (Debian: apt-get install chromium) or name one in CHROMIUM");
  mkdirSync(screenshots, { recursive: true });
  browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
});
const stands = new Set(); // a failed test leaves its own open
after(async () => {
  await browser?.close();
  await Promise.all([...stands].map((stand) => stand.stop()));
});

// A server with a page open on it. Every script error, refused resource and request elsewhere fails the test at
// `close`, unless the test says that it is expected: `allowed`.
export async function openLive({ standIn = {}, stand = null, hash = "", wait = "done", prepare = null, allowed = null, ...options } = {}) {
  const server = real ? null : (stand ?? (await new StandIn(standIn).start()));
  const base = real ?? server.url;
  if (server) stands.add(server);
  prepare?.(server);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  const wrong = [];
  const note = (text) => allowed?.test(text) || wrong.push(text);
  page.on("pageerror", (error) => note(String(error)));
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && note(message.text()));
  page.on("request", (request) => request.url().startsWith(base) || /^(data|blob):/.test(request.url()) || note(request.url()));
  await page.goto(`${base}/${hash}`);
  const live = { page, base, server, wrong, context };
  live.close = async () => {
    await context.close();
    if (server && !stand) {
      await server.stop();
      stands.delete(server);
    }
    assert.deepEqual(wrong, []);
  };
  if (wait === "done") await done(page);
  else if (wait) await page.waitForSelector(wait);
  return live;
}

// Waits until something is true in the page. (Playwright's own way evaluates text, which the page's policy forbids.)
export async function until(page, check, argument) {
  const end = Date.now() + patience;
  while (!(await page.evaluate(check, argument).catch(() => false))) {
    if (Date.now() > end) throw new Error(`this did not become true: ${check} (${JSON.stringify(argument)})`);
    await new Promise((go) => setTimeout(go, 20));
  }
}

// The map on the page is whole and is that of what is asked now.
export async function done(page) {
  await until(page, () => live.run.phase === "done" && !live.run.starter.isBusy && page?.feed.info.complete);
}

// A change is answered: the page shows the run of what the form says now.
export async function settled(page, change) {
  const before = await page.evaluate(() => live.run.id);
  await change();
  await until(page, (id) => live.run.id !== id && live.run.phase === "done", before);
}

// A picture to upload: one of the stand-in's, or a real one.
export function picture(seed = 2) {
  const name = real ? ["chelsea.jpg", "rocket.jpg"][seed % 2] : `pattern-${seed}.png`;
  const bytes = real ? readFileSync(path.join(here, "../../examples/images", name)) : plainPicture(48, 48, seed);
  return { name, mimeType: real ? "image/jpeg" : "image/png", buffer: bytes };
}

// Puts a file into the page as a drop or a paste would.
export function transfer(page, kind, file) {
  return page.evaluate(
    ([event, name, type, base64]) => {
      const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], name, { type }));
      const target = document.querySelector("h1");
      if (event === "paste") return target.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
      for (const step of ["dragenter", "dragover", "drop"]) target.dispatchEvent(new DragEvent(step, { dataTransfer: data, bubbles: true, cancelable: true }));
    },
    [kind, file.name, file.mimeType, file.buffer.toString("base64")],
  );
}

// A `.npy` file of float32: {shape, values}.
export function readNpy(bytes) {
  const length = bytes.readUInt16LE(8);
  const header = bytes.subarray(10, 10 + length).toString("latin1");
  assert.match(header, /'descr': '<f4'/);
  const shape = /'shape': \(([^)]*)\)/.exec(header)[1].split(",").filter((part) => part.trim() !== "").map(Number);
  const body = bytes.subarray(10 + length);
  return { shape, values: Float32Array.from({ length: body.length / 4 }, (_, i) => body.readFloatLE(4 * i)) };
}

// The numbers that the window by hand says: exact, as the page holds them.
export function handSays(page) {
  return page.evaluate(() => {
    const numbers = (table) => [...document.querySelectorAll(`${table} tbody tr`)].map((row) => ({
      name: row.querySelector("th").textContent,
      numbers: [...row.querySelectorAll("data")].map((data) => Number(data.value)),
    }));
    return {
      start: document.getElementById("by-hand").dataset.start.split(",").map(Number),
      place: document.getElementById("hand-place").textContent,
      scores: numbers("#hand-scores"),
      then: numbers("#hand-then"),
      before: numbers("#hand-before"),
    };
  });
}

// Waits until the hand's answer is that of this start.
export function handAt(page, start) {
  return until(page, (wanted) => document.getElementById("by-hand")?.dataset.start === wanted, start.join(","));
}
