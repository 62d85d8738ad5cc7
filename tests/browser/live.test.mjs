// The live page in a real browser: loading, files, the form, maps that fill, stop and start anew, the address, two maps.
// In: see live_page.mjs. The numbers on the page are compared with the files that the server gives.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SIZE, done, needsStandIn, openLive, picture, readNpy, real, settled, transfer, until } from "./live_page.mjs";

const computed = (page) => page.evaluate(() => page.feed.targets[0].occluded.filter((v) => !Number.isNaN(v)).length);
const shownInput = (page) => page.locator("#live-input").textContent();

async function choose(page, button, file) {
  const [chooser] = await Promise.all([page.waitForEvent("filechooser"), page.locator(button).click()]);
  await chooser.setFiles(file);
}

test("the input of the command line is mapped at once, and its numbers are those of map.npy", async () => {
  const { page, base, close } = await openLive();
  assert.equal(await page.locator("h1").textContent(), "espresso");
  assert.match(await shownInput(page), /^coffee\./);
  assert.match(await page.locator("#live-where").textContent(), /^\d+ windows in [\d.]+ s$/);
  const id = await page.evaluate(() => live.run.id);
  assert.equal(await page.locator("#live-npy").getAttribute("href"), `/api/runs/${id}/map.npy`);
  const answer = await fetch(`${base}/api/runs/${id}/map.npy`);
  const { shape, values } = readNpy(Buffer.from(await answer.arrayBuffer()));
  const shown = await page.evaluate(() => ({ axes: page.feed.axes.map((axis) => axis.starts.length), values: [...page.feed.targets[0].sensitivity] }));
  assert.deepEqual(shown.axes, shape);
  assert.deepEqual(shown.values, [...values]);
  for (const kind of ["npz", "json", "png", "html"]) {
    const file = await fetch(base + (await page.locator(`#live-${kind}`).getAttribute("href")));
    assert.equal(file.status, 200, kind);
    assert.match(file.headers.get("content-disposition"), /^attachment/);
  }
  await close();
});

test("without an input the page says what to do, and a dropped picture is mapped", { skip: needsStandIn }, async () => {
  const { page, close } = await openLive({ standIn: { input: false }, wait: "#live-empty:not([hidden])" });
  assert.equal(await page.locator("h1").textContent(), "No map yet");
  assert.ok(await page.locator("#live-stop").isDisabled());
  assert.ok(await page.locator("#live-hold").isDisabled());
  await settled(page, () => transfer(page, "drop", picture(2)));
  assert.equal(await shownInput(page), picture(2).name);
  assert.ok(await page.locator("#live-empty").isHidden());
  await close();
});

test("a picture is dropped, chosen and pasted; each is mapped in place of the one before", async () => {
  const { page, close } = await openLive();
  const ways = [
    (file) => transfer(page, "drop", file),
    (file) => choose(page, "#live-choose", file),
    (file) => transfer(page, "paste", file),
  ];
  const seen = new Set();
  for (const [i, way] of ways.entries()) {
    const file = picture(i + 2);
    await settled(page, () => way(file));
    assert.equal(await shownInput(page), file.name);
    assert.equal(await page.evaluate(() => page.feed.info.input), file.name);
    seen.add(await page.evaluate(() => page.feed.info.picture.url));
    assert.ok(await page.locator("#live-drop").isHidden());
  }
  assert.equal(seen.size, real ? 2 : 3);
  await close();
});

test("text that is pasted into a field stays there", async () => {
  const { page, close } = await openLive();
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.setData("text/plain", "16");
    const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
    document.getElementById("live-window").dispatchEvent(event);
    window.wasTaken = event.defaultPrevented;
  });
  assert.equal(await page.evaluate(() => window.wasTaken), false);
  await close();
});

test("a dropped model joins the others, and takes the picture that was sent", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive();
  await settled(page, () => transfer(page, "drop", picture(2)));
  const model = { name: "small.onnx", mimeType: "", buffer: Buffer.from([8, 1, 2, 3]) };
  await settled(page, () => transfer(page, "drop", model));
  assert.deepEqual(await page.locator("#live-model option").allTextContents(), ["linear", "other", "small"]);
  assert.equal(await page.locator("#live-model option:checked").textContent(), "small");
  assert.equal(server.asked("POST /api/inputs").length, 2, "the picture is sent to the new model");
  assert.deepEqual(await page.evaluate(() => page.feed.axes.map((axis) => axis.length)), [16, 16]);
  assert.equal(await shownInput(page), picture(2).name);
  await settled(page, () => page.locator("#live-model").selectOption({ label: "other" }));
  assert.deepEqual(await page.evaluate(() => page.feed.axes.map((axis) => axis.length)), [24, 24]);
  await close();
});

