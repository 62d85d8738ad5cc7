// The second map beside the first, in a real browser: another target, another report by file and by drop, a feed given by a script; the
// rank correlation against one computed here on its own, and by hand.
// In: the reports of reports.mjs.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import path from "node:path";
import { coloursOf, feedOf, middleOf, near, open, reports, screenshots, until } from "./reports.mjs";

// Spearman's correlation by counting: the rank of a number is the number of smaller ones plus half of the equal ones.
function spearman(a, b) {
  const rank = (values) => values.map((value) => values.filter((other) => other < value).length + (values.filter((other) => other === value).length + 1) / 2);
  const [x, y] = [rank([...a]), rank([...b])];
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const sum = (f) => x.reduce((total, _, i) => total + f(i), 0);
  return sum((i) => (x[i] - mx) * (y[i] - my)) / Math.sqrt(sum((i) => (x[i] - mx) ** 2) * sum((i) => (y[i] - my) ** 2));
}

const saidValue = async (page) => Number(await page.locator("#likeness data").getAttribute("value"));

test("ranks with ties, by hand", async () => {
  const { page, close } = await open("report.html");
  // Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: deviations -1.5 0 0 1.5 and -1.5 .5 -.5 1.5, so 4.5 / sqrt(4.5 * 5).
  near(await page.evaluate("spearman([1, 2, 2, 9], [10, 30, 20, 40])"), 4.5 / Math.sqrt(22.5), 1e-15, "with ties");
  assert.deepEqual(await page.evaluate("[...meanRanks([5, 1, 5, 5, 0])]"), [4, 2, 4, 4, 1]);
  assert.equal(await page.evaluate("spearman([1, 2, 3], [-1, -2, -30])"), -1);
  assert.equal(await page.evaluate("spearman([1, 1, 1], [1, 2, 3])"), null, "no order, no value");
  near(spearman([1, 2, 2, 9], [10, 30, 20, 40]), 4.5 / Math.sqrt(22.5), 1e-15, "the test's own");
  await close();
});

test("two targets side by side, each on its own scale or on one, with their rank correlation", async () => {
  const feed = feedOf("report.html");
  const { page, wrong, close } = await open("report.html");
  assert.ok(await page.locator("#second-figure").isHidden());
  await page.getByText("A second map beside").click();
  await page.locator("#second-target").selectOption({ label: "coffee mug" });
  const [first, second] = [feed.targets[0].sensitivity, feed.targets[2].sensitivity];
  near(await saidValue(page), spearman(first, second), 1e-12, "correlation");
  assert.match(await page.locator("#likeness").innerText(), /over 169 windows\.$/);
  const colours = async (values, limit) => {
    const seen = await coloursOf(page, "#second", feed, [...values.keys()]);
    values.forEach((value, cell) => assert.equal(seen[cell], feed.ramp[127 + Math.sign(value) * Math.round((127 * Math.abs(value)) / limit)], `cell ${cell}`));
  };
  const limit = (values) => Math.max(...values.map(Math.abs));
  await colours(second, limit(second));
  await page.locator("#shared-scale").check();
  await colours(second, Math.max(...feed.targets.map((target) => limit(target.sensitivity))));
  // Hovering one marks the same place in both.
  for (const stage of ["#map-stage", "#second-stage"]) {
    const { x, y } = await middleOf(page, feed, 40, stage);
    await page.mouse.move(x, y);
    const places = await page.locator("#map-stage .marks .hovered, #second-stage .marks .hovered").evaluateAll((all) => all.map((mark) => [mark.style.left, mark.style.top].join()));
    assert.equal(places.length, 2);
    assert.equal(places[0], places[1]);
    assert.equal(await page.locator(".card.hovered").getAttribute("data-cell"), "40");
  }
  await page.screenshot({ path: path.join(screenshots, "second.png"), fullPage: true });
  await page.getByRole("button", { name: "Remove the second map" }).click();
  assert.ok(await page.locator("#second-figure").isHidden());
  assert.deepEqual(wrong, []);
  await close();
});

// What the second map says at the middles of the first one's windows.
function readAt(first, second) {
  const along = (axis, other) =>
    axis.starts.map((start, i) => {
      const middle = (start + axis.ends[i]) / 2;
      const away = other.starts.map((s, j) => Math.abs((s + other.ends[j]) / 2 - middle));
      return away.indexOf(Math.min(...away));
    });
  const [rows, cols] = [0, 1].map((i) => along(first.axes[i], second.axes[i]));
  return rows.flatMap((row) => cols.map((col) => second.targets[0].sensitivity[row * second.columns + col]));
}

