// A volume's three planes in a real browser: greys and colours against the report's own bytes, decoded here; how planes lie for axes that
// run any way; crosshair, wheel, keys, sliders, convention, box; a map in the making; a window at every voxel of 128^3.
// In: the reports of reports.mjs. Affines are put into copies of one report here, so that they do not depend on what reads them from files.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { addressWith, feedOf, near, open, reports, screenshots, setValue, until } from "./reports.mjs";

const LENGTHS = [20, 24, 28];
// The greys of tests/pictures.rs.
const octants = ([i, j, k]) => (i >= 10 ? 20 : 0) + (j >= 12 ? 70 : 0) + (k >= 14 ? 130 : 0);

// A copy of planes.html whose volume lies as said, and its name. `codes` are the directions in which the axes i, j, k run.
function laid(name, codes, spacing) {
  const text = readFileSync(path.join(reports, "planes.html"), "utf8");
  const [, block] = text.match(/id="feed">(.*?)<\/script>/s);
  const feed = JSON.parse(block);
  const rows = ["RL", "AP", "SI"].map((pair) => {
    const axis = codes.findIndex((code) => pair.includes(code));
    const row = [0, 0, 0, 0];
    row[axis] = (codes[axis] === pair[0] ? 1 : -1) * spacing[axis];
    row[3] = -row[axis] * 3; // voxel 3 is at 0 mm
    return row;
  });
  Object.assign(feed.volume, { affine: rows, spacing, codes, note: "Laid by the test." });
  feed.axes.forEach((axis, i) => (axis.name = "ijk"[i]));
  writeFileSync(path.join(reports, name), text.replace(block, () => JSON.stringify(feed).replaceAll("<", "\\u003c")));
  return name;
}

const voxel = (page) => page.evaluate("page.planes.voxel");
const isReady = (page) => until(page, "page.planes.grey !== null");

// Clicks at fractions of a plane's stage.
async function click(page, plane, x, y) {
  const stage = page.locator(`#plane-stage-${plane}`);
  await stage.scrollIntoViewIfNeeded();
  const box = await stage.boundingBox();
  await page.mouse.click(box.x + x * box.width, box.y + y * box.height);
  await page.evaluate("new Promise(requestAnimationFrame)");
}

// Colours, as [r, g, b, alpha], of one of a plane's two canvases at fractions of it.
function colours(page, plane, canvas, places) {
  return page.locator(`#plane-stage-${plane} canvas`).nth(canvas).evaluate((node, all) => {
    const pen = node.getContext("2d");
    return all.map(([x, y]) => [...pen.getImageData(Math.floor(x * node.width), Math.floor(y * node.height), 1, 1).data]);
  }, places);
}

const facts = (page) => page.locator(".card.place").evaluate((node) => Object.fromEntries([...node.querySelectorAll("dt")].map((dt) => [dt.textContent, dt.nextElementSibling.textContent])));

test("all greys arrive byte for byte, and without an affine planes lie as the indices run", async () => {
  const { page, wrong, close } = await open("planes.html", { hash: "#voxel=3,20,5" });
  await isReady(page);
  const grey = await page.evaluate("[...page.planes.grey]");
  assert.deepEqual(grey, [...Array(20 * 24 * 28).keys()].map((at) => octants([Math.floor(at / 672), Math.floor(at / 28) % 24, at % 28])));
  assert.deepEqual(await page.locator(".plane b").allInnerTexts(), ["Across z", "Across y", "Across x"]);
  assert.ok(await page.locator("#convention").isHidden());
  assert.match(await page.locator("#planes-note").innerText(), /without an affine.*which side is left is not known\. Black is −1\.000, white 4\.000/);
  // [column, row, normal]: axes of the volume.
  for (const [plane, [col, row, normal]] of [[2, 1, 0], [2, 0, 1], [1, 0, 2]].entries()) {
    const box = await page.locator(`#plane-stage-${plane}`).boundingBox();
    near(box.width / box.height, LENGTHS[col] / LENGTHS[row], 0.01, `plane ${plane}`);
    for (const x of [0.25, 0.75]) {
      for (const y of [0.25, 0.75]) {
        const at = [];
        at[col] = x * LENGTHS[col];
        at[row] = y * LENGTHS[row];
        at[normal] = [3, 20, 5][normal];
        const [[r, g, b]] = await colours(page, plane, 0, [[x, y]]);
        assert.deepEqual([r, g, b], Array(3).fill(octants(at)), `plane ${plane} at ${x}, ${y}`);
      }
    }
  }
  const said = await facts(page);
  assert.equal(said["Voxel at the crosshair"], "x 5, y 20, z 3");
  assert.equal(said["grey value, about"], "0.373"); // 70 of 255 between −1 and 4
  assert.ok(!("millimetres (RAS)" in said));
  assert.deepEqual(wrong, []);
  await page.screenshot({ path: path.join(screenshots, "planes.png"), fullPage: true });
  await close();
});