test("a map fills while its windows come, and its parts are kept when it is stopped", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ hash: "#set.fill=zero", prepare: (stand) => stand.hold(), wait: "#figures" });
  await until(page, () => live.run.phase === "computing");
  const counts = [await computed(page)];
  for (const step of [4, 9, 12]) {
    server.allow(step);
    await until(page, (n) => page.feed.info.computed === n, counts.at(-1) + step);
    counts.push(await computed(page));
  }
  assert.deepEqual(counts, [0, 4, 13, 25]);
  assert.match(await page.locator("#live-where").textContent(), /^25 of 49 windows, less than a second left$/);
  assert.equal(await page.locator("#live-progress").evaluate((bar) => bar.value / bar.max), 25 / 49);
  const said = await page.evaluate(() => [...new Set([...page.feed.mostProbable].filter((index) => index >= 0))].map((index) => page.feed.className(index)));
  assert.ok(said.length > 1 && !said.some((name) => name.startsWith("class ")), `names of classes come with the windows: ${said}`);
  await page.locator("#live-stop").click();
  await until(page, () => live.run.phase === "stopped");
  assert.equal(await computed(page), 25);
  assert.equal(server.asked("DELETE /api/runs/").length, 1);
  assert.match(await page.locator("#live-where").textContent(), /^Stopped at 25 of 49 windows/);
  assert.ok(await page.locator("#live-files").isVisible());
  assert.match(await page.locator("#incomplete").textContent(), /25 of 49/);
  server.allow(Infinity);
  await page.getByRole("button", { name: "Run again" }).click();
  await done(page);
  assert.equal(await computed(page), 49);
  await close();
});

test("the queue is said, and progress is not chattered to screen readers", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ prepare: (stand) => (stand.queueAhead = 3), wait: "#live-where:has-text('first')" });
  const where = page.locator("#live-where");
  assert.equal(await where.textContent(), "Waiting: 3 others first");
  server.advance(1);
  await until(page, () => live.run.ahead === 1);
  assert.equal(await where.textContent(), "Waiting: 1 other first");
  await page.evaluate(() => {
    window.spoken = [];
    new MutationObserver(() => window.spoken.push(document.getElementById("live-said").textContent)).observe(document.getElementById("live-said"), { childList: true });
  });
  server.batch = 1;
  server.advance(0);
  await done(page);
  const spoken = await page.evaluate(() => window.spoken);
  assert.equal(spoken.length, 2, spoken.join(" | "));
  assert.equal(spoken[0], "Computing 49 windows");
  await close();
});

test("a change while a map is computed stops it and starts the new one", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ prepare: (stand) => stand.hold(), wait: "#figures" });
  server.allow(5);
  await until(page, () => page.feed?.info.computed === 5);
  const first = await page.evaluate(() => live.run.id);
  await page.locator("#live-fill").selectOption("zero");
  await until(page, (id) => live.run.id !== id, first);
  assert.equal(server.runs.get(first).ended[1].why, "replaced");
  server.allow(Infinity);
  await done(page);
  const run = server.runs.get(await page.evaluate(() => live.run.id));
  assert.deepEqual(run.question.settings, { fill: "zero" });
  assert.deepEqual(await page.evaluate(() => [...page.feed.targets[0].occluded]), Array.from({ length: 49 }, (_, cell) => run.results.get(cell).occluded[0]));
  assert.match(await page.locator("#command").textContent(), /--fill zero/);
  await close();
});

test("only the last of many quick changes is computed to the end, and only what was changed is sent", async () => {
  const { page, close } = await openLive();
  const settings = [];
  page.on("request", (request) => request.url().endsWith("/api/runs") && settings.push(JSON.parse(request.postData()).settings));
  const stride = String(Number(SIZE) / 2);
  await page.locator("#live-window").fill(SIZE[0]);
  await page.locator("#live-window").press(SIZE[1]);
  await page.locator("#live-stride").fill(stride);
  await until(page, (stride) => live.run.phase === "done" && live.run.asked.settings.stride === stride, stride);
  assert.deepEqual(settings.at(-1), { window: SIZE, stride });
  assert.ok(settings.every(({ window }) => window === SIZE), "half a number is not asked for");
  const axis = await page.evaluate(() => page.feed.axes[0]);
  assert.deepEqual(axis.starts.slice(0, 2), [0, Number(stride)]);
  assert.equal(axis.ends[0], Number(SIZE));
  // Emptied fields are not given.
  await page.locator("#live-stride").fill("");
  await page.locator("#live-window").fill("");
  await until(page, () => live.run.phase === "done" && Object.keys(live.run.asked.settings).length === 0);
  assert.deepEqual(settings.at(-1), {});
  await close();
});

