// The reading aids on one map, in a real browser: views, thresholds, divider, appearance, the table of all windows. What they show is
// compared with the feed that the file carries, decoded here on its own.
// In: the reports of reports.mjs. The box around the object and the second map have test files of their own.

import assert from "node:assert/strict";
import { test } from "node:test";
import path from "node:path";
import { addressWith, coloursOf, feedOf, middleOf, open, screenshots, setValue, until } from "./reports.mjs";

test("the view of classes has the legend's colours, and the legend counts windows and names the untouched class", async () => {
  const feed = feedOf("report.html");
  const { page, wrong, close } = await open("report.html");
  await page.getByRole("radio", { name: "most probable class" }).check();
  const counts = {};
  for (const index of feed.most_probable) counts[index] = (counts[index] ?? 0) + 1;
  const legend = await page.locator("#bar .legend li").allInnerTexts();
  const order = Object.keys(counts).map(Number).sort((a, b) => (b === 0) - (a === 0) || counts[b] - counts[a]);
  assert.equal(legend.length, order.length);
  order.forEach((index, row) => {
    const count = `${counts[index]} ${counts[index] === 1 ? "window" : "windows"}`;
    const expected = `${feed.classes[index]} ${index === feed.predicted.index ? "(untouched input) " : ""}${count}`;
    assert.equal(legend[row].split(/\s*\n\s*/).join(" "), expected);
  });
  // The untouched class is plain; the other ones have patterns, so colours are looked for around the middle.
  const plain = [...feed.most_probable.keys()].filter((cell) => feed.most_probable[cell] === 0);
  const seen = await coloursOf(page, "#map", feed, plain);
  assert.deepEqual([...new Set(seen)], [feed.class_colours[0]]);
  const patterned = feed.most_probable.findIndex((index) => index === order[1]);
  const { x, y } = await middleOf(page, feed, patterned);
  const box = await page.locator("#map-stage").boundingBox();
  const around = await page.locator("#map").evaluate((node, [fx, fy]) => {
    const pixels = node.getContext("2d").getImageData(fx * node.width - 8, fy * node.height - 8, 16, 16).data;
    return [...new Set(Array.from({ length: 256 }, (_, i) => [...pixels.slice(4 * i, 4 * i + 3)].map((v) => v.toString(16).padStart(2, "0")).join("")))];
  }, [(x - box.x) / box.width, (y - box.y) / box.height]);
  assert.ok(around.includes(feed.class_colours[1]) && around.length > 1, `colour and pattern: ${around}`);
  assert.ok(await page.locator("#bar .bar-strip").isHidden());
  await page.screenshot({ path: path.join(screenshots, "classes.png") });
  assert.deepEqual(wrong, []);
  await close();
});

test("the view of scores has the sequential ramp from the least to the greatest, and a bar of its own", async () => {
  const feed = feedOf("report.html");
  const { page, wrong, close } = await open("report.html", { hash: "#target=1" });
  await page.getByRole("radio", { name: "probability with the window hidden" }).check();
  const { occluded, baseline } = feed.targets[1];
  const [least, most] = [Math.min(...occluded, baseline), Math.max(...occluded, baseline)];
  const cells = [...occluded.keys()].filter((cell) => cell % 7 === 0);
  const seen = await coloursOf(page, "#map", feed, cells);
  cells.forEach((cell, i) => assert.equal(seen[i], feed.sequential[Math.round((254 * (occluded[cell] - least)) / (most - least))], `cell ${cell}`));
  const bar = await page.locator("#bar").innerText();
  for (const said of ["probability", least.toFixed(4), most.toFixed(4), `untouched ${baseline.toFixed(4)}`]) assert.ok(bar.includes(said), `${said} in ${bar}`);
  assert.ok(await page.locator("#weak").isHidden(), "thresholds are of evidence");
  await page.screenshot({ path: path.join(screenshots, "scores.png") });
  assert.deepEqual(wrong, []);
  await close();
});

test("views that the feed cannot fill are not offered, nor kept from the address", async () => {
  const { page, wrong, close } = await open("joined.html", { hash: "#view=score" });
  assert.ok(await page.locator("#views").isHidden());
  assert.match(await page.locator("#bar").innerText(), /evidence for/);
  assert.deepEqual(wrong, []);
  await close();
});

