// The report in a real browser: opened from file://, hovered, walked by keyboard, switched, narrowed, and each time its
// numbers are compared with the feed that the file carries, decoded here on its own.
// In: the reports of reports.mjs. Run: npm ci && node --test. The reading aids have test files of their own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { addressWith, feedOf, middleOf, open, reports } from "./reports.mjs";

// What a card says: its exact numbers and its texts by name.
function card(page, kind) {
  return page.locator(`.card.${kind}`).evaluate((node) => ({
    cell: Number(node.dataset.cell),
    numbers: [...node.querySelectorAll("data")].map((data) => Number(data.value)),
    texts: Object.fromEntries([...node.querySelectorAll("dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent])),
  }));
}

function rankOf(values, cell) {
  return 1 + [...values.keys()].filter((other) => values[other] > values[cell] || (values[other] === values[cell] && other < cell)).length;
}

function checkCard(said, feed, t, cell) {
  const target = feed.targets[t];
  assert.equal(said.cell, cell);
  assert.deepEqual(said.numbers, [target.baseline, target.occluded[cell], target.sensitivity[cell]]);
  const rank = Object.values(said.texts)[0];
  assert.equal(rank, `${rankOf(target.sensitivity, cell)} of ${target.sensitivity.length}`);
  assert.equal(said.texts["the model then says"], feed.classes[feed.most_probable[cell]]);
}

test("hovering a cell tells its exact numbers, rank, places and class", async () => {
  const feed = feedOf("report.html");
  const { page, wrong, close } = await open("report.html");
  for (const cell of [0, feed.columns + 2, feed.targets[0].occluded.length - 1]) {
    const { x, y } = await middleOf(page, feed, cell);
    await page.mouse.move(x, y);
    const said = await card(page, "hovered");
    checkCard(said, feed, 0, cell);
    const [rows, columns] = feed.axes;
    const [row, column] = [Math.floor(cell / feed.columns), cell % feed.columns];
    assert.equal(
      said.texts["in the input tensor"],
      `x ${columns.starts[column]}–${columns.ends[column]}, y ${rows.starts[row]}–${rows.ends[row]}`,
    );
    const edge = (axis, place) => String(Math.round(axis.offset + axis.scale * place)).replace("-", "−");
    assert.equal(
      said.texts["in the source picture"],
      `x ${edge(columns, columns.starts[column])}–${edge(columns, columns.ends[column])}, ` +
        `y ${edge(rows, rows.starts[row])}–${edge(rows, rows.ends[row])} px`,
    );
  }
  assert.deepEqual(wrong, []);
  await close();
});

test("the map's pixels are the ramp's colours of its values, symmetric about zero", async () => {
  const feed = feedOf("report.html");
  const { page, close } = await open("report.html");
  const values = feed.targets[0].sensitivity;
  const limit = Math.max(...values.map(Math.abs));
  const box = await page.locator("#map-stage").boundingBox();
  for (let cell = 0; cell < values.length; cell += 7) {
    const { x, y } = await middleOf(page, feed, cell);
    const pixel = await page.evaluate(
      ([fx, fy]) => {
        const canvas = document.getElementById("map");
        return [...canvas.getContext("2d").getImageData(fx * canvas.width, fy * canvas.height, 1, 1).data.slice(0, 3)];
      },
      [(x - box.x) / box.width, (y - box.y) / box.height],
    );
    const expected = feed.ramp[127 + Math.sign(values[cell]) * Math.round((127 * Math.abs(values[cell])) / limit)];
    assert.equal(pixel.map((v) => v.toString(16).padStart(2, "0")).join(""), expected, `cell ${cell}`);
  }
  await close();
});

test("targets are switched by click and by key, and the tables follow", async () => {
  const feed = feedOf("report.html");
  const { page, wrong, close } = await open("report.html");
  await page.getByRole("radio").nth(2).check();
  assert.equal(await page.locator("h1").textContent(), feed.targets[2].label);
  await page.keyboard.press("2");
  assert.equal(await page.locator("h1").textContent(), feed.targets[1].label);
  const values = feed.targets[1].sensitivity;
  const order = [...values.keys()].sort((a, b) => values[b] - values[a] || a - b);
  const rows = (table) => page.locator(`#${table} tbody tr`).evaluateAll((all) => all.map((row) => Number(row.dataset.cell)));
  assert.deepEqual(await rows("top-for"), order.filter((cell) => values[cell] > 0).slice(0, 8));
  assert.deepEqual(await rows("top-against"), order.filter((cell) => values[cell] < 0).slice(-8).reverse());
  const { x, y } = await middleOf(page, feed, 5);
  await page.mouse.move(x, y);
  checkCard(await card(page, "hovered"), feed, 1, 5);
  assert.deepEqual(wrong, []);
  await close();
});

test("the keyboard alone walks, pins, lets go and changes opacity, and focus is seen", async () => {
  const feed = feedOf("report.html");
  const { page, close } = await open("report.html");
  for (let presses = 0; presses < 30; presses++) {
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.id === "map-stage")) break;
  }
  const outline = await page.locator("#map-stage").evaluate((node) => getComputedStyle(node).outlineWidth);
  assert.notEqual(outline, "0px");
  await page.keyboard.press("Home");
  for (let up = 0; up < feed.axes[0].starts.length; up++) await page.keyboard.press("ArrowUp");
  checkCard(await card(page, "hovered"), feed, 0, 0);
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowDown");
  checkCard(await card(page, "hovered"), feed, 0, feed.columns + 1);
  assert.match(await page.locator("#spoken").textContent(), /rank \d+ of \d+/);
  await page.keyboard.press("Enter");
  await page.keyboard.press("End");
  checkCard(await card(page, "pinned"), feed, 0, feed.columns + 1);
  checkCard(await card(page, "hovered"), feed, 0, 2 * feed.columns - 1);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".card.pinned").count(), 0);
  const before = Number(await page.locator("#opacity").inputValue());
  await page.keyboard.press("[");
  assert.equal(Number(await page.locator("#opacity").inputValue()), before - 10);
  await close();
});