test("the same settings again start nothing", async () => {
  const { page, close } = await openLive();
  const id = await page.evaluate(() => live.run.id);
  let asked = 0;
  page.on("request", (request) => (asked += request.url().endsWith("/api/runs") ? 1 : 0));
  await page.locator("#live-window").press("Enter");
  await page.locator("#live-window").press("Tab");
  await page.evaluate(() => live.form.on.changed("now"));
  assert.equal(await page.evaluate(() => live.run.id), id);
  assert.equal(asked, 0);
  await close();
});

test("placeholders are the server's defaults, and a preset's choices are named after it", async () => {
  const { page, base, close } = await openLive();
  const state = await (await fetch(`${base}/api/state`)).json();
  const { defaults, choices } = state.models[0];
  for (const name of ["window", "stride"]) assert.equal(await page.locator(`#live-${name}`).getAttribute("placeholder"), defaults[name]);
  const texts = await page.locator("#live-score option").allTextContents();
  assert.deepEqual(texts, [`${defaults.score} (default)`, ...choices.score]);
  await settled(page, () => page.locator("#live-window").fill(SIZE));
  await settled(page, () => page.locator("#live-preset").selectOption("tf-explain"));
  assert.equal(await page.locator("#live-stride").getAttribute("placeholder"), "as tf-explain does");
  await close();
});

test("a colour, a number and further settings are sent as the command line takes them", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive();
  const last = () => JSON.parse(server.asked("POST /api/runs").at(-1).body).settings;
  await page.locator("#live-fill").selectOption("…");
  await settled(page, () => page.locator("#live-fill-text").fill("0.25"));
  assert.deepEqual(last(), { fill: "0.25" });
  await settled(page, () => page.locator("#live-fill-colour").evaluate((field) => {
    field.value = "#ff8000";
    field.dispatchEvent(new Event("input"));
  }));
  assert.deepEqual(last(), { fill: "rgb:255,128,0" });
  await page.locator("#live-more-fold summary").click();
  await page.locator("#live-more").fill("seed=3\n--border drop");
  await settled(page, () => page.locator("#live-more").blur());
  assert.deepEqual(last(), { fill: "rgb:255,128,0", seed: "3", border: "drop" });
  await settled(page, () => page.locator("#live-reset").click());
  assert.deepEqual(last(), {});
  await close();
});

test("maps of elements are drawn from feeds that come again", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ hash: "#set.aggregate=mean" });
  assert.equal(await page.evaluate(() => page.feed.info.cells), "elements");
  const run = server.runs.get(await page.evaluate(() => live.run.id));
  const expected = JSON.parse(JSON.stringify(run.feed())).targets[0].sensitivity;
  const shown = await page.evaluate(() => [...page.feed.targets[0].sensitivity]);
  const bytes = Buffer.from(expected, "base64");
  assert.deepEqual(shown, Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(4 * i)));
  assert.equal(await page.locator("#live-more").inputValue(), "aggregate=mean");
  await close();
});

test("when a map is done, focus, slice and pointer stay where they were", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ hash: "#set.target=top5", prepare: (stand) => stand.hold(), wait: "#targets input" });
  await page.locator("#targets input").nth(2).focus();
  await page.keyboard.press("Space");
  server.allow(20);
  await until(page, () => page.feed.info.computed === 20);
  await page.evaluate(() => page.hover(3));
  server.allow(Infinity);
  await done(page);
  assert.deepEqual(await page.evaluate(() => [document.activeElement.name, document.activeElement.value, page.hovered, page.state.target]), ["target", "2", 3, 2]);
  await close();
});

// ---- the target -----------------------------------------------------------------------------------------------