test("another report is compared, read at the middles of the first one's windows; nothing of it is run", async () => {
  const [first, second] = [feedOf("report.html"), feedOf("other.html")];
  const evil = path.join(reports, "evil_other.html");
  writeFileSync(evil, readFileSync(path.join(reports, "other.html"), "utf8").replace("</body>", "<script>window.ran = 1</script><img src=x onerror='window.ran = 1'></body>"));
  const { page, wrong, close } = await open("report.html");
  await page.getByText("A second map beside").click();
  await page.locator("#second-file").setInputFiles(evil);
  await page.waitForSelector("#second-figure:not([hidden])");
  near(await saidValue(page), spearman(first.targets[0].sensitivity, readAt(first, second)), 1e-12, "correlation");
  assert.match(await page.locator("#likeness").innerText(), /over 169 windows\. The grids differ: the second map is read at the middles/);
  assert.match(await page.locator("#second-caption").innerText(), /^evil_other\.html: espresso/);
  assert.equal(await page.evaluate("window.ran"), undefined);
  const { x, y } = await middleOf(page, second, 30, "#second-stage");
  await page.mouse.move(x, y);
  assert.equal(await page.locator("#second-stage .marks .hovered").count(), 1);
  await page.screenshot({ path: path.join(screenshots, "other_report.png") });
  assert.deepEqual(wrong, []);
  await close();
});

test("a report is dropped on the page; files that are none are refused in words", async () => {
  const text = readFileSync(path.join(reports, "other.html"), "utf8");
  const { page, wrong, close } = await open("report.html");
  const drop = (name, body) =>
    page.evaluate(
      ([fileName, content]) => {
        const data = new DataTransfer();
        data.items.add(new File([content], fileName, { type: "text/html" }));
        for (const type of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
      },
      [name, body],
    );
  for (const [body, message] of [
    ["<p>hello", /page\.html cannot be compared: it is no report of occlude/],
    [text.replace(/"axes":\[/, '"axes":[[['), /its block of data is damaged/],
    [text.replace("occlude.page/1", "occlude.page/9"), /this page reads occlude\.page\/1, not occlude\.page\/9/],
    [text.replace(/"axes":/, '"was_axes":'), /lacks axes, targets or colours/],
    [text.replace(/"occluded":"[^"]{8}/, '"occluded":"'), /numbers where \d+ windows are/],
  ]) {
    await drop("page.html", body);
    await until(page, (source) => new RegExp(source).test(document.getElementById("second-error").textContent), message.source);
    assert.ok(await page.locator("#second-figure").isHidden());
  }
  await drop("other.html", text);
  await page.waitForSelector("#second-figure:not([hidden])");
  assert.equal(await page.locator("#second-error").textContent(), "");
  assert.deepEqual(wrong, []);
  await close();
});

test("maps whose places have nothing in common are shown but not correlated", async () => {
  const { page, close } = await open("report.html");
  await page.getByText("A second map beside").click();
  await page.locator("#second-file").setInputFiles(path.join(reports, "signal.html"));
  await page.waitForSelector("#second-figure:not([hidden])");
  assert.match(await page.locator("#likeness").innerText(), /different axes/);
  await close();
});

test("a script can put a second map beside, and take another feed for the first", async () => {
  const { page, wrong, close } = await open("report.html", { hash: "#target=1&box=100,250,200,350&opacity=40" });
  const told = await page.evaluate(`{
    window.told = [];
    page.on("state", () => window.told.push("state"));
    page.on("feed", () => window.told.push("feed"));
    const read = () => new Feed(JSON.parse(document.getElementById("feed").textContent));
    const held = page.feed;
    const next = read();
    next.targets.reverse();
    page.show(next);
    page.showSecond(held, "the one before");
    page.set({ opacity: 50 });
    window.told;
  }`);
  assert.deepEqual(told, ["feed", "state"]);
  assert.equal(await page.locator("h1").textContent(), "cup", "the same target, where it is now");
  assert.match(await page.locator("#second-caption").innerText(), /^the one before: cup/);
  assert.equal(await saidValue(page), 1);
  assert.deepEqual(await page.evaluate("[page.state.box, page.state.opacity]"), [[100, 250, 200, 350], 50]);
  await page.evaluate("page.showSecond(null)");
  assert.ok(await page.locator("#second-figure").isHidden());
  // While a window is moved by hand, the picture is left to it.
  await page.evaluate("page.hand = true");
  await page.locator("#picture-stage").click();
  assert.equal(await page.evaluate("page.state.pinned"), null);
  await page.locator("#map-stage").click();
  assert.notEqual(await page.evaluate("page.state.pinned"), null);
  assert.deepEqual(wrong, []);
  await close();
});
