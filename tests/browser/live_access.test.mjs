// The live page for everyone, in a real browser: no serious finding of axe-core in light, dark, narrow and busy; labels;
// what is in sight where; pictures of it to look at. In: see live_page.mjs, axe-core from npm.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { done, needsStandIn, openLive, real, screenshots, settled, until } from "./live_page.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function findings(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  const texts = ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} (${failureSummary})`).join("; ")}`;
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(texts);
}

const picture = (page, name) => page.screenshot({ path: path.join(screenshots, `live_${name}${real ? "_real" : ""}.png`) });

// Everything that can be open: list, hand, further settings, a second map, an error.
async function openAll(page) {
  await page.locator("#live-hand").click();
  await until(page, () => document.getElementById("by-hand").dataset.start);
  await page.locator("#live-hold").click();
  await page.evaluate(() => {
    document.getElementById("live-fold").open = true;
    document.getElementById("live-more-fold").open = true;
    document.getElementById("live-fill").value = "…";
    live.form.showFillText();
    live.showError("window 999 is larger than the input", "choose at most 32", true);
  });
  await page.locator("#live-target").click();
  await page.waitForSelector("#live-target-list li");
  await page.keyboard.press("ArrowDown");
}

for (const [name, options] of [
  ["light", {}],
  ["dark", { colorScheme: "dark" }],
  ["narrow", { viewport: { width: 360, height: 740 } }],
  ["narrow_dark", { viewport: { width: 360, height: 740 }, colorScheme: "dark" }],
  ["medium", { viewport: { width: 900, height: 700 } }],
]) {
  test(`axe finds nothing serious, ${name}: as it opens and with all open`, async () => {
    const { page, close } = await openLive({ reducedMotion: "reduce", ...options });
    assert.deepEqual(await findings(page), []);
    await picture(page, name);
    await openAll(page);
    assert.deepEqual(await findings(page), []);
    await picture(page, `${name}_all`);
    await close();
  });
}

test("axe finds nothing serious before there is a map, while one is computed, and when it was stopped", { skip: needsStandIn }, async () => {
  const empty = await openLive({ standIn: { input: false }, wait: "#live-empty:not([hidden])" });
  assert.deepEqual(await findings(empty.page), []);
  await picture(empty.page, "empty");
  await empty.close();
  const { page, server, close } = await openLive({ prepare: (stand) => stand.hold(), wait: "#figures" });
  server.allow(12);
  await until(page, () => page?.feed.info.computed === 12);
  assert.deepEqual(await findings(page), []);
  await picture(page, "computing");
  await page.locator("#live-stop").click();
  await until(page, () => live.run.phase === "stopped");
  assert.deepEqual(await findings(page), []);
  await picture(page, "stopped");
  await close();
});

test("every field has a label, and every button a name", async () => {
  const { page, close } = await openLive();
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("#live input, #live select, #live textarea, #live button")]
      .filter((node) => !(node.labels?.[0]?.textContent || node.ariaLabel || node.getAttribute("aria-label") || (node.matches("button") && node.textContent)))
      .map((node) => node.id),
  );
  assert.deepEqual(nameless, []);
  await close();
});

test("at 1440 by 900 form, picture, map and bar are in sight together; so is the answer of the window by hand", async () => {
  const { page, close } = await openLive();
  const bottom = (id) => page.locator(id).evaluate((node) => node.getBoundingClientRect().bottom);
  for (const id of ["#picture-stage", "#map-stage", "#bar .bar-ticks", "#live-stop", "#live-hand"]) assert.ok((await bottom(id)) <= 900, `${id} ends at ${await bottom(id)}`);
  await page.locator("#live-hand").click();
  await until(page, () => document.getElementById("by-hand").dataset.start);
  await picture(page, "hand");
  for (const id of ["#hand-scores", "#hand-then", "#hand-before"]) assert.ok((await bottom(id)) <= 900, `${id} ends at ${await bottom(id)}`);
  const size = await page.locator("#picture-stage").evaluate((node) => node.getBoundingClientRect().width);
  assert.ok(size >= 400, `the picture is ${size} px wide`);
  await close();
});

test("nothing scrolls sideways from 360 pixels on, and settings are folded on small screens", async () => {
  const { page, close } = await openLive();
  await page.locator("#live-hand").click();
  await until(page, () => document.getElementById("by-hand").dataset.start);
  for (const width of [360, 480, 760, 761, 1099, 1100, 1440, 2560, 3840]) {
    await page.setViewportSize({ width, height: 900 });
    await until(page, (wide) => document.getElementById("by-hand").parentElement.id === (wide ? "live" : "picture-figure"), width >= 1100);
    // The page is laid anew some frames after the window has its size.
    await until(page, () => document.documentElement.scrollWidth <= innerWidth);
    await picture(page, `wide_${width}`);
  }
  await page.setViewportSize({ width: 360, height: 740 });
  assert.equal(await page.evaluate(() => document.getElementById("live-fold").open), false);
  assert.match(await page.locator("#live-summary").textContent(), /^Settings/);
  assert.ok(await page.locator("#live-stop").isVisible());
  await close();
});

test("two maps side by side", async () => {
  const { page, close } = await openLive();
  await page.locator("#live-hold").click();
  await settled(page, () => page.locator("#live-fill").selectOption("zero"));
  assert.ok(await page.locator("#second-figure").isVisible());
  assert.match(await page.locator("#second-caption").textContent(), /^Held(, [^:]+)?: espresso/);
  assert.match(await page.locator("#likeness").textContent(), /^Spearman/);
  await picture(page, "held");
  assert.deepEqual(await findings(page), []);
  await page.locator("#second-remove").click();
  assert.ok(await page.locator("#second-figure").isHidden());
  assert.equal(await page.locator("#live-hold").textContent(), "Hold for comparison");
  assert.ok(!page.url().includes("held"));
  await close();
});

test("forced colours keep the chosen option and the bars in sight", async () => {
  const { page, close } = await openLive({ forcedColors: "active" });
  await openAll(page);
  const bar = await page.locator(".hand-bar").first().evaluate((node) => getComputedStyle(node).backgroundColor);
  const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.notEqual(bar, paper);
  await picture(page, "forced");
  await close();
});