test("a target is found by a part of its name, by keyboard alone", async () => {
  const { page, close } = await openLive();
  const field = page.getByRole("combobox", { name: "Target" });
  await field.focus();
  await page.keyboard.type("red wi");
  await page.waitForSelector("#live-target-list li[role=option]:has-text('red wine')");
  assert.equal(await field.getAttribute("aria-expanded"), "true");
  await page.keyboard.press("ArrowDown");
  const active = await field.getAttribute("aria-activedescendant");
  assert.match(await page.locator(`#${active}`).textContent(), /^red wine/);
  assert.equal(await page.locator(`#${active}`).getAttribute("aria-selected"), "true");
  await settled(page, () => page.keyboard.press("Enter"));
  assert.equal(await page.locator("h1").textContent(), "red wine");
  assert.equal(await field.inputValue(), "red wine");
  assert.ok(await page.locator("#live-target-list").isHidden());
  await close();
});

test("an index, five most probable and an inner tensor are targets too", async () => {
  const { page, close } = await openLive();
  const field = page.locator("#live-target");
  const index = real ? "967" : "2";
  await field.fill(index);
  await settled(page, () => field.press("Enter"));
  assert.equal(await page.evaluate(() => page.feed.targets[0].index), Number(index));
  assert.equal(await page.evaluate(() => live.form.settings.target), index);
  await field.fill("five");
  await page.waitForSelector("#live-target-list li:has-text('five most probable')");
  await settled(page, () => page.locator("#live-target-list li").first().click());
  assert.equal(await page.evaluate(() => page.feed.targets.length), 5);
  await field.fill("node:");
  await page.waitForSelector("#live-target-list li:has-text('node:')");
  const name = await page.locator("#live-target-list li span").first().textContent();
  await settled(page, () => page.locator("#live-target-list li").first().click());
  assert.equal(await page.evaluate(() => live.form.settings.target), name);
  assert.match(await page.locator("#untouched").textContent(), /^activation/);
  await close();
});

test("half a name that is left is forgotten; Escape puts back what was there", async () => {
  const { page, close } = await openLive();
  const id = await page.evaluate(() => live.run.id);
  const field = page.locator("#live-target");
  await field.fill("esp");
  await page.waitForSelector("#live-target-list:not([hidden])");
  await page.keyboard.press("Tab");
  assert.equal(await field.inputValue(), "");
  await field.fill("cup");
  await page.waitForSelector("#live-target-list:not([hidden])");
  await page.keyboard.press("Escape");
  assert.equal(await field.inputValue(), "");
  assert.ok(await page.locator("#live-target-list").isHidden());
  assert.equal(await page.evaluate(() => live.run.id), id);
  await close();
});

// ---- the address ----------------------------------------------------------------------------------------------

test("the address makes the same page again; back and forward go between settings", async () => {
  const { page, base, close } = await openLive();
  await settled(page, () => page.locator("#live-window").fill(SIZE));
  await settled(page, () => page.locator("#live-fill").selectOption("zero"));
  await page.locator("#opacity").fill("30");
  const address = page.url();
  const map = await page.evaluate(() => [...page.feed.targets[0].occluded]);
  await page.goto("about:blank");
  await page.goto(address);
  await done(page);
  assert.equal(page.url(), address);
  assert.deepEqual(await page.evaluate(() => live.form.settings), { window: SIZE, fill: "zero" });
  assert.deepEqual(await page.evaluate(() => [...page.feed.targets[0].occluded]), map);
  assert.equal(await page.locator("#opacity").inputValue(), "30");
  await settled(page, () => page.locator("#live-fill").selectOption("mean"));
  await settled(page, () => page.goBack());
  assert.equal(await page.locator("#live-fill").inputValue(), "zero");
  await settled(page, () => page.goForward());
  assert.equal(await page.locator("#live-fill").inputValue(), "mean");
  assert.equal(await page.locator("#live-window").inputValue(), SIZE);
  assert.ok(page.url().startsWith(`${base}/#`));
  await close();
});

test("what the command line set is in the form, and can be taken away", { skip: needsStandIn }, async () => {
  const { page, server, close } = await openLive({ standIn: { settings: { window: "16", fill: "zero" } } });
  assert.equal(await page.locator("#live-window").inputValue(), "16");
  const last = () => JSON.parse(server.asked("POST /api/runs").at(-1).body).settings;
  assert.deepEqual(last(), { window: "16", fill: "zero" });
  await settled(page, () => page.locator("#live-window").fill(""));
  assert.deepEqual(last(), { fill: "zero" });
  await page.reload();
  await done(page);
  assert.deepEqual(last(), { fill: "zero" });
  await close();
});

test("an uploaded picture survives a reload", async () => {
  const { page, close } = await openLive();
  await settled(page, () => transfer(page, "drop", picture(3)));
  await page.reload();
  await done(page);
  assert.equal(await page.locator("#live-input").textContent(), picture(3).name);
  await close();
});