// How the planes have to lie for the patient, whatever the file's axes: [title, left, right, top, bottom].
const radiological = [["Axial", "R", "L", "A", "P"], ["Coronal", "R", "L", "S", "I"], ["Sagittal", "A", "P", "S", "I"]];
const neurological = [["Axial", "L", "R", "A", "P"], ["Coronal", "L", "R", "S", "I"], ["Sagittal", "A", "P", "S", "I"]];

for (const [codes, spacing] of [[["R", "A", "S"], [1, 1, 1]], [["L", "P", "S"], [2, 2, 3]], [["P", "I", "R"], [0.5, 1.5, 1]], [["S", "R", "A"], [3, 1, 2]]]) {
  test(`a volume whose axes run to ${codes.join("")} is laid by the patient in both conventions, with true spacing`, async () => {
    const name = laid(`planes_${codes.join("")}.html`, codes, spacing);
    for (const [convention, expected] of [["radiological", radiological], ["neurological", neurological]]) {
      const { page, wrong, close } = await open(name, { hash: `#voxel=3,20,5&convention=${convention}` });
      await isReady(page);
      for (const [plane, [title, left, right, top, bottom]] of expected.entries()) {
        const stage = page.locator(`#plane-stage-${plane}`);
        assert.equal(await page.locator(".plane b").nth(plane).innerText(), title);
        const letters = await stage.locator(".letter").evaluateAll((all) => all.map((node) => [node.className.replace("letter ", ""), node.textContent]));
        assert.deepEqual(Object.fromEntries(letters), { left, right, top, bottom });
        const axisOf = (letter) => codes.findIndex((code) => ["RL", "AP", "SI"].some((pair) => pair.includes(code) && pair.includes(letter)));
        const [col, row] = [axisOf(left), axisOf(top)];
        const normal = 3 - col - row;
        const box = await stage.boundingBox();
        near(box.width / box.height, (LENGTHS[col] * spacing[col]) / (LENGTHS[row] * spacing[row]), 0.02, `${title}: width over height`);
        for (const x of [0.25, 0.75]) {
          for (const y of [0.25, 0.75]) {
            const at = [];
            at[col] = (codes[col] === right ? x : 1 - x) * LENGTHS[col];
            at[row] = (codes[row] === bottom ? y : 1 - y) * LENGTHS[row];
            at[normal] = [3, 20, 5][normal];
            const [[grey]] = await colours(page, plane, 0, [[x, y]]);
            assert.equal(grey, octants(at), `${convention} ${title} at ${x}, ${y}`);
          }
        }
      }
      // All three on one scale.
      const heights = await page.locator(".plane .stage").evaluateAll((all) => all.map((node) => node.getBoundingClientRect().height));
      near(heights[1], heights[2], 1.5, "coronal and sagittal planes are as high");
      assert.deepEqual(wrong, []);
      await page.screenshot({ path: path.join(screenshots, `planes_${codes.join("")}_${convention}.png`) });
      await close();
    }
  });
}

