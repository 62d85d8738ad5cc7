// The page for everyone: no serious finding of axe-core in light, dark, on a small screen and with all panels open; by keyboard alone; from
// 360 pixels to 4K; in a frame without an address; with forced colours and reduced motion.
// In: the reports of reports.mjs; axe-core from npm.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { test } from "node:test";
import { open, reports, screenshots, until } from "./reports.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function findings(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run());
  return violations.filter(({ impact }) => ["serious", "critical"].includes(impact)).map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 120)} (${failureSummary})`).join("; ")}`);
}

const ALL_OPEN = "#box=100,250,200,350&beside=1&list=for&for-from=0.1&divider=30&window=40";

for (const [what, options] of [
  ["as it opens", {}],
  ["all panels open", { hash: ALL_OPEN }],
  ["all panels open, dark", { hash: ALL_OPEN, colorScheme: "dark" }],
  ["all panels open, dark chosen by the reader, classes", { hash: `${ALL_OPEN}&look=dark&view=class` }],
  ["all panels open, 360 pixels, scores", { hash: `${ALL_OPEN}&view=score`, viewport: { width: 360, height: 740 } }],
]) {
  test(`axe finds nothing serious: ${what}`, async () => {
    const { page, close } = await open("report.html", { reducedMotion: "reduce", ...options });
    assert.deepEqual(await findings(page), []);
    await page.screenshot({ path: path.join(screenshots, `axe_${what.replace(/\W+/g, "_")}.png`), fullPage: true });
    await close();
  });
}

for (const name of ["incomplete", "joined", "signal", "volume", "channels", "planes", "planes_incomplete", "planes_channels"]) {
  test(`axe finds nothing serious: ${name}`, async () => {
    const { page, wrong, close } = await open(`${name}.html`, { hash: "#list=place" });
    assert.deepEqual(await findings(page), []);
    assert.deepEqual(wrong, []);
    await page.screenshot({ path: path.join(screenshots, `${name}.png`) });
    await close();
  });
}

test("no width from 360 pixels to 4K scrolls sideways; on large screens figures grow and lines do not", async () => {
  const sizes = {};
  for (const width of [360, 412, 768, 1024, 1200, 1440, 2560, 3840]) {
    for (const hash of ["", ALL_OPEN]) {
      const { page, close } = await open("report.html", { viewport: { width, height: Math.max(740, Math.round(width * 0.56)) }, hash });
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${width} px, ${hash}`);
      sizes[width] ??= await page.evaluate(() => ["map-stage", "summary"].map((id) => document.getElementById(id).getBoundingClientRect().width));
      await page.screenshot({ path: path.join(screenshots, `wide_${width}${hash ? "_open" : ""}.png`) });
      await close();
    }
  }
  assert.ok(sizes[3840][0] > 1.8 * sizes[1440][0], `${sizes[3840]}`);
  assert.ok(sizes[3840][1] < 1100, `${sizes[3840]}`);
});

test("every aid is reached and used by keyboard alone, with focus in sight", async () => {
  const { page, wrong, close } = await open("report.html");
  const to = async (id) => {
    for (let presses = 0; presses < 60; presses++) {
      await page.keyboard.press("Tab");
      const here = await page.evaluate(() => {
        const node = document.activeElement;
        return [node.id || node.closest("[id]")?.id, getComputedStyle(node.closest(".pills label") ?? node).outlineStyle];
      });
      if (here[0] === id) {
        assert.notEqual(here[1], "none", `${id} shows its focus`);
        return;
      }
    }
    assert.fail(`${id} is not reached by Tab`);
  };
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "top", "the skip link goes to the table");
  assert.equal(await page.evaluate("page.state.target"), 0);
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.locator(".skip").focus();
  await to("targets");
  await page.keyboard.press("ArrowRight");
  await to("views");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowLeft");
  await to("opacity");
  await page.keyboard.press("Home");
  await to("divider");
  await page.keyboard.press("End");
  await to("map-stage");
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await to("shared-scale");
  await page.keyboard.press("Space");
  await to("weak-for");
  await page.keyboard.press("ArrowRight");
  await to("weak-against");
  await page.keyboard.press("ArrowRight");
  await to("object");
  await page.keyboard.press("Enter");
  for (const [id, text] of [["box-0-0", "60"], ["box-0-1", "200"], ["box-1-0", "150"], ["box-1-1", "320"]]) {
    await to(id);
    await page.keyboard.type(text);
  }
  await to("compare");
  await page.keyboard.press("Enter");
  await to("second-target");
  await page.keyboard.press("ArrowDown");
  await to("listing-title");
  await page.keyboard.press("Enter");
  await until(page, "page.state.listed === 'place'");
  const set = await page.evaluate("page.state");
  assert.deepEqual(set.box, [60, 200, 150, 320]);
  assert.deepEqual([set.target, set.view, set.opacity, set.divider, set.shared, set.beside], [1, "evidence", 0, 100, true, 0]);
  assert.ok(set.pinned !== null && set.weakFor > 0 && set.weakAgainst > 0, JSON.stringify(set));
  assert.match(await page.locator("#object-said").innerText(), /The box holds/);
  assert.deepEqual(wrong, []);
  await close();
});

test("in a frame without an address of its own, as notebooks have, all goes on", async () => {
  const { page, wrong, close } = await open("incomplete.html");
  const text = readFileSync(path.join(reports, "report.html"), "utf8");
  await page.goto("about:blank");
  await page.evaluate((source) => {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.srcdoc = source;
    frame.width = 900;
    frame.height = 700;
    document.body.replaceChildren(frame);
  }, text);
  const frame = page.frameLocator("iframe");
  await frame.locator("#page:not([hidden])").waitFor();
  await frame.getByRole("radio", { name: "cup" }).check();
  assert.equal(await frame.locator("h1").textContent(), "cup");
  await frame.locator("#top-for button").first().click();
  assert.equal(await frame.locator(".card.pinned").count(), 1);
  await frame.locator("#copy").click();
  await frame.getByText("Selected").waitFor();
  await frame.getByText("Show all").click();
  assert.equal(await frame.locator("#listing-table tbody tr").count(), 169);
  await frame.locator(".skip").focus();
  await page.keyboard.press("Enter");
  // What the frame refuses is caught by the page; Chromium may still tell of it in the console.
  assert.deepEqual(wrong.filter((text) => /Error/.test(text)), []);
  await close();
});

test("forced colours keep the map's colours and show which choice is made", async () => {
  const { page, wrong, close } = await open("report.html", { forcedColors: "active", hash: ALL_OPEN });
  const checked = page.locator(".pills label:has(input:checked)").first();
  assert.notEqual(await checked.evaluate((node) => getComputedStyle(node).outlineStyle), "none");
  await page.screenshot({ path: path.join(screenshots, "forced_colours.png") });
  assert.deepEqual(wrong, []);
  await close();
});