test("weak evidence is hidden by two thresholds, said in words, in both figures", async () => {
  const feed = feedOf("report.html");
  const { page, wrong, close } = await open("report.html");
  const values = feed.targets[0].sensitivity;
  await setValue(page, "#weak-for", 0.2);
  await setValue(page, "#weak-against", 0.02);
  const set = await page.evaluate("page.state");
  assert.ok(Math.abs(set.weakFor - 0.2) < 0.01 && Math.abs(set.weakAgainst - 0.02) < 0.01, JSON.stringify(set));
  const isWeak = (value) => (value > 0 ? value < set.weakFor : value < 0 ? -value < set.weakAgainst : true);
  const seen = await coloursOf(page, "#map", feed, [...values.keys()]);
  values.forEach((value, cell) => assert.equal(seen[cell] === "", isWeak(value), `cell ${cell}: ${value}`));
  const count = (test) => values.filter(test).length;
  const said = await page.locator("#weak-said").innerText();
  assert.ok(said.startsWith(`${count((v) => !isWeak(v))} windows are shown`), said);
  assert.ok(said.includes(`${count((v) => v > 0 && isWeak(v))} with evidence for below`), said);
  assert.ok(said.includes(`${count((v) => v < 0 && isWeak(v))} with evidence against below`), said);
  // By keyboard.
  await page.locator("#weak-for").focus();
  await page.keyboard.press("Home");
  assert.equal(await page.evaluate("page.state.weakFor"), 0);
  assert.equal(await page.locator("#weak-for").getAttribute("aria-valuetext"), "off, nothing is hidden");
  await page.keyboard.press("ArrowRight");
  assert.ok((await page.evaluate("page.state.weakFor")) > 0);
  assert.deepEqual(wrong, []);
  await close();
});

test("the divider parts picture and map, by slider, by keyboard and by dragging its handle", async () => {
  const { page, wrong, close } = await open("report.html");
  const clip = () => page.locator("#over").evaluate((node) => node.style.clipPath);
  assert.ok(await page.locator("#divider-line").isHidden());
  await page.locator("#divider").focus();
  for (let i = 0; i < 30; i++) await page.keyboard.press("ArrowRight");
  assert.match(await clip(), /30%\)$/);
  const box = await page.locator("#picture-stage").boundingBox();
  const y = box.y + box.height * 0.3;
  await page.mouse.move(box.x + box.width * 0.3, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, y, { steps: 4 });
  await page.mouse.move(box.x + box.width * 0.6, y, { steps: 2 });
  await page.mouse.up();
  assert.match(await clip(), /60%\)$/);
  const set = await page.evaluate("page.state");
  assert.deepEqual([set.divider, set.pinned, set.box], [60, null, null], "a drag of the handle neither pins nor draws");
  await page.screenshot({ path: path.join(screenshots, "divider.png") });
  assert.deepEqual(wrong, []);
  await close();
});

test("light and dark can be chosen against the system, and the choice is kept in the address", async () => {
  for (const [system, chosen] of [["dark", "light"], ["light", "dark"]]) {
    const { page, close } = await open("report.html", { colorScheme: system });
    const paper = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor.match(/\d+/g).map(Number)[0]);
    const isDark = async () => (await paper()) < 128;
    assert.equal(await isDark(), system === "dark");
    await page.getByLabel("Appearance").selectOption(chosen);
    assert.equal(await isDark(), chosen === "dark");
    await addressWith(page, `look=${chosen}`);
    await page.getByLabel("Appearance").selectOption("auto");
    assert.equal(await isDark(), system === "dark");
    await close();
  }
});