test("millimetres are the affine's, in signs and in words, and the convention is switched in words", async () => {
  const { page, wrong, close } = await open(laid("planes_words.html", ["L", "P", "S"], [2, 2, 3]), { hash: "#voxel=5,1,9" });
  await isReady(page);
  const said = await facts(page);
  assert.equal(said["Voxel at the crosshair"], "i 5, j 1, k 9");
  assert.equal(said["millimetres (RAS)"], "−4.0, 4.0, 18.0: 4.0 left, 4.0 anterior, 18.0 superior");
  assert.equal(await page.locator(".plane output").first().innerText(), "k 9 of 28 · 18.0 mm superior");
  assert.match(await page.locator("#plane-stage-0").getAttribute("aria-label"), /^Axial, k 9 of 28 · 18\.0 mm superior, right is on the left of the screen, anterior at the top$/);
  await page.getByLabel("neurological: the patient’s right is on the right").check();
  await addressWith(page, "convention=neurological");
  assert.equal(await page.locator("#plane-stage-0 .letter.left").innerText(), "L");
  assert.equal(await page.locator("#plane-stage-2 .letter.left").innerText(), "A");
  assert.deepEqual(wrong, []);
  await close();
});

test("a report says where an oblique volume lies: directions, millimetres, spacing, and how far the grid is turned", async () => {
  const { page, wrong, close } = await open("planes_oblique.html", { hash: "#voxel=5,1,9" });
  await isReady(page);
  const { volume, axes } = feedOf("planes_oblique.html");
  assert.deepEqual(volume.codes, ["P", "I", "R"]);
  volume.spacing.forEach((size, i) => near(size, [2, 1.5, 3][i], 1e-12, "spacing"));
  assert.deepEqual(axes.map(({ name }) => name), ["i", "j", "k"]);
  const [sin, cos] = [Math.sin, Math.cos].map((f) => f((20 * Math.PI) / 180));
  const mm = [10 * sin + 27 * cos - 30, -10 * cos + 27 * sin + 12, 23.5];
  const said = (await facts(page))["millimetres (RAS)"];
  assert.equal(said, "−1.2, 11.8, 23.5: 1.2 left, 11.8 anterior, 23.5 superior");
  said.split(":")[0].split(", ").forEach((text, i) => near(Number(text.replace("−", "-")), mm[i], 0.05, "millimetres"));
  assert.match(await page.locator("#planes-note").innerText(), /^Voxels of 2 × 1\.5 × 3 mm, drawn to scale\. The planes follow the voxel grid, which is turned by up to 20° against the axes of the body\./);
  assert.match(await page.locator(".card.crosshair").innerText(), /i \d+–\d+, j \d+–\d+, k \d+–\d+/);
  assert.deepEqual(await page.locator(".plane b").allInnerTexts(), ["Axial", "Coronal", "Sagittal"]);
  assert.deepEqual(wrong, []);
  await close();
});

test("the colours over the greys are those of the cells, on every plane, also where axes run backwards", async () => {
  const name = laid("planes_colours.html", ["L", "A", "I"], [1, 1, 1]);
  const feed = feedOf(name);
  const scores = feed.targets[0].occluded;
  const all = [...scores, feed.targets[0].baseline];
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const { page, close } = await open(name, { hash: "#view=score&opacity=100&voxel=9,11,13" });
  await isReady(page);
  const counts = feed.axes.map(({ starts }) => starts.length);
  const here = await page.evaluate("page.feed.indexOf(page.planes.cell)");
  for (const [plane, [col, row], backwards] of [[0, [0, 1], [false, true]], [1, [0, 2], [false, false]], [2, [1, 2], [true, false]]]) {
    for (let x = 0; x < counts[col]; x++) {
      for (let y = 0; y < counts[row]; y++) {
        const index = [...here];
        index[col] = x;
        index[row] = y;
        const middle = (axis, i) => (feed.axes[axis].starts[i] + feed.axes[axis].ends[i]) / 2 / LENGTHS[axis];
        const place = [middle(col, x), middle(row, y)].map((at, i) => (backwards[i] ? 1 - at : at));
        const score = scores[index.reduce((cell, i, axis) => cell * counts[axis] + i, 0)];
        const wanted = feed.sequential[Math.round(((score - least) / (most - least)) * (feed.sequential.length - 1))];
        const [[r, g, b, alpha]] = await colours(page, plane, 1, [place]);
        assert.equal([r, g, b].map((v) => v.toString(16).padStart(2, "0")).join(""), wanted, `plane ${plane}, cell ${index}`);
        assert.equal(alpha, 255);
      }
    }
  }
  await close();
});