test("the address keeps target, opacity and pinned window", async () => {
  const feed = feedOf("report.html");
  const first = await open("report.html");
  const { x, y } = await middleOf(first.page, feed, 3);
  await first.page.keyboard.press("3");
  await first.page.mouse.click(x, y);
  const hash = await addressWith(first.page, "window=3");
  await first.close();
  const second = await open("report.html", { hash });
  checkCard(await card(second.page, "pinned"), feed, 2, 3);
  await second.close();
  const broken = await open("report.html", { hash: "#target=99&opacity=no&window=-4" });
  assert.equal(await broken.page.locator("h1").textContent(), feed.targets[0].label);
  assert.deepEqual(broken.wrong, []);
  await broken.close();
});

test("a label that is markup stays text", async () => {
  const feed = feedOf("report.html");
  const { page, wrong, close } = await open("report.html");
  const evil = feed.targets.findIndex((target) => target.label.includes("<script>"));
  assert.ok(evil >= 0);
  await page.keyboard.press(String(evil + 1));
  assert.equal(await page.locator("h1").textContent(), feed.targets[evil].label);
  assert.equal(await page.evaluate(() => window.broken), undefined);
  assert.deepEqual(wrong, []);
  await close();
});

test("nothing overflows from 360 pixels on, and dark mode is dark", async () => {
  for (const width of [360, 768, 1200, 2000]) {
    const { page, close } = await open("report.html", { viewport: { width, height: 800 } });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${width} px`);
    await close();
  }
  const { page, close } = await open("report.html", { colorScheme: "dark" });
  const paper = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  assert.ok(paper.match(/\d+/g).every((channel) => Number(channel) < 60), paper);
  await close();
});

test("a map of elements tells their numbers, and its tables hold the windows", async () => {
  const { page, wrong, close } = await open("joined.html");
  const text = readFileSync(path.join(reports, "joined.html"), "utf8");
  const feed = JSON.parse(text.match(/id="feed">(.*?)<\/script>/s)[1]);
  const target = feed.targets[0];
  const bytes = Buffer.from(target.sensitivity, "base64");
  const values = Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i));
  assert.equal(values.length, 224 * 224);
  const cell = 100 * 224 + 120;
  const box = await page.locator("#map-stage").boundingBox();
  await page.mouse.move(box.x + ((120.5) / 224) * box.width, box.y + ((100.5) / 224) * box.height);
  const card = page.locator(`.card[data-cell="${cell}"]`);
  await card.waitFor();
  const said = await card.innerText();
  assert.match(said, /This element/i);
  assert.match(said, /value of the map/i);
  assert.doesNotMatch(said, /with it hidden/i);
  const shown = Number((await card.locator("dd").last().innerText()).replace("−", "-").replace("+", ""));
  assert.ok(Math.abs(shown - values[cell]) <= 1e-3 * Math.max(...values.map(Math.abs)), `${shown}, not ${values[cell]}`);
  // The tables list windows with their scores, strongest first.
  const rows = await page.locator("#top-for tbody tr").allInnerTexts();
  assert.equal(rows.length, target.top_for.length);
  assert.ok(rows[0].includes(target.top_for[0].place), rows[0]);
  assert.deepEqual(wrong, []);
  await close();
});

test("an incomplete map says so, and the same page takes the missing scores as they come", async () => {
  const feed = feedOf("incomplete.html");
  const { page, wrong, close } = await open("incomplete.html");
  assert.match(await page.locator("#incomplete").textContent(), new RegExp(`${feed.computed} of ${feed.most_probable.length} windows`));
  const missing = feed.targets[0].occluded.findIndex(Number.isNaN);
  const { x, y } = await middleOf(page, feed, missing);
  await page.mouse.move(x, y);
  assert.match(await page.locator(".card.hovered").textContent(), /not computed/);
  await page.evaluate(`page.feed.add([{ cell: ${missing}, occluded: [0.125], most_probable: 1 }])`);
  await page.locator(".card.hovered data").first().waitFor(); // drawn with the next frame
  const said = await card(page, "hovered");
  assert.deepEqual(said.numbers, [feed.targets[0].baseline, 0.125, Math.fround(feed.targets[0].baseline - 0.125)]);
  assert.match(await page.locator("#incomplete").textContent(), new RegExp(`${feed.computed + 1} of`));
  assert.deepEqual(wrong, []);
  await close();
});

test("scores that come in a burst are drawn once, with the next frame", async () => {
  const feed = feedOf("incomplete.html");
  const { page, wrong, close } = await open("incomplete.html", { hash: "#view=class" });
  const missing = [...feed.most_probable.keys()].filter((cell) => feed.most_probable[cell] < 0);
  const drawn = await page.evaluate(`(async () => {
    let times = 0;
    const refresh = page.refresh.bind(page);
    page.refresh = () => { times += 1; refresh(); };
    for (const cell of ${JSON.stringify(missing)}) page.feed.add([{ cell, occluded: [0.5], most_probable: 4 }]);
    const before = times;
    for (let frames = 0; frames < 3; frames++) await new Promise(requestAnimationFrame);
    return [before, times];
  })()`);
  assert.equal(drawn[0], 0);
  assert.ok(drawn[1] >= 1 && drawn[1] <= 3, `${missing.length} windows were drawn ${drawn[1]} times`);
  assert.ok(await page.locator("#incomplete").isHidden());
  const legend = await page.locator("#bar .legend li").allInnerTexts();
  assert.ok(legend.some((text) => text.includes("class 4") && text.includes(`${missing.length} windows`)), legend.join("; "));
  assert.deepEqual(wrong, []);
  await close();
});