test("all windows are listed on demand, by place and by difference, 200 at a time", async () => {
  const feed = feedOf("report.html");
  const { page, wrong, close } = await open("report.html");
  assert.equal(await page.locator("#listing-table tr").count(), 0, "not made before it is asked for");
  await page.getByText("Show all 169 windows as a table").click();
  const cells = () => page.locator("#listing-table tbody tr").evaluateAll((all) => all.map((row) => Number(row.dataset.cell)));
  assert.deepEqual(await cells(), [...feed.targets[0].occluded.keys()]);
  const numbers = await page.locator("#listing-table tbody tr").evaluateAll((all) => all.map((row) => [...row.querySelectorAll("data")].map((data) => Number(data.value))));
  const { occluded, sensitivity } = feed.targets[0];
  assert.deepEqual(numbers, [...occluded.keys()].map((cell) => [occluded[cell], sensitivity[cell]]));
  const byDifference = page.getByRole("button", { name: /^difference/ });
  await byDifference.click();
  const order = [...sensitivity.keys()].sort((a, b) => sensitivity[b] - sensitivity[a] || a - b);
  assert.deepEqual(await cells(), order);
  assert.equal(await page.locator("#listing-table th[aria-sort=descending]").count(), 1);
  await byDifference.press("Enter");
  assert.deepEqual(await cells(), [...order].reverse());
  assert.equal(await page.evaluate(() => document.activeElement.dataset.sort), "difference", "the used head keeps the focus");
  assert.equal(await page.locator("#listing-table caption").count(), 1);
  assert.equal(await page.locator("#listing-table th:not([scope=col])").count(), 0);
  await page.locator("#listing-table tbody tr").nth(3).getByRole("button").click();
  assert.equal(await page.evaluate("page.state.pinned"), order.at(-4));
  assert.deepEqual(wrong, []);
  await close();

  const many = await open("joined.html", { hash: "#list=for" });
  const joined = feedOf("joined.html").targets[0].sensitivity;
  const first = () => many.page.locator("#listing-table tbody tr").evaluateAll((all) => [all.length, Number(all[0].dataset.cell)]);
  const descending = [...joined.keys()].sort((a, b) => joined[b] - joined[a] || a - b);
  assert.deepEqual(await first(), [200, descending[0]]);
  await many.page.getByRole("button", { name: "Rows after" }).click();
  assert.deepEqual(await first(), [200, descending[200]]);
  assert.match(await many.page.locator("#listing-said").innerText(), /201 to 400 of 50176 elements/);
  assert.deepEqual(many.wrong, []);
  await many.close();
});

test("the address makes the same page again", async () => {
  const first = await open("report.html");
  await first.page.getByRole("radio", { name: "cup" }).check();
  await setValue(first.page, "#opacity", 35);
  await setValue(first.page, "#divider", 25);
  await setValue(first.page, "#weak-for", 0.004);
  await setValue(first.page, "#weak-against", 0.0005);
  await first.page.getByText("A box around").click();
  for (const [id, value] of [["0-0", 40], ["0-1", 300.5], ["1-0", 150], ["1-1", 420]]) await setValue(first.page, `#box-${id}`, value);
  await first.page.getByText("A second map").click();
  await first.page.locator("#second-target").selectOption("2");
  await first.page.getByText("Show all").click();
  await first.page.getByLabel("Appearance").selectOption("dark");
  await first.page.locator("#top-for button").nth(2).click();
  const hash = await addressWith(first.page, "target=1", "opacity=35", "divider=25", "for-from=", "against-from=", "box=40,300.5,150,420", "beside=2", "list=place", "look=dark", "window=");
  const seen = (page) => page.evaluate(() => ({ text: document.querySelector("main").innerText, state: JSON.stringify(state.values), map: document.getElementById("map").toDataURL() }));
  const before = await seen(first.page);
  await first.close();
  const second = await open("report.html", { hash });
  assert.deepEqual(await seen(second.page), before);
  assert.deepEqual(second.wrong, []);
  await second.close();
  const wild = "#target=1e3&view=nothing&for-from=-1&against-from=NaN&divider=900&box=1,2,x&beside=77&list=all&look=pink&window=9999&scale=%00&set.window=32";
  const broken = await open("report.html", { hash: wild });
  assert.deepEqual(await broken.page.evaluate("Object.values(page.state)"), await (async () => {
    const plain = await open("report.html");
    const values = await plain.page.evaluate("Object.values(page.state)");
    await plain.close();
    return values;
  })());
  assert.equal(await broken.page.evaluate("state.extra('window')"), "32", "a live page's settings are kept");
  assert.deepEqual(broken.wrong, []);
  await broken.close();
});

test("a change of the address is followed, and back and forward with it", async () => {
  const { page, close } = await open("report.html");
  await page.evaluate(() => { location.hash = "#target=2&view=class"; });
  await until(page, "page.state.target === 2 && page.state.view === 'class'");
  await page.goBack();
  await until(page, "page.state.target === 0 && page.state.view === 'evidence'");
  await close();
});