test("at first the crosshair is in the strongest window; a click or drag moves it, the others follow, and it is in the address", async () => {
  const feed = feedOf("planes.html");
  const values = feed.targets[0].sensitivity;
  const { page, wrong, close } = await open("planes.html");
  await isReady(page);
  const strongest = values.reduce((best, value, cell) => (Math.abs(value) > Math.abs(values[best]) ? cell : best), 0);
  assert.equal(Number(await page.locator(".card.crosshair").getAttribute("data-cell")), strongest);
  assert.equal(await page.evaluate("location.hash"), "");
  const before = await voxel(page);
  await click(page, 0, 4.5 / 28, 20.5 / 24);
  assert.deepEqual(await voxel(page), [before[0], 20, 4]);
  const sliders = await page.locator(".plane input").evaluateAll((all) => all.map((node) => Number(node.value)));
  assert.deepEqual(sliders, [before[0], 20, 4]);
  const hash = await addressWith(page, `voxel=${before[0]},20,4`);
  // The lines stand in the middle of the voxel.
  const lines = await page.locator("#plane-stage-1 .cross").evaluateAll((all) => all.map((node) => parseFloat(node.style.left || node.style.top)));
  near(lines[0], (100 * 4.5) / 28, 1e-3, "upright");
  near(lines[1], (100 * (before[0] + 0.5)) / 20, 1e-3, "level");
  // A drag.
  const box = await page.locator("#plane-stage-2").boundingBox();
  await page.mouse.move(box.x + 5, box.y + 5);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * (10.5 / 24), box.y + box.height * (7.5 / 20), { steps: 4 });
  await page.mouse.up();
  await page.evaluate("new Promise(requestAnimationFrame)");
  assert.deepEqual(await voxel(page), [7, 10, 4]);
  assert.equal(await page.evaluate("page.state.pinned"), null);
  assert.deepEqual(wrong, []);
  await close();
  const again = await open("planes.html", { hash });
  assert.deepEqual(await voxel(again.page), [before[0], 20, 4]);
  await again.close();
  for (const broken of ["#voxel=1,2", "#voxel=1,2,99", "#voxel=1.5,2,3", "#voxel=-1,2,3"]) {
    const { page: other, wrong: errors, close: end } = await open("planes.html", { hash: broken });
    assert.deepEqual(await voxel(other), before, broken);
    assert.deepEqual(errors, []);
    await end();
  }
});

test("what is said of a voxel is what the windows over it say", async () => {
  const feed = feedOf("planes.html");
  const values = feed.targets[0].sensitivity;
  const counts = feed.axes.map(({ starts }) => starts.length);
  for (const at of [[0, 0, 0], [9, 11, 13], [19, 23, 27], [4, 6, 20]]) {
    const over = [...values.keys()].filter((cell) => {
      const index = [Math.floor(cell / counts[1] / counts[2]), Math.floor(cell / counts[2]) % counts[1], cell % counts[2]];
      return index.every((i, axis) => feed.axes[axis].starts[i] <= at[axis] && at[axis] < feed.axes[axis].ends[i]);
    });
    const { page, close } = await open("planes.html", { hash: `#voxel=${at.join()}` });
    const found = await page.evaluate(`evidenceAt(page.feed, 0, [${at}])`);
    assert.equal(found.count, over.length);
    near(found.mean, over.reduce((sum, cell) => sum + values[cell], 0) / over.length, 1e-6, "mean");
    near(found.least, Math.min(...over.map((cell) => values[cell])), 1e-7, "least");
    near(found.most, Math.max(...over.map((cell) => values[cell])), 1e-7, "most");
    const said = (await facts(page))["windows that cover it"];
    assert.match(said, over.length === 1 ? /^one, difference [+−]/ : new RegExp(`^${over.length}, mean difference [+−].* from [+−].* to [+−]`));
    const card = await page.locator(".card.crosshair").evaluate((node) => [Number(node.dataset.cell), ...[...node.querySelectorAll("data")].map((data) => Number(data.value))]);
    assert.ok(over.includes(card[0]));
    assert.deepEqual(card.slice(1), [feed.targets[0].baseline, feed.targets[0].occluded[card[0]], values[card[0]]]);
    await close();
  }
});

test("the wheel, keys and sliders change slices and places, and tell it to who listens", async () => {
  const { page, wrong, close } = await open(laid("planes_keys.html", ["L", "P", "S"], [1, 1, 1]), { hash: "#voxel=5,6,7" });
  await isReady(page);
  const here = (expected) => until(page, (wanted) => page.planes.voxel.join() === wanted, expected.join());
  await page.locator("#plane-stage-0").hover();
  const scrolled = await page.evaluate("scrollY");
  await page.mouse.wheel(0, -100);
  await here([5, 6, 9]);
  await page.mouse.wheel(0, 50);
  await here([5, 6, 8]);
  assert.equal(await page.evaluate("scrollY"), scrolled, "the page stays where it is");
  await page.locator("#plane-stage-0").focus();
  await page.keyboard.press("PageUp");
  await here([5, 6, 9]);
  await page.keyboard.press("Shift+PageDown");
  await here([5, 6, 0]);
  // In this plane the columns run to L and the rows to P, as the axes do.
  await page.keyboard.press("ArrowRight");
  await here([6, 6, 0]);
  await page.keyboard.press("Shift+ArrowDown");
  await here([6, 16, 0]);
  await page.keyboard.press("End");
  await here([6, 16, 27]);
  assert.match(await page.locator("#spoken").textContent(), /^Voxel at the crosshair i 6, j 16, k 27; .*rank \d+ of \d+/);
  await page.getByLabel("neurological").check();
  await page.locator("#plane-stage-0").focus();
  await page.keyboard.press("ArrowRight"); // now to the patient's right, against the axis
  await here([5, 16, 27]);
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".card.pinned").count(), 1);
  await page.keyboard.press("Home");
  await here([5, 16, 0]);
  assert.equal(await page.locator(".card.pinned").count(), 1);
  assert.equal(await page.locator(".card.crosshair").count(), 1);
  await page.keyboard.press("Escape");
  assert.equal(await page.locator(".card.pinned").count(), 0);
  await setValue(page, "#plane-slice-2", 17);
  await here([17, 16, 0]);
  await setValue(page, "#planes-opacity", 35);
  await addressWith(page, "opacity=35");
  assert.deepEqual(wrong, []);
  await close();
});

test("a row of a table takes the crosshair into its window", async () => {
  const { page, close } = await open("planes.html", { hash: "#voxel=0,0,0" });
  const cell = Number(await page.locator("#top-against tbody tr").first().getAttribute("data-cell"));
  await page.locator("#top-against button").first().click();
  assert.equal(await page.evaluate("page.planes.cell"), cell);
  assert.equal(Number(await page.locator(".card.pinned").getAttribute("data-cell")), cell);
  await close();
});

test("a box is drawn on two planes, one after the other, and is seen where the planes cut it", async () => {
  const { page, wrong, close } = await open("planes.html", { hash: "#voxel=9,11,13" });
  await isReady(page);
  await page.locator("#object summary").click();
  const drawOn = async (plane, from, to) => {
    await page.locator("#draw").click();
    await page.locator(`#plane-stage-${plane}`).scrollIntoViewIfNeeded();
    const box = await page.locator(`#plane-stage-${plane}`).boundingBox();
    await page.mouse.move(box.x + from[0] * box.width, box.y + from[1] * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + to[0] * box.width, box.y + to[1] * box.height, { steps: 5 });
    await page.mouse.up();
  };
  await drawOn(0, [7 / 28, 6 / 24], [21 / 28, 18 / 24]);
  assert.deepEqual(await page.evaluate("page.state.box"), [0, 20, 6, 18, 7, 21]);
  assert.deepEqual(await voxel(page), [9, 11, 13], "drawing does not move the crosshair");
  await drawOn(1, [7 / 28, 5 / 20], [21 / 28, 15 / 20]);
  assert.deepEqual(await page.evaluate("page.state.box"), [5, 15, 6, 18, 7, 21]);
  assert.equal(await page.locator(".plane .object-box").count(), 3);
  await setValue(page, "#plane-slice-0", 2);
  await until(page, "document.querySelectorAll('.plane .object-box').length === 2");
  assert.match(await page.locator("#object-said").innerText(), /The box holds/);
  assert.deepEqual(wrong, []);
  await close();
});

test("scores that come in are drawn on the planes", async () => {
  const feed = feedOf("planes_incomplete.html");
  const { page, wrong, close } = await open("planes_incomplete.html", { hash: "#view=score&opacity=100&voxel=9,11,13" });
  await isReady(page);
  const missing = await page.evaluate("page.planes.cell");
  const cell = Number.isNaN(feed.targets[0].occluded[missing]) ? missing : missing + 1;
  const counts = feed.axes.map(({ starts }) => starts.length);
  const at = [Math.floor(cell / counts[1] / counts[2]), Math.floor(cell / counts[2]) % counts[1], cell % counts[2]].map((i, axis) => (feed.axes[axis].starts[i] + feed.axes[axis].ends[i]) / 2);
  await page.evaluate(`page.planes.moveTo([${at.map(Math.floor)}])`);
  await until(page, `page.planes.cell === ${cell}`);
  const colour = async () => (await colours(page, 0, 1, [[at[2] / 28, at[1] / 24]]))[0];
  const before = await colour();
  assert.equal(before[0] - before[2] <= 8, true, "hatched in grey");
  await page.evaluate(`page.feed.add([{ cell: ${cell}, occluded: [5], most_probable: 1 }])`);
  await until(page, `document.querySelector(".card.crosshair").textContent.includes("5.000")`);
  const [r, g, b] = await colour();
  assert.equal([r, g, b].map((v) => v.toString(16).padStart(2, "0")).join(""), feed.sequential.at(-1));
  assert.deepEqual(wrong, []);
  await close();
});

test("maps of elements, windows of one channel and volumes without greys have planes too", async () => {
  for (const [name, seen] of [["planes_joined", /value of the map[+−]/], ["planes_channels", /windows that cover it/], ["volume", /windows that cover it/]]) {
    const { page, wrong, close } = await open(`${name}.html`);
    if (name !== "volume") await isReady(page);
    assert.match(await page.locator(".card.place").textContent(), seen);
    await click(page, 0, 0.5, 0.5);
    assert.deepEqual((await voxel(page)).slice(1), [12, 14], name);
    const channel = page.locator("#slices input");
    assert.equal(await channel.count(), name === "planes_channels" ? 1 : 0);
    if (name === "planes_channels") {
      const before = await page.evaluate("page.planes.cell");
      await setValue(page, "#slices input", 1);
      assert.notEqual(await page.evaluate("page.planes.cell"), before);
    }
    assert.deepEqual(wrong, []);
    await close();
  }
});

test("a window at every voxel of 128^3: all is there, and the crosshair moves", async () => {
  const { page, wrong, close } = await open("planes_large.html");
  await isReady(page);
  assert.equal(await page.evaluate("page.feed.cells"), 128 ** 3);
  await click(page, 0, 100.5 / 128, 20.5 / 128);
  assert.deepEqual((await voxel(page)).slice(1), [20, 100]);
  const [cell, value] = await page.evaluate("[page.planes.cell, page.target.sensitivity[page.planes.cell]]");
  assert.deepEqual([Math.floor(cell / 128) % 128, cell % 128], [20, 100]);
  const card = await page.locator(".card.crosshair data").evaluateAll((all) => all.map((data) => Number(data.value)));
  assert.equal(card.at(-1), value);
  assert.deepEqual(wrong, []);
  await page.screenshot({ path: path.join(screenshots, "planes_large.png") });
  await close();
});
